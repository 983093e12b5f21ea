// SPDX-License-Identifier: MIT

package coresim

import (
	"math/rand/v2"
	"slices"
	"strings"
)

// After the faults everything must answer within liveBound, once the leases of
// the dead have run out (I13).
const (
	quietTime = 2 * ttl
	liveBound = 3 * ttl
)

// Stats count what a run did.
type Stats struct {
	Faults, Events, Messages, Dropped          int
	Ops, Handled, Overlaps, Moves, Activations int
	Loads, Writes, Refused, ZombiesDropped     int
	Entries, Elections, Snapshots, Expired     int
	Fenced, StepDowns, GaveUp, NotAdmitted     int
	IDs, IDsRefused, LostNotes, OldGeneration  int
	Recoveries, IDsRepeated                    int
	OldestLost, Worst, Virtual                 int64
}

// Result is the outcome of a run.
type Result struct {
	Violations []string
	Digest     uint64 // of everything that happened
	Outcome    uint64 // of the documents at the end
	Trace      []string
	Stats      Stats
}

// Run runs a plan. With trace, Result.Trace is filled.
func Run(p Plan, trace bool) Result {
	w := newWorld(p, trace)
	for _, f := range p.Faults {
		w.after(nil, f.At, func() { w.inject(f) })
	}
	w.run(p.Length)
	w.heal()
	w.run(w.now + quietTime)
	w.settle()
	w.stats.Virtual = w.now
	return Result{w.check.violations, w.digest, w.outcome(), w.trace, w.stats}
}

func newWorld(p Plan, trace bool) *world {
	w := &world{plan: p, random: rand.New(rand.NewPCG(p.Seed, 0xc0)), verbose: trace, generation: 1}
	w.net.w = w
	w.check = newChecker(w)
	clocks := rand.New(rand.NewPCG(p.Seed, 0xc1))
	drift := func() clock { return clock{rate: clocks.Int64N(20_001) - 10_000, offset: clocks.Int64N(1000 * second)} }
	for i := range w.servers {
		w.servers[i] = newServer(w, i)
		w.servers[i].clock = drift()
	}
	for i := range w.nodes {
		w.nodes[i] = newNode(w, i)
		w.nodes[i].clock = drift()
	}
	w.store = &store{process: &process{w: w, place: storeAt}}
	w.gateway = &gateway{process: &process{w: w, place: gatewayAt}}
	w.store.begin()
	w.gateway.begin()
	for _, s := range w.servers {
		s.boot()
	}
	for _, n := range w.nodes {
		n.boot()
	}
	for i := range clients {
		c := &client{process: &process{w: w, place: clientsAt}, number: i}
		c.begin()
		w.users = append(w.users, c)
		w.after(c.process, second+w.random.Int64N(second), c.work)
	}
	return w
}

// settle is I13 and I14: with all faults over, everything answers.
func (w *world) settle() {
	for _, c := range w.users {
		c.quiet = true
	}
	open := 0
	last := &client{process: &process{w: w, place: clientsAt}, number: clients}
	last.begin()
	for e := range entities {
		for i, kind := range []opKind{opWrite, opRead} {
			open++
			last.do(&operation{id: int64(clients+1)<<32 | int64(2*e+i), entity: e, kind: kind}, func() { open-- })
		}
	}
	w.run(w.now + liveBound)
	if w.check.failed() {
		return
	}
	if open > 0 {
		w.check.fail("I13: %d of %d last operations have no answer %v s after the last fault", open, 2*entities, (quietTime+liveBound)/second)
	}
	leader := slices.IndexFunc(w.servers[:], func(s *server) bool { return s.role == leading })
	if leader < 0 {
		w.check.fail("I13: no voter leads")
		return
	}
	for k := range slots {
		o, ok := w.servers[leader].state.LookupSlot("slot", uint32(k))
		if !ok {
			w.check.fail("I14: slot %d has no owner", k)
			continue
		}
		owners := 0
		for _, n := range w.nodes {
			if epoch, have := n.slots[k]; have && n.h.Session() == o.Session && epoch == o.Epoch {
				owners++
			}
		}
		if owners != 1 {
			w.check.fail("I14: slot %d belongs to session %d, %d nodes serve it", k, o.Session, owners)
		}
	}
	w.documents()
}

// documents is I10 and I6 for what the store holds at the end.
func (w *world) documents() {
	for e, r := range w.store.rows {
		w.check.keeps(e, r.data, "the end")
		seen := make(map[int64]bool, len(r.data))
		for _, id := range r.data {
			if seen[id] {
				w.check.fail("I10: entity/%d applied %#x twice", e, id)
			}
			seen[id] = true
		}
	}
}

// outcome is a hash of all documents.
func (w *world) outcome() uint64 {
	h := uint64(1)
	for _, r := range w.store.rows {
		for _, id := range r.data {
			h = mixed(h, uint64(id))
		}
	}
	return h
}

// Shrink drops faults while the run still violates something, for at most
// tries runs.
func Shrink(p Plan, tries int) (Plan, Result) {
	result := Run(p, false)
	for size := (len(p.Faults) + 1) / 2; size > 0 && tries > 0; size /= 2 {
		for i := 0; i < len(p.Faults) && tries > 0; tries-- {
			less := p
			less.Faults = slices.Delete(slices.Clone(p.Faults), i, min(i+size, len(p.Faults)))
			if again := Run(less, false); same(again.Violations, result.Violations) {
				p, result = less, again
			} else {
				i += size
			}
		}
	}
	return p, Run(p, true)
}

// same reports whether two runs violate the same invariant.
func same(a, b []string) bool {
	if len(a) == 0 || len(b) == 0 {
		return false
	}
	x, _, _ := strings.Cut(a[0], ":")
	y, _, _ := strings.Cut(b[0], ":")
	return x == y
}
