// SPDX-License-Identifier: MIT

package coresim

import (
	"fmt"
	"slices"

	"github.com/troupe-go/troupe/internal/metastore/core"
	"github.com/troupe-go/troupe/orm"
)

// checker sees everything at the moment it happens, in world time.
type checker struct {
	w          *world
	violations []string

	// From the log, in order, as the first voter applies it.
	index  uint64
	hashes map[uint64]uint64
	claims map[core.ID]claim
	newest map[core.ID]uint64 // epoch
	alive  map[uint64]string  // session -> node
	lapsed map[uint64]bool    // sessions that were expired

	docs   [entities]history
	ids    map[int64]minter
	pushes [entities]orm.Fence
}

type claim struct{ session, epoch uint64 }

// history is what is known of a document.
type history struct {
	token   orm.Token // newest accepted
	known   []int64   // operations by position, 0 where nobody was told
	version int       // newest version that was answered
	notes   []noted   // acknowledged, not yet seen durable
}

type noted struct {
	id       int64
	position int
	fence    orm.Fence
	at       int64
}

func newChecker(w *world) *checker {
	return &checker{
		w: w, hashes: make(map[uint64]uint64), claims: make(map[core.ID]claim), newest: make(map[core.ID]uint64),
		alive: make(map[uint64]string), lapsed: make(map[uint64]bool), ids: make(map[int64]minter),
	}
}

func (c *checker) failed() bool { return len(c.violations) > 0 }

func (c *checker) fail(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	c.violations = append(c.violations, text)
	if c.w.verbose {
		c.w.trace = append(c.w.trace, fmt.Sprintf("%10.3fs VIOLATION %s", float64(c.w.now)/1e9, text))
	}
}

// recovered starts over from the state that survived the loss of the quorum:
// log indexes may repeat in a new generation.
func (c *checker) recovered(state *core.State) {
	c.index = state.Applied()
	clear(c.hashes)
	clear(c.claims)
	clear(c.newest)
	clear(c.alive)
	clear(c.lapsed)
	for _, s := range state.Sessions() {
		c.alive[s.Epoch] = s.Node
		for _, it := range state.ClaimsOf(s.Epoch) {
			c.claims[it.ID] = claim{s.Epoch, it.Epoch}
			c.newest[it.ID] = it.Epoch
		}
	}
}

// truncated is Raft's own promise: what is committed stays. The simulated Raft
// must keep it, or nothing else is worth checking.
func (c *checker) truncated(s *server, index uint64) {
	if index <= s.commit {
		c.fail("raft: voter %d replaces committed entry %d", s.number, index)
	}
}

// applied is I12, and I1 and I4 for entries that nobody applied before.
func (c *checker) applied(s *server, index uint64, data []byte, results []core.Result) {
	hash := s.state.Hash()
	if have, ok := c.hashes[index]; ok && have != hash {
		c.fail("I12: voter %d has hash %016x at index %d, another had %016x", s.number, hash, index, have)
	}
	c.hashes[index] = hash
	if index <= c.index || data == nil {
		return
	}
	c.index = index
	c.w.stats.Entries++
	c.w.note("apply", index, hash, uint64(len(data)))
	cmds, err := core.DecodeEntry(data)
	if err != nil {
		c.fail("I12: entry %d: %v", index, err)
		return
	}
	for i, cmd := range cmds {
		c.replay(index, cmd, results[i])
	}
}

