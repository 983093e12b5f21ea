// SPDX-License-Identifier: MIT

package orm_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/troupe-go/troupe/orm"
	"github.com/troupe-go/troupe/orm/ormtest"
)

// forgetful is a store that forgets the loads of one table, as a crash of the
// database may.
type forgetful struct {
	*ormtest.Memory
	table string
}

func (s *forgetful) Capabilities() orm.Capabilities {
	return orm.Capabilities{AtomicGroups: true, VolatileLoads: true}
}

func (s *forgetful) LoadFence(ctx context.Context, t *orm.Table, key string, fence orm.Fence) (orm.Row, error) {
	rows, err := s.Find(ctx, t, orm.Query{Limit: 1})
	if t.Name != s.table || err != nil || len(rows) == 0 {
		return s.Memory.LoadFence(ctx, t, key, fence)
	}
	rows[0].Token = orm.LoadToken(rows[0].Token, fence)
	return rows[0], nil
}

// TestForgottenLoad: an owner that read one document before the crash and the
// other behind it cannot save what it made of the two, not even in the one that
// is its own.
func TestForgottenLoad(t *testing.T) {
	store := &forgetful{Memory: ormtest.NewMemory()}
	db := openDB(t, store, orm.Config{FlushEvery: time.Hour})
	other := openDB(t, store, orm.Config{FlushEvery: time.Hour}) // another node
	old := newHero(t, db, 1, 1, 1)
	old.run(func() {
		old.doc.Data.Gold, old.bag.Data.Bag = 1, map[int32]int64{1: 1}
		if err := old.doc.Save(t.Context()); err != nil {
			t.Error(err)
		}
	})
	store.table = "player"
	fresh := newHero(t, other, 1, 1, 2)
	fresh.run(func() {
		fresh.bag.Data.Bag[1] = fresh.doc.Data.Gold + 1
		if err := fresh.bag.Save(t.Context()); !errors.Is(err, orm.ErrFenced) {
			t.Errorf("Save: got %v, want ErrFenced", err)
		}
	})
	wantDoc(t, store.Memory, "items", "player/1", `{"Bag":{"1":1}}`)
}

// TestProof: the first group writes all documents, but creates none; the ones
// after it write what has changed.
func TestProof(t *testing.T) {
	store := &forgetful{Memory: ormtest.NewMemory()}
	var sizes []int
	store.Before = func(_ context.Context, groups []orm.Group) error {
		for _, g := range groups {
			sizes = append(sizes, len(g))
		}
		return nil
	}
	db := openDB(t, store, orm.Config{FlushEvery: time.Hour})
	h := newHero(t, db, 1, 1, 1)
	h.run(func() {
		for i := range int64(3) {
			h.doc.Data.Gold++
			if err := h.doc.Save(t.Context()); err != nil {
				t.Error(err)
			}
			if h.bag.Exists() || h.bag.Dirty() {
				t.Errorf("save %d: the other document came into being", i)
			}
		}
		h.bag.Data.Bag = map[int32]int64{1: 1}
		if err := h.bag.Save(t.Context()); err != nil {
			t.Error(err)
		}
	})
	if want := []int{2, 1, 1, 1}; !reflect.DeepEqual(sizes, want) {
		t.Errorf("groups: got %v, want %v", sizes, want)
	}
	wantDoc(t, store.Memory, "items", "player/1", `{"Bag":{"1":1}}`)
}
