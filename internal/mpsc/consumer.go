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
	seg, at := q.seg, q.at
	for {
		w := q.load()
		if !q.drained(w) {
			return false
		}
		q.seg, q.at = nil, 0
		q.turn++
		if q.swap(w, restWord(handle, q.turn)) {
			if seg != nil {
				q.pool.put(seg, q.shard)
			}
			return true
		}
		q.seg, q.at = seg, at
	}
}

// drained reports whether nothing has been claimed beyond what was popped.
func (q *Queue[T]) drained(w word) bool {
	if q.seg == nil {
		return w.handle() < firstHandle // else first has come, or is about to
	}
	return w.ref() == q.seg.ref() && segmentEnd-w.next() == q.at
}

// emptyOrPending is the result of a pop that found nothing published.
func (q *Queue[T]) emptyOrPending() PopResult {
	if q.drained(q.load()) {
		return Empty
	}
	return Pending
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
	q.at, q.gen = uint32(len(q.seg.slots)), r.gen()
}