func (c *checker) replay(index uint64, cmd core.Command, res core.Result) {
	switch x := cmd.(type) {
	case core.OpenSession:
		if res.Code == core.CodeOK && res.Epoch == index {
			for s, node := range c.alive {
				if node == x.Node {
					delete(c.alive, s)
				}
			}
			c.alive[index] = x.Node
		}
	case core.CloseSession:
		delete(c.alive, x.Session)
	case core.ExpireSession:
		if res.Code == core.CodeOK {
			delete(c.alive, x.Session)
			c.lapsed[x.Session] = true
			c.w.stats.Expired++
		}
	case core.ClaimBatch:
		for i, id := range x.IDs {
			if out := res.Items[i]; out.Code == core.CodeOK {
				c.claimed(index, id, x.Session, out.Epoch)
			}
		}
	case core.ReleaseBatch:
		for i, it := range x.Items {
			if res.Items[i].Code == core.CodeOK {
				delete(c.claims, it.ID)
			}
		}
	case core.TransferBatch:
		for i, it := range x.Items {
			if out := res.Items[i]; out.Code == core.CodeOK && x.To != x.Session {
				c.grows(it.ID, out.Epoch)
				c.claims[it.ID] = claim{x.To, out.Epoch}
				c.w.stats.Moves++
			}
		}
	}
}

// claimed is I1, and the grantor's side of I4.
func (c *checker) claimed(index uint64, id core.ID, session, epoch uint64) {
	prev, had := c.claims[id]
	if had && prev.session == session && prev.epoch == epoch {
		return // a repetition
	}
	if had && c.alive[prev.session] != "" {
		c.fail("I1: %v claimed at %d by session %d, while session %d has it since %d and lives", id, index, session, prev.session, prev.epoch)
	}
	c.grows(id, epoch)
	c.claims[id] = claim{session, epoch}
	c.w.stats.Moves++
	if !had || !c.lapsed[prev.session] {
		return
	}
	for _, n := range c.w.nodes {
		if n.up && n.h.Session() == prev.session && n.gate() != core.GateFenced && !n.clock.broken {
			c.fail("I4: %v granted at %d although session %d of node %d was expired with its gate %v, %.3fs before its deadline",
				id, index, prev.session, n.number, n.gate(), float64(n.h.Deadline()-n.local())/1e9)
		}
	}
}

func (c *checker) grows(id core.ID, epoch uint64) {
	if epoch <= c.newest[id] {
		c.fail("I1: %v has epoch %d after epoch %d", id, epoch, c.newest[id])
	}
	c.newest[id] = epoch
}

// handles is the gate's side of I4: no handler of an epoch begins after a newer
// one was granted.
func (c *checker) handles(a *activation) {
	c.w.stats.Handled++
	have, ok := c.claims[entityID(a.entity)]
	if ok && have.session == a.session && have.epoch == a.fence.Epoch {
		return
	}
	if a.n.clock.broken {
		c.w.stats.Overlaps++
		return
	}
	if a.fence.Generation != c.w.generation {
		c.fail("I17: node %d handles entity/%d under generation %d, it is %d", a.n.number, a.entity, a.fence.Generation, c.w.generation)
	}
	if !ok || have.epoch < a.fence.Epoch || have.session != a.session && have.epoch == a.fence.Epoch {
		c.fail("I1: node %d handles entity/%d under epoch %d, which no entry has granted to its session %d", a.n.number, a.entity, a.fence.Epoch, a.session)
	} else {
		c.fail("I4: node %d handles entity/%d under epoch %d, epoch %d was granted to session %d", a.n.number, a.entity, a.fence.Epoch, have.epoch, have.session)
	}
}

// loaded is I2, I3 and I6 for a load, and I7 for what it did not find.
func (c *checker) loaded(e int, fence orm.Fence, r row) {
	d := &c.docs[e]
	again := r.token == d.token && c.w.plan.Rules.NoFenceOnLoad
	if r.token.Compare(d.token) <= 0 && !again || r.token.Fence() != fence {
		c.fail("I3: load of entity/%d installed token %v after %v", e, r.token, d.token)
	}
	d.token = r.token
	c.keeps(e, r.data, "a load")
	firstLost := -1
	for i, n := range d.notes {
		kept := n.position < len(r.data) && r.data[n.position] == n.id
		switch {
		case !kept:
			c.w.stats.LostNotes++
			c.w.stats.OldestLost = max(c.w.stats.OldestLost, c.w.now-n.at)
			if firstLost < 0 {
				firstLost = i
			}
		case firstLost >= 0 && d.notes[firstLost].fence == n.fence:
			c.fail("I7: entity/%d lost note %d of epoch %d but kept note %d", e, d.notes[firstLost].position, n.fence.Epoch, n.position)
		}
	}
	d.notes = d.notes[:0]
}

