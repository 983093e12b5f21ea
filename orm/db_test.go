// SPDX-License-Identifier: MIT

package orm_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/orm"
	"github.com/troupe-go/troupe/orm/ormtest"
)

var errDown = errors.New("database is down")

func wantDoc(t *testing.T, store *ormtest.Memory, table, key, want string) {
	t.Helper()
	if got := store.Documents(table)[key]; got != want {
		t.Errorf("%s %s: got %s, want %s", table, key, got, want)
	}
}

func goldDoc(gold int) string {
	return fmt.Sprintf(`{"Gold":%d,"Name":"","Notes":null,"Ratio":0}`, gold)
}

// TestFlush: an assignment is enough, and an idle actor is left alone.
func TestFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := ormtest.NewMemory()
		db := openDB(t, store, orm.Config{})
		h := newHero(t, db, 1, 1, 1)
		h.run(func() { h.doc.Data.Gold = 7 })
		if !h.dirty() {
			t.Error("not dirty after an assignment")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		wantDoc(t, store, "player", "player/1", goldDoc(7))
		wantDoc(t, store, "items", "player/1", "") // never touched, never created
		if h.dirty() {
			t.Error("dirty after the flush")
		}
		calls := h.calls.Load()
		time.Sleep(time.Minute)
		if got := h.calls.Load(); got != calls {
			t.Errorf("the idle actor was woken %d times", got-calls)
		}
		if s := db.Stats(); s.Docs != 1 || s.Batches != 1 || s.OldestUnsaved != 0 || s.Touched != 0 {
			t.Errorf("stats: got %+v", s)
		}
	})
}

// TestSave: durable on return, both documents in one group.
func TestSave(t *testing.T) {
	store := ormtest.NewMemory()
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
		h.doc.Data.Gold = 5
		h.bag.Data.Bag = map[int32]int64{3: 1}
		if err := h.doc.Save(t.Context()); err != nil {
			t.Errorf("Save: %v", err)
		}
		if h.bag.Dirty() || h.doc.Dirty() {
			t.Error("dirty after Save")
		}
		if err := h.doc.Save(t.Context()); err != nil {
			t.Errorf("Save of nothing: %v", err)
		}
	})
	if !reflect.DeepEqual(sizes, []int{2}) {
		t.Errorf("groups: got %v, want one of 2", sizes)
	}
	wantDoc(t, store, "items", "player/1", `{"Bag":{"3":1}}`)
}

// TestAmbiguous: the commit happened, the answer was lost (O3).
func TestAmbiguous(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := ormtest.NewMemory()
		var tries atomic.Int32
		store.After = func(context.Context, []orm.Group) error {
			if tries.Add(1) <= 2 {
				return errDown
			}
			return nil
		}
		db := openDB(t, store, orm.Config{FlushEvery: time.Hour})
		h := newHero(t, db, 1, 1, 1)
		h.run(func() {
			h.doc.Data.Gold = 5
			if err := h.doc.Save(t.Context()); err != nil {
				t.Errorf("Save: %v", err)
			}
		})
		if got := store.Tokens("player")["player/1"]; got != (orm.Token{Generation: 1, Epoch: 1, Seq: 1}) {
			t.Errorf("token: got %v, want seq 1 after three tries", got)
		}
		if s := db.Stats(); s.Retries != 2 || s.Docs != 1 {
			t.Errorf("stats: got %+v", s)
		}
	})
}

// TestDown: nothing is lost or marked clean while the database is away, Save
// says so, and loading stops when too much is unsaved.
func TestDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := ormtest.NewMemory()
		var down atomic.Bool
		store.Before = func(context.Context, []orm.Group) error {
			if down.Load() {
				return errDown
			}
			return nil
		}
		db := openDB(t, store, orm.Config{})
		h := newHero(t, db, 1, 1, 1)
		down.Store(true)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		h.run(func() {
			h.doc.Data.Gold = 1
			if err := h.doc.Save(ctx); !errors.Is(err, orm.ErrUnsaved) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Save: got %v, want ErrUnsaved", err)
			}
			h.doc.Data.Gold = 2
			if !h.doc.Dirty() {
				t.Error("clean while the database is down")
			}
		})
		time.Sleep(time.Minute)
		if s := db.Stats(); s.OldestUnsaved < time.Minute || s.PendingDocs != 1 {
			t.Errorf("stats: got %+v", s)
		}
		late := newOwner(2, 1, 2)
		var doc orm.Doc[player]
		doc.Use(db)
		if err := doc.Load(t.Context(), late); !errors.Is(err, orm.ErrBacklog) {
			t.Errorf("Load: got %v, want ErrBacklog", err)
		}
		down.Store(false)
		time.Sleep(10 * time.Second)
		wantDoc(t, store, "player", "player/1", goldDoc(2))
		if err := doc.Load(t.Context(), late); err != nil {
			t.Errorf("Load after recovery: %v", err)
		}
	})
}

