// SPDX-License-Identifier: MIT

package mpsc

import (
	"sync/atomic"
	"unsafe"
)

// segmentEnd is the index after the last slot of every segment. Indexes of a
// segment of n slots run from segmentEnd-n up to it, so that "may be claimed" is
// one comparison whatever the size; slots are used from the last to the first.
const segmentEnd = denseSlots

// slot holds one message. It passes from the pool to the producer that claimed
// it, by the store of state to the consumer, and back with its segment.
type slot[T any] struct {
	val T
	// state equals the generation of the segment once val is written. Older
	// generations count as "not yet", so nothing is reset on a pop.
	state atomic.Uint32
}

// segment is a run of slots, owned by one queue at a time or by the pool.
type segment[T any] struct {
	// slots has its last element at index segmentEnd-len(slots). Immutable.
	slots []slot[T]

	// base is the number of messages that were claimed on the queue before the
	// first slot of this segment. Written by the producer that installs it.
	base atomic.Uint64

	// next is the ref of the segment after this one, 0 until it is known.
	// Written once per use by the producer that installs that segment; read
	// and reset by the consumer.
	next atomic.Uint64

	// free links the pool's free list.
	free atomic.Uint32

	// id is the segment's ref, 0 when it has been dropped. Written by whoever
	// has the segment to himself.
	id atomic.Uint64
}

type largeSegment[T any] struct {
	segment[T]
	array [largeSlots]slot[T]
}

// denseSegment is a large segment of small messages.
type denseSegment[T any] struct {
	segment[T]
	_     [8]byte // as in smallSegment
	array [denseSlots]slot[T]
}

type smallSegment[T any] struct {
	segment[T]
	_     [8]byte // the allocator adds no header of its own to small objects
	array [smallSlots]slot[T]
}

func newSegment[T any](class sizeClass, r ref) *segment[T] {
	if class == small {
		s := new(smallSegment[T])
		s.slots = s.array[:]
		s.id.Store(uint64(r))
		return &s.segment
	}
	if unsafe.Sizeof(slot[T]{}) <= denseBytes {
		s := new(denseSegment[T])
		s.slots = s.array[:]
		s.id.Store(uint64(r))
		return &s.segment
	}
	s := new(largeSegment[T])
	s.slots = s.array[:]
	s.id.Store(uint64(r))
	return &s.segment
}

// start is the index of the slot that is used first.
func (s *segment[T]) start() uint32 { return segmentEnd - uint32(len(s.slots)) }

func (s *segment[T]) ref() ref { return ref(s.id.Load()) }

func (s *segment[T]) class() sizeClass {
	if len(s.slots) == smallSlots {
		return small
	}
	return large
}

// renew starts the next generation. The caller has the segment to himself.
//
// When the generations start again, slots that were not used for a whole round
// could look published; so their states are reset then.
func (s *segment[T]) renew() {
	storeRelease64(&s.next, 0)
	r := s.ref()
	if r.gen() < maxGen {
		storeRelease64(&s.id, uint64(makeRef(r.handle(), r.gen()+1)))
		return
	}
	storeRelease64(&s.id, uint64(makeRef(r.handle(), 1)))
	for i := range s.slots {
		s.slots[i].state.Store(0)
	}
}

// before returns base.
func (s *segment[T]) before() uint64 {
	point()
	return s.base.Load()
}