// saved is I2, I3 and I6 for a write.
func (c *checker) saved(e int, token orm.Token, data []int64) {
	d := &c.docs[e]
	if token.Compare(d.token) <= 0 {
		c.fail("I3: write of entity/%d with token %v accepted after %v", e, token, d.token)
	}
	if c.w.recoveredAt > 0 && token.Generation < c.w.generation {
		c.w.stats.OldGeneration++
	}
	d.token = token
	c.keeps(e, data, "a write")
	d.notes = slices.DeleteFunc(d.notes, func(n noted) bool {
		return n.position < len(data) && data[n.position] == n.id
	})
}

// keeps is I6: what was answered is in every later version, at its place.
func (c *checker) keeps(e int, data []int64, what string) {
	known := c.docs[e].known
	for i, id := range known {
		if id != 0 && (i >= len(data) || data[i] != id) {
			c.fail("I6: %s of entity/%d lost operation %#x at position %d, which was acknowledged", what, e, id, i)
			return
		}
	}
}

func (c *checker) noted(a *activation, id int64, position int) {
	d := &c.docs[a.entity]
	for _, n := range d.notes {
		if n.id == id {
			return
		}
	}
	if data := c.w.store.rows[a.entity].data; position < len(data) && data[position] == id {
		return // a repetition of one that is durable
	}
	d.notes = append(d.notes, noted{id, position, a.fence, c.w.now})
}

// leaves is I7 for an activation that ends in good order: it loses nothing.
func (c *checker) leaves(a *activation) {
	for _, n := range c.docs[a.entity].notes {
		if n.fence == a.fence {
			c.fail("I7: entity/%d left node %d before note %d of epoch %d was durable", a.entity, a.n.number, n.position, n.fence.Epoch)
			return
		}
	}
}

// minter is who minted an id, and in which generation its number was leased.
type minter struct {
	node       int
	generation uint64
}

// minted is I9. A recovery that lost committed marks may give a number away
// whose last owner still mints ahead of the clock; those ids are counted.
func (c *checker) minted(by minter, id int64) {
	c.w.stats.IDs++
	first, ok := c.ids[id]
	switch {
	case ok && first.generation != by.generation:
		c.w.stats.IDsRepeated++
	case ok:
		c.fail("I9: id %d minted by node %d and by node %d", id, first.node, by.node)
	}
	c.ids[id] = by
}

// pushed is I2 at the gateway.
func (c *checker) pushed(e int, fence orm.Fence) {
	if less(fence, c.pushes[e]) {
		c.fail("I2: the gateway passed on entity/%d of %v after %v", e, fence, c.pushes[e])
		return
	}
	c.pushes[e] = fence
}

func (c *checker) begins(op *operation) { op.floor = c.docs[op.entity].version }

// answered is I5 for append-only lists: every operation has one place, agreed
// by all answers, behind everything that was answered before it began. That is
// a linearization.
func (c *checker) answered(op *operation, list []int64, position int) {
	c.w.stats.Ops++
	c.w.stats.Worst = max(c.w.stats.Worst, c.w.now-op.begin)
	if op.kind == opNote {
		return
	}
	d := &c.docs[op.entity]
	version := position
	if op.kind == opWrite {
		version++
		if list[position] != op.id {
			c.fail("I5: entity/%d answered %#x with a list that has %#x at its place", op.entity, op.id, list[position])
		}
	}
	if version < op.floor || version == op.floor && op.kind == opWrite {
		c.fail("I5: entity/%d answered %#x with version %d; version %d was answered before it began", op.entity, op.id, version, op.floor)
	}
	for i, id := range list {
		switch {
		case i >= len(d.known):
			d.known = append(d.known, id)
		case d.known[i] != id:
			c.fail("I5: entity/%d has %#x at position %d in one answer and %#x in another", op.entity, id, i, d.known[i])
			return
		}
	}
	d.version = max(d.version, version)
}