// TestFenced: a paused owner's flush is refused and ends it.
func TestFenced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := ormtest.NewMemory()
		oldDB := openDB(t, store, orm.Config{})
		newDB := openDB(t, store, orm.Config{}) // another node
		old := newHero(t, oldDB, 1, 1, 1)
		old.run(func() { old.doc.Data.Gold = 1; _ = old.doc.Save(t.Context()) })
		fresh := newHero(t, newDB, 1, 1, 2)
		if fresh.doc.Data.Gold != 1 {
			t.Errorf("loaded %+v", fresh.doc.Data)
		}
		old.run(func() { old.doc.Data.Gold = 100 })
		<-old.fenced
		wantDoc(t, store, "player", "player/1", goldDoc(1))
		fresh.run(func() {
			fresh.doc.Data.Gold = 2
			if err := fresh.doc.Save(t.Context()); err != nil {
				t.Errorf("the successor's Save: %v", err)
			}
		})
		old.run(func() {
			old.doc.Data.Gold = 200
			if err := old.doc.Save(t.Context()); !errors.Is(err, orm.ErrFenced) {
				t.Errorf("the old owner's Save: got %v, want ErrFenced", err)
			}
		})
		if err := old.deactivate(t.Context()); err != nil {
			t.Errorf("deactivate: %v", err)
		}
		wantDoc(t, store, "player", "player/1", goldDoc(2))

		stale := newOwner(1, 1, 1)
		var doc orm.Doc[player]
		doc.Use(oldDB)
		if err := doc.Load(t.Context(), stale); !errors.Is(err, orm.ErrFenced) {
			t.Errorf("Load by an older owner: got %v, want ErrFenced", err)
		}
	})
}

// TestRefused: a document that the database refuses does not hold up others.
func TestRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := ormtest.NewMemory()
		store.Before = func(_ context.Context, groups []orm.Group) error {
			for _, g := range groups {
				if strings.Contains(string(g[0].Data), "666") {
					return fmt.Errorf("%w: bad number", orm.ErrRefused)
				}
			}
			return nil
		}
		db := openDB(t, store, orm.Config{Writers: 1})
		var heroes []*hero
		for i := range 5 {
			h := newHero(t, db, int64(i), 1, 1)
			h.run(func() { h.doc.Data.Gold = 5 })
			heroes = append(heroes, h)
		}
		heroes[3].run(func() { heroes[3].doc.Data.Gold = 666 })
		time.Sleep(time.Second)
		for i, h := range heroes {
			if got := h.dirty(); got != (i == 3) {
				t.Errorf("hero %d: dirty %t", i, got)
			}
		}
		heroes[3].run(func() { heroes[3].doc.Data.Gold = 6 })
		time.Sleep(3 * time.Second)
		wantDoc(t, store, "player", "player/3", goldDoc(6))
	})
}

