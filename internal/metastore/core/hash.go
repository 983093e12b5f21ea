// SPDX-License-Identifier: MIT

package core

// Tags separate the tables in the state hash, the snapshot and the set of
// spent epochs. They are part of the snapshot format: append, never renumber.
const (
	tagEnd = iota
	tagKind
	tagSession
	tagActor
	tagNamed
	tagSlot
	tagWorker
	tagLease
	tagKey
	tagAnswer
)

// Hash returns the hash of the whole state at the applied index (R8). It is
// O(1): every table keeps a running sum of the hashes of its records.
func (s *State) Hash() uint64 {
	h := mix(s.applied.Load(), s.generation.Load())
	h = mix(h, uint64(s.format))
	h = hashString(h, string(s.cluster[:]))
	h = mix(h, uint64(s.cursor))
	for i, k := range s.kinds.Load().name {
		h = hashString(h^uint64(i), k)
	}
	for _, sum := range []uint64{
		s.sessions.sum, s.actors.sum, s.named.sum, s.slots.sum,
		s.workers.sum, s.leases.sum, s.keys.sum, s.answers.sum,
	} {
		h = mix(h, sum)
	}
	return h
}

func hashSession(_ numKey, v *Session) uint64 {
	var buf [512]byte
	return hashBytes(tagSession, v.append(buf[:0]))
}

func hashBytes(h uint64, b []byte) uint64 {
	for len(b) >= 8 {
		h = mix(h, uint64(b[0])|uint64(b[1])<<8|uint64(b[2])<<16|uint64(b[3])<<24|
			uint64(b[4])<<32|uint64(b[5])<<40|uint64(b[6])<<48|uint64(b[7])<<56)
		b = b[8:]
	}
	var tail uint64
	for i, c := range b {
		tail |= uint64(c) << (8 * i)
	}
	return mix(h, tail^uint64(len(b))<<56)
}

func hashIntClaim(tag uint64) func(intKey, claim) uint64 {
	return func(k intKey, c claim) uint64 {
		return mix(mix(tag<<32|uint64(k.kind), uint64(k.key)), mix(c.session, c.epoch))
	}
}

func hashNamedClaim(k nameKey, c claim) uint64 {
	return mix(hashString(tagNamed<<32|uint64(k.kind), k.name), mix(c.session, c.epoch))
}

func hashWorker(k workerKey, w worker) uint64 {
	h := hashString(tagWorker<<32|uint64(k.number), k.pool)
	return mix(mix(h, uint64(w.mark)), mix(w.session, w.epoch))
}

func hashLease(k textKey, l lease) uint64 {
	h := mix(hashString(tagLease, string(k)), mix(l.session, l.epoch))
	return mix(h, mix(l.seq, uint64(l.ttl)))
}

func hashEntry(k textKey, e entry) uint64 {
	h := mix(hashString(tagKey, string(k)), mix(e.session, e.version))
	return hashBytes(h^uint64(len(e.value)), e.value)
}

func hashAnswer(k reqKey, a answer) uint64 {
	return mix(mix(tagAnswer<<32|uint64(a.code), k.session), mix(k.req, mix(a.version, a.index)))
}
