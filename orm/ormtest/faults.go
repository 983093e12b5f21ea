// SPDX-License-Identifier: MIT

package ormtest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/orm"
)

// faultLedger and faultTwin are two documents of one owner that must agree.
type faultLedger struct {
	Count int64 `orm:"index"`
	Trail []int64
}

type faultTwin struct{ Count int64 }

// faultClerk counts, durably.
type faultClerk struct {
	troupe.Actor
	doc  orm.Doc[faultLedger]
	twin orm.Doc[faultTwin]
}

// OnActivate loads both documents.
func (c *faultClerk) OnActivate(ctx context.Context) error {
	return errors.Join(c.doc.Load(ctx, c), c.twin.Load(ctx, c))
}

// Add counts one up and returns when it is durable.
func (c *faultClerk) Add(ctx context.Context) (int64, error) {
	c.doc.Data.Count++
	c.twin.Data.Count++
	c.doc.Data.Trail = append(c.doc.Data.Trail, c.doc.Data.Count)
	return c.doc.Data.Count, c.doc.Save(ctx)
}

// RunFaults drives actors against a server behind a Proxy that breaks, and
// checks that no acknowledged save is lost, that counts never go back, and that
// documents saved together stay together. target is the server's "host:port";
// open returns a store that connects to addr, with the same tables every time.
func RunFaults(t *testing.T, target string, open func(t *testing.T, addr string) orm.Store) {
	proxy := NewProxy(t, target)
	f := startFaults(t, open(t, proxy.Addr()))
	direct := open(t, target)
	if err := direct.Migrate(t.Context(), tablesOf(f.types())); err != nil {
		t.Fatal(err)
	}
	f.run(faultEvery, func() { f.breakProxy(proxy, direct) }, func() {
		proxy.Delay(0)
		proxy.Down(false)
	})
	f.stop()
	f.check(direct)
}

// RunCrashes drives actors against a server that crash kills and starts again,
// and checks the same as RunFaults. crash returns when the server answers; it
// is called several times. open returns a store with the same tables every time.
func RunCrashes(t *testing.T, open func(t *testing.T) orm.Store, crash func()) {
	f := startFaults(t, open(t))
	f.run(crashEvery, crash, func() {})
	f.stop()
	f.check(open(t))
}

// startFaults starts a node with clerks over store.
func startFaults(t *testing.T, store orm.Store) *faults {
	name := "f_" + randomName()
	f := &faults{t: t, acked: make(map[int64]int64)}
	f.types = func() []*orm.Type {
		return []*orm.Type{orm.Document[faultLedger](name), orm.Document[faultTwin](name + "_twin")}
	}
	var err error
	f.db, err = orm.Open(t.Context(), store, orm.Config{
		Types: f.types(), FlushEvery: 20 * time.Millisecond, SaveTimeout: time.Second,
		RetryMin: time.Millisecond, RetryMax: 20 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	if f.node, err = troupe.New(troupe.Config{Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	troupe.Provide(f.node, f.db)
	if err := errors.Join(f.node.Register(troupe.Virtual[faultClerk]("clerk")), f.node.Start(t.Context())); err != nil {
		t.Fatal(err)
	}
	return f
}

// stop ends the node in order.
func (f *faults) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := errors.Join(f.node.Stop(ctx), f.db.Close(ctx)); err != nil {
		f.t.Errorf("stop: %v", err)
	}
	f.t.Logf("%d saves acknowledged, %d failed, %d faults; %+v", f.acks, f.fails, f.injected, f.db.Stats())
}

func tablesOf(types []*orm.Type) []*orm.Table {
	var tables []*orm.Table
	for _, typ := range types {
		tables = append(tables, typ.Table())
	}
	return tables
}

type faults struct {
	t     *testing.T
	node  *troupe.Node
	db    *orm.DB
	types func() []*orm.Type

	mu       sync.Mutex
	acked    map[int64]int64
	acks     int
	fails    int
	injected int
}

const (
	faultClerks = 8
	faultTime   = 4 * time.Second
	faultEvery  = 40 * time.Millisecond
	crashEvery  = 700 * time.Millisecond
)

// run lets clerks count while inject is called again and again; mend puts an
// end to what was injected.
func (f *faults) run(every time.Duration, inject, mend func()) {
	ctx, cancel := context.WithTimeout(f.t.Context(), faultTime)
	defer cancel()
	var wg sync.WaitGroup
	for id := range int64(faultClerks) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for ctx.Err() == nil {
				f.add(id)
			}
		}()
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for ctx.Err() == nil {
		<-tick.C
		f.injected++
		inject()
	}
	mend()
	wg.Wait()
}

// breakProxy breaks the connections in one of many ways.
func (f *faults) breakProxy(proxy *Proxy, direct orm.Store) {
	proxy.Delay(0)
	proxy.Down(false)
	switch rand.IntN(6) {
	case 0:
		proxy.Cut()
	case 1:
		proxy.Down(true)
	case 2:
		proxy.Delay(30 * time.Millisecond)
	case 3, 4:
		proxy.Swallow(1 + rand.IntN(6))
	case 5: // another owner takes a clerk's document over
		key := fmt.Sprintf("clerk/%d", rand.IntN(faultClerks))
		if _, err := direct.LoadFence(f.t.Context(), f.types()[0].Table(), key, orm.Fence{}); err != nil {
			f.t.Errorf("take over %s: %v", key, err)
		}
	}
}

func (f *faults) add(id int64) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	var count int64
	err := f.node.Call(ctx, troupe.ID("clerk", id), "Add", &count)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		f.fails++
		return
	}
	f.acks++
	if count <= f.acked[id] {
		f.t.Errorf("clerk %d: %d acknowledged after %d", id, count, f.acked[id])
	}
	f.acked[id] = count
}

// check reads what is there when all is over.
func (f *faults) check(store orm.Store) {
	db, err := orm.Open(f.t.Context(), store, orm.Config{Types: f.types()})
	if err != nil {
		f.t.Fatal(err)
	}
	defer db.Close(context.Background()) // nothing is waiting
	ledgers, err := orm.Find[faultLedger](f.t.Context(), db)
	if err != nil {
		f.t.Fatal(err)
	}
	twins, err := orm.Find[faultTwin](f.t.Context(), db)
	if err != nil {
		f.t.Fatal(err)
	}
	counts := make(map[string]int64)
	for _, item := range twins.Items {
		counts[item.Key] = item.Data.Count
	}
	for _, item := range ledgers.Items {
		l := item.Data
		if l.Count != counts[item.Key] {
			f.t.Errorf("%s: ledger has %d, its twin %d", item.Key, l.Count, counts[item.Key])
		}
		for i, n := range l.Trail {
			if n != int64(i+1) {
				f.t.Errorf("%s: step %d of the trail is %d", item.Key, i, n)
				break
			}
		}
	}
	for id, count := range f.acked {
		if have := counts[fmt.Sprintf("clerk/%d", id)]; have < count {
			f.t.Errorf("clerk %d: %d in the database, %d was acknowledged", id, have, count)
		}
	}
	if f.acks == 0 {
		f.t.Error("nothing was acknowledged: the test proves nothing")
	}
}
