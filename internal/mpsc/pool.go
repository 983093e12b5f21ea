// SPDX-License-Identifier: MIT

package mpsc

import (
	"sync"
	"sync/atomic"
)

// sizeClass is one of the two segment sizes.
type sizeClass uint8

const (
	small sizeClass = iota
	large
	classes
)

const (
	chunkBits = 12
	chunkSize = 1 << chunkBits
	dirSize   = 1 << (handleBits - chunkBits)

	// DefaultRetain is the number of free segments of each size that a pool
	// keeps: at most 16 MiB of large segments for 56-byte messages.
	DefaultRetain = 4096
)

// Pool owns the segments of many queues. Segments move freely between the
// queues of a pool, so that a queue without mail needs none.
//
// All methods may be called by any goroutine. A Pool must not be copied.
//
// A segment is reached by a handle of 24 bits, through a directory of two
// levels that only grows. Free segments are on stacks (Treiber 1986) whose head
// word carries a tag, so that a handle which was popped and pushed again in
// between is noticed.
type Pool[T any] struct {
	dir      [dirSize]atomic.Pointer[chunk[T]]
	free     [classes][shards]freeList
	share    uint64 // segments that a free list keeps
	lastInit atomic.Uint32

	mu     sync.Mutex
	unused []ref  // handles of dropped segments with their next generation
	last   uint32 // handle given out last
}

type chunk[T any] [chunkSize]atomic.Pointer[segment[T]]

// freeList is a stack of free segments. Its head word is
//
//	tag (20 bits) | segments on the stack (20 bits) | handle of the first (24 bits)
//
// Every change of the head adds one to the tag.
type freeList struct {
	head atomic.Uint64
	_    [56]byte // a cache line for each
}

const (
	freeOne   = 1 << handleBits
	freeMask  = 1<<20 - 1
	freeTag   = 1 << 44
	maxRetain = freeMask * shards
)

func freeCount(head uint64) uint64 { return head >> handleBits & freeMask }

// NewPool returns a pool that keeps up to retain free segments of each size for
// reuse and leaves the rest to the garbage collector. Zero means DefaultRetain,
// a negative number means none.
func NewPool[T any](retain int) *Pool[T] {
	switch {
	case retain == 0:
		retain = DefaultRetain
	case retain < 0:
		retain = 0
	}
	return &Pool[T]{
		share: uint64(min(retain, maxRetain)+shards-1) / shards,
		last:  firstHandle - 1,
	}
}

// Free returns the number of free segments, large and small. It is an estimate
// while other goroutines use the pool.
func (p *Pool[T]) Free() int {
	n := uint64(0)
	for c := range p.free {
		for i := range p.free[c] {
			n += freeCount(p.free[c][i].head.Load())
		}
	}
	return int(n)
}

// segment returns the segment of a handle, nil if it has been dropped.
func (p *Pool[T]) segment(handle uint32) *segment[T] {
	return p.dir[handle>>chunkBits&(dirSize-1)].Load()[handle&(chunkSize-1)].Load()
}

// get takes a segment out of the pool, or makes one. It returns nil when all
// 16 million handles are in use.
func (p *Pool[T]) get(class sizeClass, shard uint32) *segment[T] {
	for i := range uint32(shards) {
		if s := p.pop(&p.free[class][(shard+i)&(shards-1)]); s != nil {
			return s
		}
	}
	return p.make(class)
}

// put gives a segment back. The caller must be the only one who can reach it:
// its ref is in no tail word and in no next field.
func (p *Pool[T]) put(s *segment[T], shard uint32) {
	s.renew()
	for i := range uint32(shards) {
		if p.push(&p.free[s.class()][(shard+i)&(shards-1)], s) {
			return
		}
	}
	p.drop(s)
}

// push reports false if the list has its share of free segments.
func (p *Pool[T]) push(l *freeList, s *segment[T]) bool {
	for {
		point()
		head := l.head.Load()
		if freeCount(head) >= p.share {
			return false
		}
		storeRelease(&s.free, uint32(head&handleMask))
		point()
		if l.head.CompareAndSwap(head, (head+freeTag+freeOne)&^handleMask|uint64(s.ref().handle())) {
			return true
		}
	}
}

// pop returns nil if the list is empty.
func (p *Pool[T]) pop(l *freeList) *segment[T] {
	for {
		point()
		head := l.head.Load()
		if head&handleMask == 0 {
			return nil
		}
		s := p.segment(uint32(head & handleMask))
		if s == nil {
			continue // popped and dropped by another: head has changed
		}
		point()
		next := uint64(s.free.Load())
		point()
		if l.head.CompareAndSwap(head, (head+freeTag-freeOne)&^handleMask|next) {
			return s
		}
	}
}

func (p *Pool[T]) make(class sizeClass) *segment[T] {
	r, ok := p.reserve()
	if !ok {
		return nil
	}
	s := newSegment[T](class, r)
	p.dir[r.handle()>>chunkBits].Load()[r.handle()&(chunkSize-1)].Store(s)
	return s
}

// reserve finds a handle that is not in use.
func (p *Pool[T]) reserve() (ref, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.unused); n > 0 {
		r := p.unused[n-1]
		p.unused = p.unused[:n-1]
		return r, true
	}
	if p.last == handleMask {
		return 0, false
	}
	p.last++
	if c := &p.dir[p.last>>chunkBits]; c.Load() == nil {
		c.Store(new(chunk[T]))
	}
	return makeRef(p.last, 1), true
}

func (p *Pool[T]) drop(s *segment[T]) {
	r := s.ref()
	point()
	s.id.Store(0) // before the handle can be used again: see Push
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dir[r.handle()>>chunkBits].Load()[r.handle()&(chunkSize-1)].Store(nil)
	p.unused = append(p.unused, r)
}
