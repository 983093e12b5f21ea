// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	entities = 32
	clients  = 24
	// settleFor is how long after the last fault every entity must answer.
	settleFor = 20 * time.Second
)

// placed is a server's answer.
type placed struct {
	Position int     `json:"position"`
	Epoch    uint64  `json:"epoch"`
	Node     string  `json:"node"`
	Ops      []int64 `json:"ops"`
}

// operation is an append or a read, with all its tries. End is 0 while its
// outcome is unknown.
type operation struct {
	Entity     int
	Client     int
	Read       bool
	ID         int64
	Start, End time.Duration
	placed
}

// workload is the clients, and what they saw.
type workload struct {
	c     *cluster
	seed  uint64
	begin time.Time

	mu     sync.Mutex
	ops    []*operation
	faults []fault
	failed int // tries without an answer
	stuck  []int
	stops  []stopped
	exits  int      // nodes that ended by themselves after the last fault
	found  []string // violations that a fault itself has found

	db        dbStats
	transfers []transfer
	ids       []int64
	others    atomic.Int64 // answered operations of the other workloads
}

func newWorkload(c *cluster, seed uint64) *workload {
	return &workload{c: c, seed: seed, begin: time.Now()}
}

func (w *workload) now() time.Duration { return time.Since(w.begin) }

// run torments the cluster under load, heals it, and reads every entity.
func (w *workload) run(ctx context.Context, o options) {
	work, stop := context.WithCancel(ctx)
	last, finish := context.WithCancel(ctx)
	defer finish()
	var users sync.WaitGroup
	for i := range clients {
		users.Go(func() { w.client(work, i) })
	}
	for i := range tellers {
		users.Go(func() { w.teller(work, last, i) })
	}
	for i := range minters {
		users.Go(func() { w.minter(work, i) })
	}
	trouble, end := context.WithTimeout(ctx, o.duration)
	w.torment(trouble, o)
	end()
	alive, dead := context.WithCancel(ctx)
	var keeper sync.WaitGroup
	keeper.Go(func() { w.keep(alive) })
	defer keeper.Wait()
	defer dead()
	pause(ctx, 2*ttl)
	stop()
	time.AfterFunc(settleFor, finish)
	users.Wait()
	w.settle(ctx)
}

func (w *workload) client(ctx context.Context, number int) {
	rng := rand.New(rand.NewPCG(w.seed, uint64(number)))
	for seq := int64(1); ctx.Err() == nil; seq++ {
		op := &operation{Entity: rng.IntN(entities), Client: number, Read: rng.IntN(3) == 0, ID: int64(number)<<32 | seq}
		w.do(ctx, rng, op)
		pause(ctx, time.Duration(rng.IntN(20))*time.Millisecond)
	}
}

// do repeats op under its own number until it is answered or ctx ends.
func (w *workload) do(ctx context.Context, rng *rand.Rand, op *operation) bool {
	op.Start = w.now()
	w.mu.Lock()
	w.ops = append(w.ops, op)
	w.mu.Unlock()
	for ctx.Err() == nil {
		p, err := w.call(ctx, rng.IntN(nodes), op)
		w.mu.Lock()
		if err == nil {
			op.placed, op.End = p, w.now()
			w.mu.Unlock()
			return true
		}
		w.failed++
		w.mu.Unlock()
		pause(ctx, time.Duration(20+rng.IntN(80))*time.Millisecond)
	}
	return false
}

func (w *workload) call(ctx context.Context, node int, op *operation) (placed, error) {
	method := "Append"
	if op.Read {
		method = "Read"
	}
	url := fmt.Sprintf("http://%s/call/%s/%d/%d", w.c.http(node), method, op.Entity, op.ID)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
	if err != nil {
		return placed{}, err
	}
	resp, err := w.c.client.Do(req)
	if err != nil {
		return placed{}, err
	}
	defer resp.Body.Close()
	var p placed
	if resp.StatusCode != http.StatusOK {
		return p, fmt.Errorf("status %d", resp.StatusCode)
	}
	return p, json.NewDecoder(resp.Body).Decode(&p)
}

// keep starts nodes again that end by themselves after the last fault, as a
// supervisor would.
func (w *workload) keep(ctx context.Context) {
	for ctx.Err() == nil {
		for i := range nodes {
			if w.c.revive(ctx, i) {
				w.mu.Lock()
				w.exits++
				w.mu.Unlock()
			}
		}
		pause(ctx, 200*time.Millisecond)
	}
}

// settle is I13: after the last fault everything answers. Its reads are the
// last word on what is durable.
func (w *workload) settle(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, settleFor)
	defer cancel()
	rng := rand.New(rand.NewPCG(w.seed, 0x5e771e))
	for e := range entities {
		if !w.do(ctx, rng, &operation{Entity: e, Client: clients, Read: true}) {
			w.stuck = append(w.stuck, e)
		}
	}
}
