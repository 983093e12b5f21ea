// SPDX-License-Identifier: MIT

package mpsc

import "sync/atomic"

// aheadBytes is the size of the messages in flight above which a push that
// begins a new segment is PushedAhead: that of a first-level cache. Half and
// twice of it make no difference above the noise; without any limit a message
// takes twice the time.
const aheadBytes = 32 << 10

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

	// hint is most likely the segment of tail if that is a large one: it saves
	// a producer the way through the directory. Written by the producer that
	// installs a segment before it publishes its slot, cleared by the consumer
	// before it rests, so that a queue at rest keeps no segment.
	hint atomic.Pointer[segment[T]]

	_ [24]byte // keep what the consumer writes off the line of tail

	// consumed counts the pops. Written by the consumer.
	consumed atomic.Uint64

	// Owned by the consumer; handed to the next one by way of tail. The numbers
	// count as consumed does; slots are used from the last to the first.
	seg   *segment[T] // the segment that is read, nil at rest
	end   uint32      // number of the message after the last in seg
	known uint32      // number of the first message not known to be published
	turn  uint32      // rests so far
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
	s := q.hint.Load()
	point()
	w := word(q.tail.Add(1) - 1)
	if i := w.index(); i < segmentEnd {
		// No other segment in use has the ref, and a dropped one has none, so
		// the comparison holds for the right segment only.
		if s == nil || s.ref() != w.ref() {
			s = q.pool.segment(w.handle())
		}
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

// Next takes the oldest message out of the queue and returns where it lies, or
// nil unless the result is Popped. The place is the caller's until the next
// call of a method of the consumer; he clears it, lest it keeps alive what the
// message refers to. See Pop, which does so.
func (q *Queue[T]) Next() (*T, PopResult) {
	n := q.consumed.Load()
	if uint32(n) == q.known {
		if r := q.scan(); r != Popped {
			return nil, r
		}
	}
	storeRelease64(&q.consumed, n+1)
	return &q.seg.slots[q.end-uint32(n)-1].val, Popped
}

// Pop moves the oldest message into *out, which is left alone unless the
// result is Popped.
func (q *Queue[T]) Pop(out *T) PopResult {
	v, r := q.Next()
	if v != nil {
		var zero T
		*out, *v = *v, zero
	}
	return r
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
