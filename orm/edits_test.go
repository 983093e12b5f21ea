// SPDX-License-Identifier: MIT

package orm_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"

	"pgregory.net/rapid"

	"github.com/troupe-go/troupe/orm"
	"github.com/troupe-go/troupe/orm/ormtest"
)

// world is what the documents of one owner hold, as the test knows it.
type world struct {
	gold  int64
	notes string
	bag   map[int32]int64
}

func (w world) clone() world {
	w.bag = maps.Clone(w.bag)
	return w
}

func (w world) String() string { return fmt.Sprintf("%d %q %v", w.gold, w.notes, w.bag) }

func observe(h *hero) world {
	return world{h.doc.Data.Gold, fmt.Sprint(h.doc.Data.Notes), h.bag.Data.Bag}
}

// TestEdits drives random edits through compare, save, lost answers, crashes,
// take-overs and loads, and compares with the model: what was acknowledged is
// there, and what is there is a state the owner once had, not older than that.
func TestEdits(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		store := ormtest.NewMemory()
		lose := false
		store.After = func(context.Context, []orm.Group) error {
			if lose {
				lose = false
				return errDown
			}
			return nil
		}
		db, err := orm.Open(t.Context(), store, orm.Config{
			Types: []*orm.Type{playerType, itemsType}, FlushEvery: 1 << 50, RetryMin: 1, RetryMax: 1,
		})
		if err != nil {
			rt.Fatal(err)
		}
		defer db.Close(t.Context()) // nothing is waiting
		epoch := uint64(1)
		h := newHero(t, db, 1, 1, epoch)
		saved := observe(h).clone()
		for range rapid.IntRange(1, 20).Draw(rt, "steps") {
			switch rapid.IntRange(0, 6).Draw(rt, "step") {
			case 0, 1, 2:
				h.edit(rt)
			case 3, 4:
				lose = rapid.Bool().Draw(rt, "lose the answer")
				if err := h.doc.Save(t.Context()); err != nil {
					rt.Fatalf("Save: %v", err)
				}
				saved = observe(h).clone()
			case 5: // crash: memory is lost, the fence may be the same or newer
				h.leave()
				if rapid.Bool().Draw(rt, "elsewhere") {
					epoch++
				}
				h = newHero(t, db, 1, 1, epoch)
				if got := observe(h); got.String() != saved.String() {
					rt.Fatalf("after a crash: got %v, want %v", got, saved)
				}
			case 6: // a paused copy wakes up after its successor
				old := h
				epoch++
				h = newHero(t, db, 1, 1, epoch)
				old.doc.Data.Gold += 1000
				if err := old.doc.Save(t.Context()); !errors.Is(err, orm.ErrFenced) {
					rt.Fatalf("the old owner's Save: got %v, want ErrFenced", err)
				}
				if got := observe(h); got.String() != saved.String() {
					rt.Fatalf("after a take-over: got %v, want %v", got, saved)
				}
			}
		}
	})
}

// edit changes something, in place where possible.
func (h *hero) edit(t *rapid.T) {
	n := rapid.Int64Range(-5, 5).Draw(t, "n")
	switch rapid.IntRange(0, 5).Draw(t, "edit") {
	case 0:
		h.doc.Data.Gold += n
	case 1:
		h.doc.Data.Notes = append(h.doc.Data.Notes, fmt.Sprint(n))
	case 2:
		if len(h.doc.Data.Notes) > 0 {
			h.doc.Data.Notes[0] = fmt.Sprint("changed ", n)
		}
	case 3:
		if h.bag.Data.Bag == nil {
			h.bag.Data.Bag = make(map[int32]int64)
		}
		h.bag.Data.Bag[int32(n)/3]++
	case 4:
		delete(h.bag.Data.Bag, int32(n)/3)
	case 5:
		h.doc.Data.Notes = nil
	}
}
