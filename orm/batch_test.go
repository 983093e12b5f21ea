// SPDX-License-Identifier: MIT

package orm_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/orm"
	"github.com/troupe-go/troupe/orm/ormtest"
)

// batches records what each transaction had.
type batches struct {
	mu    sync.Mutex
	docs  []int
	bytes []int
}

func (b *batches) record(groups []orm.Group) {
	b.mu.Lock()
	defer b.mu.Unlock()
	docs, bytes := 0, 0
	for _, g := range groups {
		docs += len(g)
		for _, w := range g {
			bytes += len(w.Data)
		}
	}
	b.docs, b.bytes = append(b.docs, docs), append(b.bytes, bytes)
}

// TestBatches: many owners share a transaction, within the bounds.
func TestBatches(t *testing.T) {
	cases := []struct {
		name     string
		cfg      orm.Config
		maxDocs  int
		maxBytes int
		atMost   int // transactions
	}{
		{"together", orm.Config{}, 40, 1 << 20, 2},
		{"count", orm.Config{MaxBatchDocs: 8}, 8, 1 << 20, 6},
		{"bytes", orm.Config{MaxBatchBytes: 4 << 10}, 40, 4 << 10, 20},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := ormtest.NewMemory()
				var seen batches
				store.Before = func(_ context.Context, groups []orm.Group) error {
					seen.record(groups)
					time.Sleep(10 * time.Millisecond)
					return nil
				}
				db := openDB(t, store, c.cfg)
				for i := range 40 {
					h := newHero(t, db, int64(i), 1, 1)
					h.run(func() { h.doc.Data.Name = strings.Repeat("x", 900) })
				}
				time.Sleep(2 * time.Second)
				total := 0
				for i := range seen.docs {
					total += seen.docs[i]
					if seen.docs[i] > c.maxDocs || seen.bytes[i] > c.maxBytes {
						t.Errorf("a transaction has %d documents, %d bytes", seen.docs[i], seen.bytes[i])
					}
				}
				if total != 40 || len(seen.docs) > c.atMost {
					t.Errorf("got %d documents in %d transactions, want 40 in at most %d", total, len(seen.docs), c.atMost)
				}
			})
		})
	}
}

// TestBackPressure: while the database is away, encoded documents are bounded;
// the other changes wait in their actors, and nothing is lost.
func TestBackPressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := ormtest.NewMemory()
		var down atomic.Bool
		store.Before = func(context.Context, []orm.Group) error {
			if down.Load() {
				return errDown
			}
			return nil
		}
		const limit, size = 10 << 10, 900
		db := openDB(t, store, orm.Config{MaxPendingBytes: limit, MaxUnsavedAge: -1})
		down.Store(true)
		for i := range 40 {
			h := newHero(t, db, int64(i), 1, 1)
			h.run(func() { h.doc.Data.Name = strings.Repeat("x", size) })
		}
		time.Sleep(10 * time.Second)
		// Actors that look at the same time may all find room.
		if s := db.Stats(); s.PendingBytes < limit || s.OldestUnsaved < 5*time.Second {
			t.Errorf("while the database is away: got %+v", s)
		}
		h := newHero(t, db, 100, 1, 1)
		h.run(func() { h.doc.Data.Gold = 1 })
		before := db.Stats().PendingDocs
		time.Sleep(10 * time.Second)
		if s := db.Stats(); !h.dirty() || s.Touched == 0 || s.PendingDocs != before {
			t.Errorf("a change beyond the limit was encoded: %+v", s)
		}
		down.Store(false)
		time.Sleep(20 * time.Second)
		if n := len(store.Documents("player")); n != 41 {
			t.Errorf("got %d documents in the database, want 41", n)
		}
	})
}
