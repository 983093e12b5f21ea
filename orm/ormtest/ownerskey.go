// SPDX-License-Identifier: MIT

package ormtest

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/orm"
)

// ownersKey is one pair of documents and what is known about it.
type ownersKey struct {
	world *ownersWorld
	id    int64

	// Of the driver.
	fence   orm.Fence
	owner   *ownersActor
	at      int // the owner's node
	loads   int
	zombies sync.WaitGroup

	mu     sync.Mutex
	last   int64          // number of the last purchase
	acked  map[int64]bool // purchases whose Save returned nil
	newest orm.Token      // of all loads and acknowledged saves that are over
}

// run makes steps at random, then waits for owners that do not know yet that
// they were overtaken.
func (k *ownersKey) run(steps int) {
	k.activate(rand.IntN(2))
	for range steps {
		switch n := rand.IntN(100); {
		case n < 50:
			k.buy(k.owner, true)
		case n < 60:
			ctx, cancel := context.WithTimeout(context.Background(), patience())
			_ = k.owner.tick(ctx) // see check
			cancel()
		case n < 75:
			k.buy(k.owner, false)
		case n < 80: // in order
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			_ = k.owner.deactivate(ctx) // fails when it was fenced, or its node has crashed
			cancel()
			k.activate(1 - k.at)
		case n < 85: // a panic: the node goes on with a fresh activation
			k.owner.leave()
			k.activate(k.at)
		default: // taken over while it is alive
			old := k.owner
			k.activate(1 - k.at)
			k.zombies.Add(1)
			go func() {
				defer k.zombies.Done()
				k.haunt(old)
			}()
		}
	}
	k.zombies.Wait()
	k.owner.leave()
	k.owner.jobs.Wait()
}

// haunt lets an owner that was overtaken go on: what it is told to have saved
// counts like everything else.
func (k *ownersKey) haunt(old *ownersActor) {
	for range 3 {
		k.buy(old, true)
		nap(maxLate)
	}
	old.leave()
	old.jobs.Wait()
}

// buy makes one purchase. Only the driver and the ghosts call it.
func (k *ownersKey) buy(a *ownersActor, save bool) {
	k.mu.Lock()
	k.last++
	number := k.last
	k.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), patience())
	defer cancel()
	if err := a.buy(ctx, number, save); err != nil || !save {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.acked[number] = true
}

// patience is how long a caller waits for its Save: mostly until it ends, but
// sometimes it leaves the outcome in doubt.
func patience() time.Duration {
	if rand.IntN(3) == 0 {
		return rand.N(30 * time.Millisecond)
	}
	return 10 * time.Second
}

// activate makes an owner on node at and checks what it loads. It tries until
// it succeeds, with a claim of its own for every attempt, as in a cluster.
func (k *ownersKey) activate(at int) {
	w := k.world
	for {
		k.nextFence()
		a := &ownersActor{ref: troupe.ID("owner", k.id)}
		if w.fenced {
			a.fence = k.fence
		}
		db := w.node(at).db
		a.doc.Use(db)
		a.twin.Use(db)
		k.mu.Lock()
		before := make([]int64, 0, len(k.acked))
		for number := range k.acked {
			before = append(before, number)
		}
		newest := k.newest
		k.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		err := a.run(func() error {
			return errors.Join(a.doc.Load(ctx, a), a.twin.Load(ctx, a))
		})
		cancel()
		if err == nil {
			k.owner, k.at = a, at
			k.loads++
			k.check(a, before, newest)
			return
		}
		a.leave()
		a.jobs.Wait()
	}
}

// nextFence grants a newer fence: a later epoch or, rarely, a new generation,
// whose epochs start over.
func (k *ownersKey) nextFence() {
	k.fence.Epoch += 1 + rand.Uint64N(3)
	if rand.IntN(8) == 0 {
		k.fence = orm.Fence{Generation: k.fence.Generation + 1, Epoch: 1}
	}
}

// check compares a load with what was known before it began.
func (k *ownersKey) check(a *ownersActor, before []int64, newest orm.Token) {
	t := k.world.t
	token := a.doc.Token()
	if token.Compare(newest) <= 0 {
		t.Errorf("owner %d: loaded token %v after %v (I3)", k.id, token, newest)
	}
	k.mu.Lock()
	if token.Compare(k.newest) > 0 {
		k.newest = token
	}
	k.mu.Unlock()
	have := make(map[int64]bool, len(a.doc.Data.Purchases))
	for _, number := range a.doc.Data.Purchases {
		if have[number] {
			t.Errorf("owner %d: purchase %d is there twice", k.id, number)
		}
		have[number] = true
	}
	for _, number := range before {
		if !have[number] {
			t.Errorf("owner %d: purchase %d was acknowledged and is gone; loaded %v by %v (I6)", k.id, number, token, a.fence)
		}
	}
	if n := int64(len(a.doc.Data.Purchases)); a.doc.Data.Count != n {
		t.Errorf("owner %d: %d purchases, the count is %d", k.id, n, a.doc.Data.Count)
	}
	// When one of the loads is forgotten, the owner may see two times at once;
	// nothing that it saves may come from that.
	key, _ := orm.Key(a.ref)
	_, torn := k.world.forgot.Load(forgotten(key, a.fence))
	if k.world.atomic && !torn && a.doc.Data.Count != a.twin.Data.Count {
		t.Errorf("owner %d: count %d, its twin's %d", k.id, a.doc.Data.Count, a.twin.Data.Count)
	}
}

// audit reads the document when all is over.
func (k *ownersKey) audit() {
	typ := k.world.types()[0]
	db, err := orm.Open(context.Background(), &lateStore{Store: k.world.store}, orm.Config{Types: []*orm.Type{typ}})
	if err != nil {
		k.world.t.Errorf("audit: %v", err)
		return
	}
	defer db.Close(context.Background()) // nothing is waiting
	key, _ := orm.Key(troupe.ID("owner", k.id))
	page, err := orm.Find[ownersData](context.Background(), db, orm.Limit(100))
	if err != nil {
		k.world.t.Errorf("audit: %v", err)
		return
	}
	i := slices.IndexFunc(page.Items, func(f orm.Found[ownersData]) bool { return f.Key == key })
	if i < 0 {
		k.world.t.Errorf("owner %d: no document (I6)", k.id)
		return
	}
	for number := range k.acked {
		if !slices.Contains(page.Items[i].Data.Purchases, number) {
			k.world.t.Errorf("owner %d: purchase %d was acknowledged and is not in the database (I6)", k.id, number)
		}
	}
}
