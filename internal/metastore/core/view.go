// SPDX-License-Identifier: MIT

package core

import (
	"cmp"
	"slices"
	"strings"
)

// Owner says who owns an id, a slot or a lease.
type Owner struct {
	Node    string
	Session uint64
	Epoch   uint64
}

// Applied returns the index of the latest applied entry.
func (s *State) Applied() uint64 { return s.applied.Load() }

// Generation returns the operator's generation.
func (s *State) Generation() uint64 { return s.generation.Load() }

// Cluster returns the name of the cluster; zero before InitCluster. It must
// not run beside Apply.
func (s *State) Cluster() ClusterID { return s.cluster }

// LookupClaim returns the live owner of an id. It is a memory read.
func (s *State) LookupClaim(id ID) (Owner, bool) { return s.lookup(SpaceActor, id) }

// LookupSlot returns the live owner of a shard.
func (s *State) LookupSlot(kind string, shard uint32) (Owner, bool) {
	return s.lookup(SpaceSlot, ID{Kind: kind, Key: int64(shard)})
}

func (s *State) lookup(space Space, id ID) (Owner, bool) {
	kind, ok := s.kinds.Load().number[id.Kind]
	if !ok {
		return Owner{}, false
	}
	var c claim
	switch {
	case space == SpaceSlot:
		c, ok = s.slots.get(intKey{kind, id.Key})
	case id.Name != "":
		c, ok = s.named.get(nameKey{kind, id.Name})
	default:
		c, ok = s.actors.get(intKey{kind, id.Key})
	}
	if !ok {
		return Owner{}, false
	}
	return s.owner(c.session, c.epoch)
}

func (s *State) owner(session, epoch uint64) (Owner, bool) {
	v := s.session(session)
	if !v.Alive() {
		return Owner{}, false
	}
	return Owner{Node: v.Node, Session: session, Epoch: epoch}, true
}

// Slot is one owned shard of a kind.
type Slot struct {
	Shard uint32
	Owner Owner
}

// Slots returns the owned shards of a kind in order. Cost: all slots.
func (s *State) Slots(kind string) []Slot {
	n, ok := s.kinds.Load().number[kind]
	if !ok {
		return nil
	}
	var list []Slot
	s.slots.each(func(k intKey, c claim) bool {
		if k.kind == n {
			if o, ok := s.owner(c.session, c.epoch); ok {
				list = append(list, Slot{uint32(k.key), o})
			}
		}
		return true
	})
	slices.SortFunc(list, func(a, b Slot) int { return cmp.Compare(a.Shard, b.Shard) })
	return list
}

// ClaimsOf returns the ids that a session owns, in no particular order. Cost:
// all claims.
func (s *State) ClaimsOf(session uint64) []IDEpoch {
	var list []IDEpoch
	kinds := s.kinds.Load
	s.actors.each(func(k intKey, c claim) bool {
		if c.session == session {
			list = append(list, IDEpoch{ID{Kind: kinds().name[k.kind], Key: k.key}, c.epoch})
		}
		return true
	})
	s.named.each(func(k nameKey, c claim) bool {
		if c.session == session {
			list = append(list, IDEpoch{ID{Kind: kinds().name[k.kind], Name: k.name}, c.epoch})
		}
		return true
	})
	return list
}

// ClaimCount returns how many claims exist, including those of dead sessions
// that were not swept yet. It must not run beside Apply.
func (s *State) ClaimCount() int { return s.actors.count + s.named.count }

// Session returns a session that is live, draining, or dead and not yet swept.
func (s *State) Session(epoch uint64) (*Session, bool) {
	v := s.session(epoch)
	return v, v != nil
}

// Sessions returns the live and draining sessions, ordered by node name.
func (s *State) Sessions() []*Session {
	var list []*Session
	s.sessions.each(func(_ numKey, v *Session) bool {
		if v.Alive() {
			list = append(list, v)
		}
		return true
	})
	slices.SortFunc(list, func(a, b *Session) int {
		return cmp.Or(strings.Compare(a.Node, b.Node), cmp.Compare(a.Epoch, b.Epoch))
	})
	return list
}

// LookupLease returns the live holder of a lease.
func (s *State) LookupLease(name string) (Owner, bool) {
	l, ok := s.leases.get(textKey(name))
	if !ok {
		return Owner{}, false
	}
	return s.owner(l.session, l.epoch)
}

// KV is one key with its value; Value must not be modified.
type KV struct {
	Key     string
	Value   []byte
	Version uint64
	Session uint64 // owner of an ephemeral key, or 0
}

// Get returns a key.
func (s *State) Get(key string) (KV, bool) {
	e, ok := s.keys.get(textKey(key))
	if !ok || e.session != 0 && !s.alive(e.session) {
		return KV{}, false
	}
	return KV{key, e.value, e.version, e.session}, true
}

// List returns the keys with a prefix, in order. Cost: all keys.
func (s *State) List(prefix string) []KV {
	var list []KV
	s.keys.each(func(k textKey, e entry) bool {
		if strings.HasPrefix(string(k), prefix) && (e.session == 0 || s.alive(e.session)) {
			list = append(list, KV{string(k), e.value, e.version, e.session})
		}
		return true
	})
	slices.SortFunc(list, func(a, b KV) int { return strings.Compare(a.Key, b.Key) })
	return list
}

// EachTimer calls f for everything that the Grantor times: live sessions and
// leases with a TTL of their own, in no particular order.
func (s *State) EachTimer(f func(Touch)) {
	s.sessions.each(func(_ numKey, v *Session) bool {
		if v.Alive() {
			f(Touch{Session: v.Epoch, Seq: v.RenewSeq, TTL: v.TTL})
		}
		return true
	})
	s.leases.each(func(k textKey, l lease) bool {
		if l.ttl > 0 && s.alive(l.session) {
			f(Touch{Lease: string(k), Epoch: l.epoch, Seq: l.seq, TTL: l.ttl})
		}
		return true
	})
}

// BumpGeneration raises the generation outside the log. Only the offline
// recovery of a lost quorum may call it, before the node serves again.
func (s *State) BumpGeneration() { s.generation.Add(1) }
