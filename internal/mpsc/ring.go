// SPDX-License-Identifier: MIT

package mpsc

import "sync"

// Ring is a bounded FIFO queue with many producers and one consumer, in which
// a push to a full queue takes the place of the oldest message. It follows the
// protocol of Queue, state for state, so that a mailbox can be made of either.
//
// It is a ring under a lock: to drop the oldest message a producer must take
// part in the consumption, which a lock makes simple and Queue makes
// impossible. The ring is allocated with the first message after a rest,
// grows up to the limit, and is given up at the next rest.
//
// Push, TryAcquire and Len may be called by any goroutine, the rest belongs to
// the consumer. A Ring must be initialized by Init and must not be copied.
type Ring[T any] struct {
	mu    sync.Mutex
	limit uint32
	head  uint32 // index of the oldest message in buf
	n     uint32 // messages in buf
	state ringState
	buf   []T // nil at rest; full only when n == len(buf)
}

// ringState is who consumes a Ring.
type ringState uint8

const (
	ringIdle   ringState = iota // empty, no consumer; to Owned, Closed
	ringOwned                   // a consumer runs or was called for; to Idle, Closed
	ringClosed                  // for good
)

const ringStart = 4 // messages; the first size of a ring

// Init prepares an idle ring for up to limit messages, at least 1.
func (r *Ring[T]) Init(limit uint32) { r.limit = max(limit, 1) }

// Push appends v and, if the ring is full, removes the oldest message and
// returns it with evicted set. The result is never Full.
func (r *Ring[T]) Push(v T) (result PushResult, oldest T, evicted bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch r.state {
	case ringClosed:
		return Closed, oldest, false
	case ringIdle:
		r.state, result = ringOwned, PushedFirst
	}
	if r.n == r.limit {
		oldest, evicted = r.take(), true
	}
	if int(r.n) == len(r.buf) {
		r.grow()
	}
	r.buf[r.wrap(r.head+r.n)] = v
	r.n++
	return result, oldest, evicted
}

// Pop moves the oldest message into *out, which is left alone if the ring is
// Empty. The result is never Pending.
func (r *Ring[T]) Pop(out *T) PopResult {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.n == 0 {
		return Empty
	}
	*out = r.take()
	return Popped
}

// TryAcquire makes the caller the consumer of an idle ring.
func (r *Ring[T]) TryAcquire() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state != ringIdle {
		return false
	}
	r.state = ringOwned
	return true
}

// TryIdle ends the caller's time as the consumer if the ring is empty.
func (r *Ring[T]) TryIdle() bool { return r.tryRest(ringIdle) }

// TryClose closes the ring for good if it is empty, and ends the caller's time
// as the consumer.
func (r *Ring[T]) TryClose() bool { return r.tryRest(ringClosed) }

// Len returns the number of messages in the ring.
func (r *Ring[T]) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return int(r.n)
}

func (r *Ring[T]) tryRest(s ringState) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.n != 0 {
		return false
	}
	r.state, r.buf, r.head = s, nil, 0
	return true
}

func (r *Ring[T]) take() T {
	v := r.buf[r.head]
	var zero T
	r.buf[r.head] = zero // do not keep the message alive
	r.head = r.wrap(r.head + 1)
	r.n--
	return v
}

func (r *Ring[T]) grow() {
	size := min(max(2*len(r.buf), ringStart), int(r.limit))
	buf := make([]T, size)
	k := copy(buf, r.buf[r.head:])
	copy(buf[k:], r.buf[:r.head])
	r.buf, r.head = buf, 0
}

func (r *Ring[T]) wrap(i uint32) uint32 {
	if n := uint32(len(r.buf)); i >= n {
		return i - n
	}
	return i
}
