// SPDX-License-Identifier: MIT

package mpsc

// TryAcquire makes the caller the consumer of an idle queue. It reports false
// if the queue is closed or has mail, in which case somebody consumes it or is
// about to. Any goroutine may call it.
func (q *Queue[T]) TryAcquire() bool {
	for {
		w := q.load()
		if w.handle() != handleIdle {
			return false
		}
		if q.swap(w, restWord(handleOwned, w.gen())) {
			return true
		}
	}
}

// TryIdle ends the caller's time as the consumer, provided that the queue is
// empty. It reports false, and the caller is still the consumer, if there is
// mail or will be in a moment.
func (q *Queue[T]) TryIdle() bool { return q.tryRest(handleIdle) }

// TryClose closes the queue for good, provided that it is empty, and ends the
// caller's time as the consumer. It reports false, and the caller is still the
// consumer, if there is mail or will be in a moment.
func (q *Queue[T]) TryClose() bool { return q.tryRest(handleClosed) }

// tryRest swaps the word of an empty queue for a rest and gives up the segment.
//
// What the consumer owns is brought in order before the swap: after it the next
// consumer may be at work on another processor.
func (q *Queue[T]) tryRest(handle uint32) bool {
	seg := q.seg
	for {
		w := q.load()
		if !q.drained(w) {
			return false
		}
		q.seg = nil
		if q.hint.Load() != nil {
			point()
			q.hint.Store(nil)
		}
		q.turn++
		if q.swap(w, restWord(handle, q.turn)) {
			if seg != nil {
				q.pool.put(seg, q.shard)
			}
			return true
		}
		q.seg = seg
	}
}

// drained reports whether nothing has been claimed beyond what was popped.
func (q *Queue[T]) drained(w word) bool {
	if q.seg == nil {
		return w.handle() < firstHandle // else first has come, or is about to
	}
	return w.ref() == q.seg.ref() && segmentEnd-w.next() == q.unread()
}

// emptyOrPending is the result of a pop that found nothing published.
func (q *Queue[T]) emptyOrPending() PopResult {
	if q.drained(q.load()) {
		return Empty
	}
	return Pending
}

// scanAhead bounds the slots that are looked at in one go.
const scanAhead = 16

// scan finds out which messages are published next. It is called when all that
// were known have been popped. Popped means that there is one at least.
func (q *Queue[T]) scan() PopResult {
	left := q.unread()
	if left == 0 {
		if r := q.advance(); r != Popped {
			return r
		}
		left = q.unread()
	}
	gen, slots := q.seg.ref().gen(), q.seg.slots[left-min(left, scanAhead):left]
	found := uint32(0)
	for i := len(slots) - 1; i >= 0; i-- {
		point()
		if slots[i].state.Load() != gen {
			break
		}
		found++
	}
	if found == 0 {
		return q.emptyOrPending()
	}
	q.known += found
	return Popped
}

// advance moves the consumer, who has read all of his segment or has none, to
// the next one. Popped means that there is a slot to look at.
func (q *Queue[T]) advance() PopResult {
	last := q.seg
	if last == nil {
		point()
		first := ref(q.first.Load())
		if first == 0 {
			return q.emptyOrPending()
		}
		storeRelease64(&q.first, 0) // before the next rest, hence before the next store
		q.enter(first)
		return Popped
	}
	point()
	next := ref(last.next.Load())
	if next == 0 {
		return q.emptyOrPending()
	}
	q.enter(next)
	// All slots of last were published and its next is known: no producer has
	// any business with it (I2, I3).
	q.pool.put(last, q.shard)
	return Popped
}

func (q *Queue[T]) enter(r ref) {
	q.seg = q.pool.segment(r.handle())
	q.known = uint32(q.consumed.Load())
	q.end = q.known + uint32(len(q.seg.slots))
}

// unread returns the number of slots of the segment that were not popped.
func (q *Queue[T]) unread() uint32 {
	if q.seg == nil {
		return 0
	}
	return q.end - uint32(q.consumed.Load())
}
