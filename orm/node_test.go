// SPDX-License-Identifier: MIT

package orm_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/orm"
	"github.com/troupe-go/troupe/orm/ormtest"
)

// keeper is a real actor with two documents.
type keeper struct {
	troupe.Actor
	doc orm.Doc[player]
	bag orm.Doc[items]
}

func (k *keeper) OnActivate(ctx context.Context) error {
	return errors.Join(k.doc.Load(ctx, k), k.bag.Load(ctx, k))
}

// Earn changes memory only.
func (k *keeper) Earn(_ context.Context, gold int64) (int64, error) {
	k.doc.Data.Gold += gold
	return k.doc.Data.Gold, nil
}

// Buy is durable when it returns.
func (k *keeper) Buy(ctx context.Context, item int32, price int64) (int64, error) {
	k.doc.Data.Gold -= price
	if k.bag.Data.Bag == nil {
		k.bag.Data.Bag = make(map[int32]int64)
	}
	k.bag.Data.Bag[item]++
	return k.doc.Data.Gold, k.doc.Save(ctx)
}

// Crash panics with a change in memory.
func (k *keeper) Crash(context.Context) error {
	k.doc.Data.Gold = -1
	panic("boom")
}

func startNode(t *testing.T, store orm.Store, options ...troupe.Option) *troupe.Node {
	t.Helper()
	db, err := orm.Open(t.Context(), store, orm.Config{Types: []*orm.Type{playerType, itemsType}})
	if err != nil {
		t.Fatal(err)
	}
	node, err := troupe.New(troupe.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Register(troupe.Virtual[keeper]("player", options...)); err != nil {
		t.Fatal(err)
	}
	troupe.Provide(node, db)
	if err := node.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.Background()
		if err := errors.Join(node.Stop(ctx), db.Close(ctx)); err != nil {
			t.Error(err)
		}
	})
	return node
}

func call(t *testing.T, node *troupe.Node, method string, args ...any) int64 {
	t.Helper()
	var gold int64
	if err := node.Call(t.Context(), troupe.ID("player", 42), method, &gold, args...); err != nil {
		t.Fatalf("%s: %v", method, err)
	}
	return gold
}

// TestNode drives a real node: flush in the background, passivation, panic.
func TestNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := ormtest.NewMemory()
		node := startNode(t, store, troupe.IdleAfter(time.Minute))
		call(t, node, "Earn", int64(100))
		time.Sleep(time.Second)
		wantDoc(t, store, "player", "player/42", goldDoc(100))
		call(t, node, "Buy", int32(7), int64(30))
		wantDoc(t, store, "player", "player/42", goldDoc(70))
		wantDoc(t, store, "items", "player/42", `{"Bag":{"7":1}}`)

		// A panic loses what was not flushed, and nothing else.
		if err := node.Call(t.Context(), troupe.ID("player", 42), "Crash", nil); !errors.Is(err, troupe.ErrPanic) {
			t.Errorf("Crash: got %v, want ErrPanic", err)
		}
		if got := call(t, node, "Earn", int64(5)); got != 75 {
			t.Errorf("gold after the panic: got %d, want 75", got)
		}
		time.Sleep(5 * time.Minute) // passivated
		wantDoc(t, store, "player", "player/42", goldDoc(75))
		if got := call(t, node, "Earn", int64(0)); got != 75 {
			t.Errorf("gold after passivation: got %d, want 75", got)
		}
	})
}

// TestNodeStop: stopping the node saves everything.
func TestNodeStop(t *testing.T) {
	store := ormtest.NewMemory()
	t.Run("first", func(t *testing.T) { call(t, startNode(t, store), "Earn", int64(9)) })
	wantDoc(t, store, "player", "player/42", goldDoc(9))
	t.Run("second", func(t *testing.T) {
		if got := call(t, startNode(t, store), "Earn", int64(1)); got != 10 {
			t.Errorf("gold after a restart: got %d, want 10", got)
		}
	})
}
