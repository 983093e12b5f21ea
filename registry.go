// SPDX-License-Identifier: MIT

package troupe

import (
	"sync"
	"sync/atomic"
)

// registry holds the cells of a kind by key. It is sharded by a mix of the key
// so that lookups from many goroutines rarely meet.
type registry struct {
	shards [registryShards]registryShard
	count  atomic.Int64
}

const registryShards = 32

type registryShard struct {
	mu    sync.RWMutex
	ids   map[int64]*cell
	names map[string]*cell
	_     [24]byte
}

func (r *registry) init() {
	for i := range r.shards {
		r.shards[i].ids = make(map[int64]*cell)
	}
}

func (r *registry) shard(id int64, name string) *registryShard {
	if name != "" {
		return &r.shards[hashName(name)%registryShards]
	}
	return &r.shards[mix64(uint64(id))%registryShards]
}

func (s *registryShard) getLocked(id int64, name string) *cell {
	if name != "" {
		return s.names[name]
	}
	return s.ids[id]
}

func (s *registryShard) putLocked(c *cell) {
	name := c.name()
	if name == "" {
		s.ids[c.id] = c
		return
	}
	if s.names == nil {
		s.names = make(map[string]*cell)
	}
	s.names[name] = c
}

// get returns the cell of a key, or nil.
func (r *registry) get(id int64, name string) *cell {
	s := r.shard(id, name)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.getLocked(id, name)
}

// getOrAdd returns the cell of a key, making it if there is none.
func (r *registry) getOrAdd(id int64, name string, create func() *cell) *cell {
	if c := r.get(id, name); c != nil {
		return c
	}
	s := r.shard(id, name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.getLocked(id, name); c != nil {
		return c
	}
	c := create()
	s.putLocked(c)
	r.count.Add(1)
	return c
}

// add puts c in, whose key is not taken.
func (r *registry) add(c *cell) {
	name := c.name()
	s := r.shard(c.id, name)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.putLocked(c)
	r.count.Add(1)
}

// removeIf takes c out if it is still the cell of its key and cond, called
// under the lock that lookups take, holds.
func (r *registry) removeIf(c *cell, cond func() bool) bool {
	name := c.name()
	s := r.shard(c.id, name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.getLocked(c.id, name) != c || cond != nil && !cond() {
		return false
	}
	if name != "" {
		delete(s.names, name)
	} else {
		delete(s.ids, c.id)
	}
	r.count.Add(-1)
	return true
}

// each calls f for a snapshot of the cells, shard by shard, without locks held.
func (r *registry) each(f func(*cell)) {
	var cells []*cell
	for i := range r.shards {
		s := &r.shards[i]
		cells = cells[:0]
		s.mu.RLock()
		for _, c := range s.ids {
			cells = append(cells, c)
		}
		for _, c := range s.names {
			cells = append(cells, c)
		}
		s.mu.RUnlock()
		for _, c := range cells {
			f(c)
		}
	}
}

// mix64 is the finalizer of splitmix64 (Steele, Lea, Flood 2014).
func mix64(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// hashName is FNV-1a with mix64 behind it. It is the same on every node and in
// every version: stub shards are found by it.
func hashName(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return mix64(h)
}