// TestUnsavable: values and sizes that cannot be stored are named, keep the
// group back as a whole, and stay dirty.
func TestUnsavable(t *testing.T) {
	store := ormtest.NewMemory()
	db := openDB(t, store, orm.Config{FlushEvery: time.Hour, MaxDocBytes: 200})
	h := newHero(t, db, 1, 1, 1)
	h.run(func() {
		h.bag.Data.Bag = map[int32]int64{1: 1}
		cases := []struct {
			name string
			set  func()
			want error
			text string
		}{
			{"NaN", func() { h.doc.Data.Ratio = math.NaN() }, orm.ErrValue, "player.Ratio: NaN"},
			{"Inf", func() { h.doc.Data.Ratio = math.Inf(-1) }, orm.ErrValue, "player.Ratio"},
			{"UTF-8", func() { h.doc.Data.Notes = []string{"ok", "\xff"} }, orm.ErrValue, "player.Notes[1]"},
			{"size", func() { h.doc.Data.Name = strings.Repeat("x", 300) }, orm.ErrTooLarge, "MaxDocBytes is 200"},
		}
		for _, c := range cases {
			h.doc.Data = player{Gold: 1}
			c.set()
			err := h.doc.Save(t.Context())
			if !errors.Is(err, c.want) || !strings.Contains(fmt.Sprint(err), c.text) {
				t.Errorf("%s: got %v, want %v with %q", c.name, err, c.want, c.text)
			}
			if !h.doc.Dirty() || !h.bag.Dirty() {
				t.Errorf("%s: clean after a refused save", c.name)
			}
		}
		if n := len(store.Documents("items")); n != 0 {
			t.Errorf("half of a group was saved")
		}
		h.doc.Data = player{Gold: 1}
		if err := h.doc.Save(t.Context()); err != nil {
			t.Errorf("Save after the repair: %v", err)
		}
	})
	wantDoc(t, store, "player", "player/1", goldDoc(1))
}

// TestDeactivate flushes, or fails and keeps everything.
func TestDeactivate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := ormtest.NewMemory()
		var down atomic.Bool
		store.Before = func(context.Context, []orm.Group) error {
			if down.Load() {
				return errDown
			}
			return nil
		}
		db := openDB(t, store, orm.Config{})
		h := newHero(t, db, 1, 1, 1)
		down.Store(true)
		h.run(func() { h.doc.Data.Gold = 3 })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		h.turn.Lock()
		err := h.att[0].Deactivate(ctx)
		h.turn.Unlock()
		if !errors.Is(err, orm.ErrUnsaved) || !h.doc.Dirty() {
			t.Errorf("Deactivate while down: got %v", err)
		}
		down.Store(false)
		if err := h.deactivate(t.Context()); err != nil {
			t.Errorf("Deactivate: %v", err)
		}
		wantDoc(t, store, "player", "player/1", goldDoc(3))
		if db.Stats().Owners != 0 {
			t.Error("the owner is still known")
		}
		again := newHero(t, db, 1, 1, 1)
		if again.doc.Data.Gold != 3 || !again.doc.Exists() {
			t.Errorf("loaded %+v", again.doc.Data)
		}
	})
}

// TestSuccessorWaits: an activation that died with a write on its way must not
// be fenced by its own node's next one before that write is in.
func TestSuccessorWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := ormtest.NewMemory()
		var down atomic.Bool
		store.Before = func(context.Context, []orm.Group) error {
			if down.Load() {
				return errDown
			}
			return nil
		}
		db := openDB(t, store, orm.Config{})
		h := newHero(t, db, 1, 0, 1)
		down.Store(true)
		h.run(func() { h.doc.Data.Gold = 3 })
		time.Sleep(2 * time.Second) // the flush is on its way
		h.leave()                   // a panic: no deactivation
		go func() {
			time.Sleep(10 * time.Second)
			down.Store(false)
		}()
		again := newHero(t, db, 1, 0, 1)
		if again.doc.Data.Gold != 3 {
			t.Errorf("loaded %+v, want the write that was on its way", again.doc.Data)
		}
	})
}

// TestDelete: gone, not resurrected by an untouched document, and creatable.
func TestDelete(t *testing.T) {
	store := ormtest.NewMemory()
	db := openDB(t, store, orm.Config{FlushEvery: time.Hour})
	h := newHero(t, db, 1, 1, 1)
	ctx := t.Context()
	h.run(func() {
		h.doc.Data.Gold = 3
		if err := errors.Join(h.doc.Save(ctx), h.doc.Delete(ctx), h.doc.Save(ctx)); err != nil {
			t.Error(err)
		}
		if h.doc.Exists() || h.doc.Dirty() || h.doc.Data.Gold != 0 {
			t.Errorf("after Delete: %+v", h.doc.Data)
		}
		wantDoc(t, store, "player", "player/1", "")
		h.doc.Data.Gold = 4
		if err := h.doc.Save(ctx); err != nil || !h.doc.Exists() {
			t.Errorf("create again: %v", err)
		}
		wantDoc(t, store, "player", "player/1", goldDoc(4))
		h.bag.MarkDirty()
		if err := h.doc.Save(ctx); err != nil {
			t.Error(err)
		}
		wantDoc(t, store, "items", "player/1", `{"Bag":null}`)
	})
}
