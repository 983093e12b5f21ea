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
	name := "f_" + randomName()
	types := func() []*orm.Type {
		return []*orm.Type{orm.Document[faultLedger](name), orm.Document[faultTwin](name + "_twin")}
	}
	db, err := orm.Open(t.Context(), open(t, proxy.Addr()), orm.Config{
		Types: types(), FlushEvery: 20 * time.Millisecond, SaveTimeout: time.Second,
		RetryMin: time.Millisecond, RetryMax: 20 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	node, err := troupe.New(troupe.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	troupe.Provide(node, db)
	if err := errors.Join(node.Register(troupe.Virtual[faultClerk]("clerk")), node.Start(t.Context())); err != nil {
		t.Fatal(err)
	}
	direct := open(t, target)
	if err := direct.Migrate(t.Context(), tablesOf(types())); err != nil {
		t.Fatal(err)
	}
	f := &faults{t: t, proxy: proxy, node: node, direct: direct, table: types()[0].Table(), acked: make(map[int64]int64)}
	f.run()
	proxy.Delay(0)
	proxy.Down(false)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := errors.Join(node.Stop(ctx), db.Close(ctx)); err != nil {
		t.Errorf("stop: %v", err)
	}
	f.check(types())
	t.Logf("%d saves acknowledged, %d failed, %d faults; %+v", f.acks, f.fails, f.injected, db.Stats())
}

func tablesOf(types []*orm.Type) []*orm.Table {
	var tables []*orm.Table
	for _, typ := range types {
		tables = append(tables, typ.Table())
	}
	return tables
}

type faults struct {
	t      *testing.T
	proxy  *Proxy
	node   *troupe.Node
	direct orm.Store
	table  *orm.Table

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
)

// run lets clerks count while faults are injected.
func (f *faults) run() {
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
	tick := time.NewTicker(faultEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		<-tick.C
		f.inject()
	}
	f.proxy.Down(false)
	wg.Wait()
}

func (f *faults) inject() {
	f.injected++
	f.proxy.Delay(0)
	f.proxy.Down(false)
	switch rand.IntN(6) {
	case 0:
		f.proxy.Cut()
	case 1:
		f.proxy.Down(true)
	case 2:
		f.proxy.Delay(30 * time.Millisecond)
	case 3, 4:
		f.proxy.Swallow(1 + rand.IntN(6))
	case 5: // another owner takes a clerk's document over
		key := fmt.Sprintf("clerk/%d", rand.IntN(faultClerks))
		if _, err := f.direct.LoadFence(f.t.Context(), f.table, key, orm.Fence{}); err != nil {
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

func (f *faults) check(types []*orm.Type) {
	db, err := orm.Open(f.t.Context(), f.direct, orm.Config{Types: types})
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
