// SPDX-License-Identifier: MIT

package prom_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/observe/prom"
	"github.com/troupe-go/troupe/orm"
	"github.com/troupe-go/troupe/orm/bolt"
)

type purse struct{ Gold int64 }

// saver is an actor with a document.
type saver struct {
	troupe.Actor
	doc orm.Doc[purse]
}

func (s *saver) OnActivate(ctx context.Context) error { return s.doc.Load(ctx, s) }

// Earn is durable when it returns.
func (s *saver) Earn(ctx context.Context) error {
	s.doc.Data.Gold++
	return s.doc.Save(ctx)
}

func TestDocumentsAreCounted(t *testing.T) {
	documents := prom.NewDocuments(prom.Options{})
	store, err := bolt.Open(t.TempDir()+"/docs.db", bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	db, err := orm.Open(t.Context(), store, orm.Config{
		Types: []*orm.Type{orm.Document[purse]("purse")}, Metrics: documents, FlushEvery: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(documents, prom.Unsaved(db, prom.Options{}))
	node, err := troupe.New(troupe.Config{})
	if err != nil {
		t.Fatal(err)
	}
	troupe.Provide(node, db)
	if err := errors.Join(node.Register(troupe.Virtual[saver]("saver")), node.Start(t.Context())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.Background()
		if err := errors.Join(node.Stop(ctx), db.Close(ctx)); err != nil {
			t.Error(err)
		}
	})
	for id := range int64(2) {
		if err := node.Call(t.Context(), troupe.ID("saver", id), "Earn", nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP troupe_orm_documents_total Number of documents of the database.
# TYPE troupe_orm_documents_total counter
troupe_orm_documents_total 2
# HELP troupe_orm_loads_total Number of loads of the database.
# TYPE troupe_orm_loads_total counter
troupe_orm_loads_total 2
# HELP troupe_orm_owners Owners with loaded documents.
# TYPE troupe_orm_owners gauge
troupe_orm_owners 2
# HELP troupe_orm_pending_documents Encoded documents that wait for the database.
# TYPE troupe_orm_pending_documents gauge
troupe_orm_pending_documents 0
`), "troupe_orm_documents_total", "troupe_orm_loads_total", "troupe_orm_owners", "troupe_orm_pending_documents"); err != nil {
		t.Error(err)
	}
	if n, err := testutil.GatherAndCount(registry, "troupe_orm_flush_seconds", "troupe_orm_queue_seconds",
		"troupe_orm_load_seconds", "troupe_orm_oldest_unsaved_seconds"); err != nil || n != 4 {
		t.Errorf("got %d of 4 metrics, %v", n, err)
	}
}
