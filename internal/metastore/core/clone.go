// SPDX-License-Identifier: MIT

package core

import (
	"encoding/binary"
	"maps"
	"slices"
)

// Clone returns an independent copy, for searches and simulations. Cost: all
// records.
func (s *State) Clone() *State {
	c := &State{
		cluster: s.cluster, format: s.format, cursor: s.cursor,
		sessions: s.sessions.clone(), actors: s.actors.clone(), named: s.named.clone(), slots: s.slots.clone(),
		workers: s.workers.clone(), leases: s.leases.clone(), keys: s.keys.clone(), answers: s.answers.clone(),
		owned: maps.Clone(s.owned), deadHeld: s.deadHeld, requests: map[uint64][]uint64{},
		spent: map[spentKey]struct{}{}, hashes: s.hashes,
	}
	for k, v := range s.requests {
		c.requests[k] = slices.Clone(v)
	}
	c.applied.Store(s.applied.Load())
	c.generation.Store(s.generation.Load())
	c.kinds.Store(s.kinds.Load())
	return c
}

func (t *table[K, V]) clone() *table[K, V] {
	c := newTable(len(t.shards), t.hash)
	for i := range t.shards {
		c.shards[i].m = maps.Clone(t.shards[i].m)
	}
	c.count, c.sum = t.count, t.sum
	return c
}

// Clone returns an independent copy.
func (g *Grantor) Clone() *Grantor {
	c := *g
	c.timers, c.unseen, c.queue = maps.Clone(g.timers), maps.Clone(g.unseen), slices.Clone(g.queue)
	return &c
}

// Clone returns an independent copy.
func (h *Holder) Clone() *Holder {
	c := *h
	return &c
}

// Deadline returns when the grantor will propose the expiry of a session, and
// the renewal it saw last.
func (g *Grantor) Deadline(session uint64) (at int64, seq uint64, ok bool) {
	t, ok := g.timers[timerKey{session: session}]
	return t.deadline, t.seq, ok
}

// AppendKey appends what the holder's future depends on.
func (h *Holder) AppendKey(b []byte) []byte {
	for _, v := range []int64{h.deadline, h.sent, h.pendingT0, h.retryAt, h.lastTick, h.holdSince} {
		b = binary.AppendVarint(b, v)
	}
	b = uv(b, h.session, h.seq, h.pending.Seq)
	return appendBool(appendBool(appendBool(b, h.inFlight), h.holding), h.fenced)
}
