// SPDX-License-Identifier: MIT

// Package ferrettest runs the conformance suite of orm/mongo: against the
// server that TROUPE_TEST_MONGO names, else against an embedded FerretDB. It is
// a module of its own because of FerretDB's dependencies.
package ferrettest

import (
	"context"
	"crypto/rand"
	"os"
	"testing"

	"github.com/FerretDB/FerretDB/ferretdb"

	"github.com/troupe-go/troupe/orm"
	"github.com/troupe-go/troupe/orm/mongo"
	"github.com/troupe-go/troupe/orm/ormtest"
)

// server returns the URI of a MongoDB for the duration of the test.
func server(t *testing.T) string {
	if uri := os.Getenv("TROUPE_TEST_MONGO"); uri != "" {
		return uri
	}
	ctx, cancel := context.WithCancel(context.Background())
	f, err := ferretdb.New(&ferretdb.Config{
		Listener:  ferretdb.ListenerConfig{TCP: "127.0.0.1:0"},
		Handler:   "sqlite",
		SQLiteURL: "file:" + t.TempDir() + "/",
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Logf("ferretdb: %v", err)
		}
	})
	return f.MongoDBURI()
}

func TestConformance(t *testing.T) {
	uri := server(t)
	var skip []string
	if os.Getenv("TROUPE_TEST_MONGO") == "" {
		// FerretDB 1 updates in two steps, reading and writing, which other
		// clients can come between; MongoDB's updates of one document are atomic.
		skip = append(skip, "Race", "Owners")
	}
	database := "ormtest" + rand.Text()[:8]
	ormtest.Run(t, func(t *testing.T) orm.Store {
		s, err := mongo.Open(uri, mongo.Options{Database: database})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}, skip...)
}
