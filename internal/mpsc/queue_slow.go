// SPDX-License-Identifier: MIT

package mpsc

import "unsafe"

// pushSlow pushes v when the add in Push has claimed nothing: at rest, at the
// end of a segment, and near the limit. A failed compare and swap means that
// another goroutine has got on, so the loop is lock-free.
func (q *Queue[T]) pushSlow(v *T) PushResult {
	var spare *segment[T] // taken out of the pool and not installed yet
	result := Full
	for done := false; !done; {
		w := q.load()
		switch {
		case w.handle() == handleClosed:
			result, done = Closed, q.settle(w)
		case w.handle() < firstHandle:
			result, spare, done = q.pushAtRest(w, spare, v)
		case w.next() == segmentEnd:
			result, spare, done = q.pushBehind(w, spare, v)
		case w.exact():
			result, done = q.pushExact(w, v)
		case q.swap(w, w+1):
			q.pool.segment(w.handle()).publish(w.next(), w.gen(), v)
			result, done = Pushed, true
		}
	}
	if spare != nil {
		q.pool.put(spare, q.shard)
	}
	return result
}

// pushAtRest ends a rest with a small segment whose first slot holds v.
func (q *Queue[T]) pushAtRest(w word, s *segment[T], v *T) (PushResult, *segment[T], bool) {
	if s == nil {
		s = q.pool.get(small, q.shard)
	}
	if s == nil {
		return Full, nil, true
	}
	storeRelease64(&s.base, q.popped())
	if !q.swap(w, q.opening(s, 0)) {
		return Full, s, false
	}
	// consumed stands still now until v is published. Had it moved on between
	// the load above and the swap (the queue was used and rested again in
	// between, and w came back), base would be behind.
	if c := q.popped(); c != s.before() {
		storeRelease64(&s.base, c)
	}
	s.publish(s.start(), s.ref().gen(), v)
	storeRelease64(&q.first, uint64(s.ref()))
	if w.handle() == handleIdle {
		return PushedFirst, nil, true
	}
	return Pushed, nil, true
}

// pushBehind puts a segment whose first slot holds v behind the full segment
// of w.
func (q *Queue[T]) pushBehind(w word, s *segment[T], v *T) (PushResult, *segment[T], bool) {
	depth, base, ok := q.depth(w)
	if !ok {
		return Full, s, false
	}
	if q.limit != 0 && depth >= uint64(q.limit) {
		return Full, s, q.settle(w)
	}
	if s == nil || s.class() == small {
		// A small one is left over from an attempt to end a rest.
		if s != nil {
			q.pool.put(s, q.shard)
		}
		s = q.pool.get(large, q.shard)
	}
	if s == nil {
		return Full, nil, true
	}
	storeRelease64(&s.base, base)
	if !q.swap(w, q.opening(s, depth)) {
		return Full, s, false
	}
	// The full segment stays where it is until its next is known (I3), so this
	// is the right base even if w had come back in between.
	last := q.pool.segment(w.handle())
	if b := last.before() + uint64(len(last.slots)); b != base {
		storeRelease64(&s.base, b)
	}
	storeRelease64(&last.next, uint64(s.ref()))
	point()
	q.hint.Store(s)
	s.publish(s.start(), s.ref().gen(), v)
	if depth*uint64(unsafe.Sizeof(slot[T]{})) >= aheadBytes {
		return PushedAhead, nil, true
	}
	return Pushed, nil, true
}

// opening returns the word that installs s with its first slot claimed, when
// depth messages are before it. If the whole of s does not fit under the limit,
// pushes into it are counted one by one.
func (q *Queue[T]) opening(s *segment[T], depth uint64) word {
	if q.limit != 0 && depth+uint64(len(s.slots)) > uint64(q.limit) {
		return exactWord(s.ref(), s.start()+1)
	}
	return openWord(s.ref(), s.start()+1)
}

// pushExact claims the next slot if the limit allows it.
//
// Both answers are true at one instant: consumed only grows, so when it is read
// after w the depth is at least what we compute as of that reading, which makes
// a refusal right, and at most that if the swap finds w unchanged, which makes
// a claim right.
func (q *Queue[T]) pushExact(w word, v *T) (PushResult, bool) {
	depth, _, ok := q.depth(w)
	if !ok {
		return Full, false
	}
	if depth >= uint64(q.limit) {
		return Full, q.settle(w)
	}
	if !q.swap(w, exactWord(w.ref(), w.next()+1)) {
		return Full, false
	}
	q.pool.segment(w.handle()).publish(w.next(), w.gen(), v)
	return Pushed, true
}

// depth returns the number of messages in the queue as of w, and the number
// claimed in its life. It reports false if the segment of w is no longer the
// last one, so that its base may already count for another queue.
func (q *Queue[T]) depth(w word) (depth, claimed uint64, ok bool) {
	s := q.pool.segment(w.handle())
	if s == nil {
		return 0, 0, false
	}
	claimed = s.before() + uint64(w.next()-s.start())
	consumed := q.popped()
	if q.load().ref() != w.ref() {
		return 0, 0, false
	}
	return claimed - min(consumed, claimed), claimed, true
}

// settle removes the adds of refused pushes from the word before they can run
// over. It reports false if the word has changed and must be looked at again.
func (q *Queue[T]) settle(w word) bool {
	return !w.unsettled() || q.swap(w, w.settled())
}

func (q *Queue[T]) load() word {
	point()
	return word(q.tail.Load())
}

func (q *Queue[T]) swap(old, new word) bool {
	point()
	return q.tail.CompareAndSwap(uint64(old), uint64(new))
}

// popped returns the number of pops in the life of the queue.
func (q *Queue[T]) popped() uint64 {
	point()
	return q.consumed.Load()
}
