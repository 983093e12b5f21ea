// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// The bank's accounts are entities of their own. A transfer is a debit and a
// credit under one number, each an append that is done once; whoever sends them
// repeats each until it is answered.
const (
	accounts    = 12
	accountBase = 1000
	stormBase   = 100_000
	tellers     = 4
	minters     = 3
	stormOps    = 600
	transferBit = int64(1) << 50
)

type transfer struct {
	id       int64
	from, to int
	amount   int
}

func (t transfer) debit() int64  { return transferBit | t.id<<1 }
func (t transfer) credit() int64 { return transferBit | t.id<<1 | 1 }

// teller makes transfers until ctx ends, and finishes its last one.
func (w *workload) teller(ctx, last context.Context, number int) {
	rng := rand.New(rand.NewPCG(w.seed, uint64(500+number)))
	for n := int64(1); ctx.Err() == nil; n++ {
		t := transfer{id: int64(number+1)<<32 | n, from: rng.IntN(accounts), amount: 1 + rng.IntN(9)}
		t.to = (t.from + 1 + rng.IntN(accounts-1)) % accounts
		w.mu.Lock()
		w.transfers = append(w.transfers, t)
		w.mu.Unlock()
		if !w.repeat(last, rng, accountBase+t.from, t.debit()) || !w.repeat(last, rng, accountBase+t.to, t.credit()) {
			w.violate(fmt.Errorf("I13: transfer %#x was never answered", t.id))
			return
		}
		pause(ctx, time.Duration(rng.IntN(60))*time.Millisecond)
	}
}

// repeat appends id to an entity until that is answered.
func (w *workload) repeat(ctx context.Context, rng *rand.Rand, entity int, id int64) bool {
	op := &operation{Entity: entity, ID: id}
	for ctx.Err() == nil {
		if _, err := w.call(ctx, rng.IntN(nodes), op); err == nil {
			w.others.Add(1)
			return true
		}
		pause(ctx, time.Duration(20+rng.IntN(80))*time.Millisecond)
	}
	return false
}

// bank is I8 and I10: every transfer has both legs once, so the total is what
// it was.
func (w *workload) bank(ctx context.Context, s *Summary) {
	rng := rand.New(rand.NewPCG(w.seed, 0xba))
	have := make(map[int64]int)
	for a := range accounts {
		op := &operation{Entity: accountBase + a, Read: true}
		for {
			p, err := w.call(ctx, rng.IntN(nodes), op)
			if err == nil {
				for _, id := range p.Ops {
					have[id]++
				}
				break
			}
			if ctx.Err() != nil {
				s.Violations = append(s.Violations, fmt.Sprintf("I13: account %d does not answer", a))
				return
			}
			pause(ctx, 50*time.Millisecond)
		}
	}
	s.Transfers = len(w.transfers)
	total := 0
	for _, t := range w.transfers {
		d, c := have[t.debit()], have[t.credit()]
		if d != 1 || c != 1 {
			s.Violations = append(s.Violations, fmt.Sprintf("I8: transfer %#x has %d debits and %d credits", t.id, d, c))
		}
		total += (c - d) * t.amount
	}
	if total != 0 {
		s.Violations = append(s.Violations, fmt.Sprintf("I8: the total changed by %d", total))
	}
}

// minter collects ids from all nodes (I9).
func (w *workload) minter(ctx context.Context, number int) {
	rng := rand.New(rand.NewPCG(w.seed, uint64(700+number)))
	for ctx.Err() == nil {
		var id int64
		resp, err := w.c.client.Post("http://"+w.c.http(rng.IntN(nodes))+"/id", "", nil)
		if err == nil {
			if resp.StatusCode == http.StatusOK && json.NewDecoder(resp.Body).Decode(&id) == nil {
				w.mu.Lock()
				w.ids = append(w.ids, id)
				w.mu.Unlock()
			}
			_ = resp.Body.Close()
		}
		pause(ctx, time.Duration(5+rng.IntN(15))*time.Millisecond)
	}
}

func (w *workload) uniqueIDs(s *Summary) {
	slices.Sort(w.ids)
	s.IDs = len(w.ids)
	for i := 1; i < len(w.ids); i++ {
		if w.ids[i] == w.ids[i-1] {
			s.Violations = append(s.Violations, fmt.Sprintf("I9: id %d was given twice", w.ids[i]))
		}
	}
}

// storm is F15: many entities that nobody has are wanted at once.
func (w *workload) storm(rng *rand.Rand) {
	ctx, cancel := context.WithTimeout(context.Background(), settleFor)
	defer cancel()
	base := stormBase + rng.IntN(1<<30)
	var next, lost atomic.Int64
	var users sync.WaitGroup
	for i := range 32 {
		mine := rand.New(rand.NewPCG(w.seed, uint64(base+i)))
		users.Go(func() {
			for n := next.Add(1); n <= stormOps; n = next.Add(1) {
				if !w.repeat(ctx, mine, base+int(n), 1) {
					lost.Add(1)
				}
			}
		})
	}
	users.Wait()
	if n := lost.Load(); n > 0 {
		w.violate(fmt.Errorf("I13: %d of %d new entities of a login storm have no answer %v later", n, stormOps, settleFor))
	}
}
