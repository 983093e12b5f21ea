// SPDX-License-Identifier: MIT

package ormtest

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/orm"
)

// ownersData is a document that remembers every purchase.
type ownersData struct {
	Purchases []int64
	Count     int64 `orm:"index"`
}

// ownersTwin is saved in the same group and must carry the same count.
type ownersTwin struct{ Count, Ticks int64 }

// RunOwners lets two nodes take documents from each other, at random and
// thousands of times: by hand-over, after crashes, and from owners that do not
// know it yet and go on buying. Requests to the store are delayed, lost,
// answered into the void, and delivered after their sender has given up; loads
// are forgotten, as a store may in a crash.
//
// It checks that a purchase whose Save was acknowledged is in every load that
// begins later (I6 of docs/RELIABILITY-REPORT.md) and that the versions that are loaded
// and acknowledged never go back (I3). fenced tells whether takeovers bring
// newer fences, as in a cluster; otherwise the loads alone decide, as on nodes
// by themselves. steps is the number of steps per document.
func RunOwners(t *testing.T, store orm.Store, fenced bool, steps int) {
	name := "o_" + randomName()
	w := &ownersWorld{t: t, store: store, fenced: fenced, atomic: store.Capabilities().AtomicGroups}
	w.types = func() []*orm.Type {
		return []*orm.Type{orm.Document[ownersData](name), orm.Document[ownersTwin](name + "_twin")}
	}
	for i := range w.nodes {
		w.boot(i)
	}
	var keys []*ownersKey
	var wg sync.WaitGroup
	for id := range int64(4) {
		k := &ownersKey{world: w, id: id + 1, fence: orm.Fence{Generation: 1, Epoch: 1}, acked: make(map[int64]bool)}
		keys = append(keys, k)
		wg.Add(1)
		go func() {
			defer wg.Done()
			k.run(steps)
		}()
	}
	crashes := w.crashUntil(&wg)
	for i := range w.nodes {
		w.halt(i)
	}
	w.late.Wait()
	var acked, loads int
	for _, k := range keys {
		k.audit()
		acked += len(k.acked)
		loads += k.loads
	}
	t.Logf("%d purchases acknowledged, %d loads, %d crashes", acked, loads, crashes)
	if acked == 0 || loads < 2*len(keys) {
		t.Error("too little was acknowledged or loaded: the test proves nothing")
	}
}

// ownersWorld is two nodes over one store.
type ownersWorld struct {
	t      *testing.T
	store  orm.Store
	fenced bool
	atomic bool
	types  func() []*orm.Type
	late   sync.WaitGroup
	forgot sync.Map

	mu    sync.Mutex
	nodes [2]*ownersNode
}

// ownersNode is a node until it crashes.
type ownersNode struct {
	db   *orm.DB
	link *lateStore
}

// boot starts node i.
func (w *ownersWorld) boot(i int) {
	link := &lateStore{Store: w.store, late: &w.late, forgot: &w.forgot}
	db, err := orm.Open(context.Background(), link, orm.Config{
		Types: w.types(), FlushEvery: 4 * time.Millisecond, SaveTimeout: 5 * time.Second,
		RetryMin: 100 * time.Microsecond, RetryMax: 2 * time.Millisecond, MaxUnsavedAge: -1,
	})
	if err != nil {
		w.t.Errorf("open: %v", err)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.nodes[i] = &ownersNode{db, link}
}

// halt ends node i as a crash does: what it has sent may still arrive.
func (w *ownersWorld) halt(i int) {
	n := w.node(i)
	n.link.cut.Store(true)
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	_ = n.db.Close(gone) // it gives up what was not written
}

func (w *ownersWorld) node(i int) *ownersNode {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.nodes[i]
}

// crashUntil crashes a node now and then until all are done.
func (w *ownersWorld) crashUntil(all *sync.WaitGroup) (crashes int) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		all.Wait()
	}()
	for {
		select {
		case <-done:
			return crashes
		case <-time.After(20*time.Millisecond + rand.N(40*time.Millisecond)):
			i := rand.IntN(len(w.nodes))
			w.halt(i)
			w.boot(i)
			crashes++
		}
	}
}

// ownersActor is one activation: an owner with two documents. Turns are
// functions under a lock.
type ownersActor struct {
	ref   troupe.Ref
	fence orm.Fence
	doc   orm.Doc[ownersData]
	twin  orm.Doc[ownersTwin]

	turn sync.Mutex
	att  []troupe.Attachment

	mu   sync.Mutex
	gone bool
	jobs sync.WaitGroup // functions given to Do
}

var errGone = errors.New("ormtest: the activation is over")

func (a *ownersActor) Ref() troupe.Ref              { return a.ref }
func (a *ownersActor) Fence() orm.Fence             { return a.fence }
func (a *ownersActor) Attach(att troupe.Attachment) { a.att = append(a.att, att) }
func (a *ownersActor) Fenced()                      { a.leave() }

func (a *ownersActor) leave() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.gone = true
}

// Do implements orm.Owner.
func (a *ownersActor) Do(fn func(context.Context)) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.gone {
		return errGone
	}
	a.jobs.Add(1)
	go func() {
		defer a.jobs.Done()
		_ = a.run(func() error { fn(context.Background()); return nil })
	}()
	return nil
}

// run runs fn as a turn.
func (a *ownersActor) run(fn func() error) error {
	a.turn.Lock()
	defer a.turn.Unlock()
	err := fn()
	for _, att := range a.att {
		att.TurnEnd()
	}
	return err
}

// buy changes both documents; with save, it is durable when it returns nil.
func (a *ownersActor) buy(ctx context.Context, number int64, save bool) error {
	return a.run(func() error {
		a.twin.Data.Count = a.doc.Data.Count // as it is, unless the two were loaded from different times
		a.doc.Data.Purchases = append(a.doc.Data.Purchases, number)
		a.doc.Data.Count++
		a.twin.Data.Count++
		if !save {
			return nil
		}
		return a.doc.Save(ctx)
	})
}

// tick changes only the twin, by what the owner believes of the other document.
func (a *ownersActor) tick(ctx context.Context) error {
	return a.run(func() error {
		a.twin.Data.Count = a.doc.Data.Count
		a.twin.Data.Ticks++
		return a.twin.Save(ctx)
	})
}

// deactivate saves what there is and ends the activation.
func (a *ownersActor) deactivate(ctx context.Context) error {
	err := a.run(func() error {
		var err error
		for _, att := range a.att {
			err = errors.Join(err, att.Deactivate(ctx))
		}
		return err
	})
	a.leave()
	return err
}
