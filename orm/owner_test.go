// SPDX-License-Identifier: MIT

package orm_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/orm"
)

var errGone = errors.New("owner is gone")

// owner is a fake actor: turns are functions under a lock.
type owner struct {
	ref   troupe.Ref
	fence orm.Fence

	turn   semaphore // not a Mutex: synctest must see it as blocked
	att    []troupe.Attachment
	mu     sync.Mutex
	gone   bool
	fenced chan struct{}
	calls  atomic.Int32 // of Do
}

type semaphore chan struct{}

func (s semaphore) Lock()   { s <- struct{}{} }
func (s semaphore) Unlock() { <-s }

func newOwner(id int64, generation, epoch uint64) *owner {
	return &owner{
		ref: troupe.ID("player", id), fence: orm.Fence{Generation: generation, Epoch: epoch},
		turn: make(semaphore, 1), fenced: make(chan struct{}),
	}
}

func (o *owner) Ref() troupe.Ref              { return o.ref }
func (o *owner) Fence() troupe.Fence          { return o.fence }
func (o *owner) Attach(att troupe.Attachment) { o.att = append(o.att, att) }
func (o *owner) Fenced()                      { o.leave(); close(o.fenced) }

func (o *owner) leave() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.gone = true
}

func (o *owner) Do(fn func(context.Context)) error {
	o.calls.Add(1)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.gone {
		return errGone
	}
	go o.run(func() { fn(context.Background()) })
	return nil
}

// run runs fn as a turn and then ends the run.
func (o *owner) run(fn func()) {
	o.turn.Lock()
	defer o.turn.Unlock()
	fn()
	for _, att := range o.att {
		att.TurnEnd()
	}
}

// deactivate ends the owner in order.
func (o *owner) deactivate(ctx context.Context) error {
	o.turn.Lock()
	defer o.turn.Unlock()
	var err error
	for _, att := range o.att {
		err = errors.Join(err, att.Deactivate(ctx))
	}
	o.leave()
	return err
}

// player is a document for tests.
type player struct {
	Gold  int64 `orm:"index"`
	Name  string
	Notes []string
	Ratio float64
}

type items struct {
	Bag map[int32]int64
}

var playerType, itemsType = orm.Document[player]("player"), orm.Document[items]("items")

func openDB(t *testing.T, store orm.Store, cfg orm.Config) *orm.DB {
	t.Helper()
	if cfg.Types == nil {
		cfg.Types = []*orm.Type{playerType, itemsType}
	}
	db, err := orm.Open(t.Context(), store, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // whatever is still waiting is given up
		_ = db.Close(ctx)
	})
	return db
}

// hero is an owner with two documents.
type hero struct {
	*owner
	doc orm.Doc[player]
	bag orm.Doc[items]
}

func newHero(t *testing.T, db *orm.DB, id int64, generation, epoch uint64) *hero {
	t.Helper()
	h := &hero{owner: newOwner(id, generation, epoch)}
	h.doc.Use(db)
	h.bag.Use(db)
	h.run(func() {
		if err := errors.Join(h.doc.Load(t.Context(), h), h.bag.Load(t.Context(), h)); err != nil {
			t.Fatalf("load: %v", err)
		}
	})
	return h
}

// dirty asks on the owner's turn.
func (h *hero) dirty() bool {
	h.turn.Lock()
	defer h.turn.Unlock()
	return h.doc.Dirty()
}
