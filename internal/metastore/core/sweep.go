// SPDX-License-Identifier: MIT

package core

// sweep deletes a bounded number of records of dead sessions (R5). It goes
// through the shards of all owned tables in turn and treats a shard as a
// whole, so that the result does not depend on map order (R1).
func (s *State) sweep() {
	budget := sweepRecords
	for n := 0; n < sweepShards && budget > 0 && s.deadHeld > 0; n++ {
		budget -= s.sweepShard(int(s.cursor))
		s.cursor = (s.cursor + 1) % s.totalShards()
	}
}

func (s *State) totalShards() uint32 {
	return uint32(4*len(s.actors.shards) + len(s.slots.shards) + len(s.workers.shards))
}

func (s *State) sweepShard(i int) int {
	claimShards, smallShards := len(s.actors.shards), len(s.slots.shards)
	dead := func(session uint64) bool { return session != 0 && !s.alive(session) }
	deadClaim := func(c claim) bool { return dead(c.session) }
	if i < claimShards {
		return s.actors.sweepShard(i, deadClaim, func(_ intKey, c claim) (claim, bool) {
			s.disown(c.session)
			return c, false
		})
	}
	if i -= claimShards; i < claimShards {
		return s.named.sweepShard(i, deadClaim, func(_ nameKey, c claim) (claim, bool) {
			s.disown(c.session)
			return c, false
		})
	}
	if i -= claimShards; i < claimShards {
		return s.leases.sweepShard(i, func(l lease) bool { return dead(l.session) }, func(k textKey, l lease) (lease, bool) {
			s.disown(l.session)
			s.touchLease(string(k), l, true)
			return l, false
		})
	}
	if i -= claimShards; i < claimShards {
		return s.keys.sweepShard(i, func(e entry) bool { return dead(e.session) }, func(_ textKey, e entry) (entry, bool) {
			s.disown(e.session)
			return e, false
		})
	}
	if i -= claimShards; i < smallShards {
		return s.slots.sweepShard(i, deadClaim, func(_ intKey, c claim) (claim, bool) {
			s.disown(c.session)
			return c, false
		})
	}
	return s.workers.sweepShard(i-smallShards, func(w worker) bool { return dead(w.session) },
		func(_ workerKey, w worker) (worker, bool) {
			s.disown(w.session)
			w.session = 0 // the mark outlives the session
			return w, true
		})
}
