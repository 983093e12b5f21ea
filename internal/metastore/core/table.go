// SPDX-License-Identifier: MIT

package core

import (
	"maps"
	"sync"
)

// tableKey is what a sharded table needs from its keys.
type tableKey interface {
	comparable
	shardHash() uint64
}

// table is a sharded map with three properties that a plain map lacks:
//
//   - get may be called by any goroutine while Apply writes;
//   - freeze is a cheap consistent copy: it copies one pointer per shard, and
//     a later write first clones its shard (copy on write);
//   - sum is a running, order-independent hash of all records (R8).
//
// Writers (put, remove, sweepShard) are serialised by the caller: only Apply
// writes.
type table[K tableKey, V any] struct {
	shards []shard[K, V]
	hash   func(K, V) uint64
	frozen uint64 // bumped by freeze; a shard with an older stamp is shared
	count  int
	sum    uint64
}

type shard[K tableKey, V any] struct {
	mu    sync.RWMutex
	m     map[K]V
	stamp uint64
}

// newTable makes a table of 2^bits shards. hash must not depend on anything
// but its arguments.
func newTable[K tableKey, V any](shards int, hash func(K, V) uint64) *table[K, V] {
	return &table[K, V]{shards: make([]shard[K, V], shards), hash: hash}
}

func (t *table[K, V]) shard(k K) *shard[K, V] {
	return &t.shards[k.shardHash()&uint64(len(t.shards)-1)]
}

func (t *table[K, V]) get(k K) (V, bool) {
	s := t.shard(k)
	s.mu.RLock()
	v, ok := s.m[k]
	s.mu.RUnlock()
	return v, ok
}

func (t *table[K, V]) put(k K, v V) {
	s := t.shard(k)
	s.mu.Lock()
	t.own(s)
	if old, ok := s.m[k]; ok {
		t.sum -= t.hash(k, old)
	} else {
		t.count++
	}
	s.m[k] = v
	s.mu.Unlock()
	t.sum += t.hash(k, v)
}

func (t *table[K, V]) remove(k K) {
	s := t.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	old, ok := s.m[k]
	if !ok {
		return
	}
	t.own(s)
	delete(s.m, k)
	t.count--
	t.sum -= t.hash(k, old)
}

// own makes the shard's map private to the table before a write.
func (t *table[K, V]) own(s *shard[K, V]) {
	if s.m == nil {
		s.m = make(map[K]V)
	} else if s.stamp != t.frozen {
		s.m = maps.Clone(s.m)
	}
	s.stamp = t.frozen
}

// sweepShard calls visit for every record of shard i and returns how many it
// visited. visit returns the new value and whether to keep the record. The
// outcome must not depend on the order of the calls (R1).
func (t *table[K, V]) sweepShard(i int, dead func(V) bool, visit func(K, V) (V, bool)) int {
	s := &t.shards[i]
	n := len(s.m)
	any := false
	for _, v := range s.m { // only Apply writes, so reading needs no lock
		if dead(v) {
			any = true
			break
		}
	}
	if !any {
		return n
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t.own(s)
	for k, old := range s.m {
		if !dead(old) {
			continue
		}
		t.sum -= t.hash(k, old)
		v, keep := visit(k, old)
		if keep {
			s.m[k] = v
			t.sum += t.hash(k, v)
		} else {
			delete(s.m, k)
			t.count--
		}
	}
	return n
}

// freeze returns the current records. The maps are never written again.
func (t *table[K, V]) freeze() frozenTable[K, V] {
	f := frozenTable[K, V]{maps: make([]map[K]V, len(t.shards)), count: t.count}
	for i := range t.shards {
		f.maps[i] = t.shards[i].m
	}
	t.frozen++
	return f
}

// each calls f for a copy of every record, shard by shard, until it returns
// false. It may run beside Apply; it is not a consistent cut.
func (t *table[K, V]) each(f func(K, V) bool) {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.RLock()
		part := maps.Clone(s.m)
		s.mu.RUnlock()
		for k, v := range part {
			if !f(k, v) {
				return
			}
		}
	}
}

type frozenTable[K tableKey, V any] struct {
	maps  []map[K]V
	count int
}
