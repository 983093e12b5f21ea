// SPDX-License-Identifier: MIT

package mpsc

import "sync/atomic"

// aheadBy is the number of messages in flight above which a push that begins a
// new segment is PushedAhead: 512 slots of 64 bytes fill a first-level cache.
// Between 128 and 1000 the measurements differ by less than their noise;
// without any limit a message takes twice the time.
const aheadBy = 512

// PushResult says what became of a push.
type PushResult uint8

const (
	// Pushed: the message is in the queue, and a consumer is already bound to
	// come by.
	Pushed PushResult = iota
	// PushedFirst: the message is in the queue, which was idle. The caller
	// must see to it that a consumer runs; nobody else will.
	PushedFirst
	// PushedAhead: Pushed, and the producers are well ahead of the consumer.
	// A caller that can afford it should yield the processor once, so that
	// the messages in flight stay in the cache.
	PushedAhead
	// Full: refused, the queue holds as many messages as its limit.
	Full
	// Closed: refused, the queue is closed for good.
	Closed
)

// OK reports whether the message is in the queue.
func (r PushResult) OK() bool { return r <= PushedAhead }

// PopResult says what a pop found.
type PopResult uint8

const (
	// Popped: a message was taken out.
	Popped PopResult = iota
	// Empty: nothing is in the queue. Go on with TryIdle or TryClose.
	Empty
	// Pending: a producer has claimed its place and is about to write the
	// message. It needs no help and waits for nobody, but it may have been
	// preempted: spin a little, then yield the processor.
	Pending
)

// Queue is a FIFO queue with many producers and one consumer, and at the same
// time the record of whether anybody consumes it.
//
// Push may be called by any goroutine. The other operations that change the
// queue belong to the consumer: the goroutine that was told PushedFirst (or
// that it told) or that won TryAcquire, until its TryIdle or TryClose returns
// true. Two consumers at a time corrupt the queue.
//
// In the terminology of the Go memory model, a push synchronizes before the
// pop that returns its message, and a TryIdle that returns true before the
// push or TryAcquire that ends the idleness.
//
// A Queue must be initialized by Init and must not be copied. It is 96 bytes;
// while it has no mail it owns no other memory.
type Queue[T any] struct {
	// tail is the shared state, see word. Written by producers and consumer.
	tail atomic.Uint64

	// Set by Init. On the line of tail, which a producer needs anyhow.
	pool  *Pool[T]
	limit uint32 // 0: none
	shard uint32 // where pool looks first

	// first is the ref of the segment that ended the last rest, 0 when the
	// consumer has it. Written by the producer that installs it.
	first atomic.Uint64

	_ [32]byte // keep what the consumer writes off the line of tail

	// consumed counts the pops. Written by the consumer.
	consumed atomic.Uint64

	// Owned by the consumer; handed to the next one by way of tail.
	seg  *segment[T] // the segment that is read, nil at rest
	at   uint32      // seg.slots[:at] are unread; slots are used from the last
	gen  uint32      // of seg
	turn uint32      // rests so far
}

// Init prepares an idle queue that draws its segments from pool. A push is
// refused while limit messages are in the queue; 0 means no limit.
//
// Init must be called before the queue is shared, and once.
func (q *Queue[T]) Init(pool *Pool[T], limit uint32) {
	q.pool, q.limit = pool, limit
	q.shard = pool.lastInit.Add(1) & (shards - 1)
	q.tail.Store(uint64(restWord(handleIdle, 0)))
}

// Push appends a copy of *v. It never blocks, and allocates only when the pool
// has no free segment.
func (q *Queue[T]) Push(v *T) PushResult {
	// One add both finds out where the queue ends and claims that place: the
	// segment that the word names cannot be left by the consumer, let alone be
	// used again, before the claimed slot is published (I2).
	point()
	w := word(q.tail.Add(1) - 1)
	if i := w.index(); i < segmentEnd {
		s := q.pool.segment(w.handle())
		s.publish(i, w.gen(), v)
		return Pushed
	}
	return q.pushSlow(v)
}

// publish fills the slot that the caller has claimed.
func (s *segment[T]) publish(index, gen uint32, v *T) {
	sl := &s.slots[segmentEnd-1-index]
	sl.val = *v                  // we own the slot
	storeRelease(&sl.state, gen) // the consumer owns it
}

// Pop moves the oldest message into *out, which is left alone unless the
// result is Popped.
func (q *Queue[T]) Pop(out *T) PopResult {
	if q.at == 0 {
		if r := q.advance(); r != Popped {
			return r
		}
	}
	sl := &q.seg.slots[q.at-1]
	point()
	if sl.state.Load() != q.gen {
		return q.emptyOrPending()
	}
	*out = sl.val
	if q.pool.pointers {
		var zero T
		sl.val = zero // do not keep the message alive
	}
	q.at--
	storeRelease64(&q.consumed, q.consumed.Load()+1)
	return Popped
}

// Len returns the number of messages in the queue, for metrics: claimed and not
// popped. It may be off by what others do meanwhile.
func (q *Queue[T]) Len() int {
	for {
		w := q.load()
		if w.handle() < firstHandle {
			return 0
		}
		if depth, _, ok := q.depth(w); ok {
			return int(depth)
		}
	}
}
