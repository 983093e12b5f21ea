// SPDX-License-Identifier: MIT

package troupe

import (
	"math/bits"
	"time"
)

// The wheel, seen as the digits of a tick number:
//
//	 level 4   level 3   level 2   level 1    level 0
//	[6 bits ] [6 bits ] [6 bits ] [6 bits ] [10 bits  ]   beyond 2^34 ticks: far
//
// A timer hangs in the level of the highest digit in which its tick differs
// from the current tick. When the current tick reaches that digit, the slot is
// emptied into lower levels (a cascade), and level 0 holds exact ticks. This is
// the hierarchical wheel of Varghese and Lauck (SOSP 1987, scheme 7), with the
// level chosen by differing digits instead of by distance. The reason: a timer
// then never overtakes an older one of the same tick that waits one level up,
// and every occupied slot lies ahead of the current one, so that the search for
// the next occupied slot is one bit scan per level and has no wrap to consider.
//
// Invariants, checked by the tests:
//
//	W1  a timer never expires before its time, and expires in the first tick
//	    boundary at or after it (a timer whose time has passed: the next one).
//	W2  timers of one tick expire in the order in which they were armed, unless
//	    one was armed while an advance was interrupted by its limit.
//	W3  every occupied slot lies ahead of the current tick, except while an
//	    advance is interrupted by its limit.
//	W4  a cancelled timer is unlinked at once; the wheel keeps no reference.
//	    Every chunk of places holds a timer; so what n timers need is bounded.
//	W5  a bit of busy is set exactly when its slot holds a timer.
const (
	wheelLevels   = 5
	wheelBits0    = 10 // level 0: 1024 slots; with 256, 1 s timers cascade four times as often
	wheelBits     = 6  // levels 1 to 4: 64 slots, one word of busy
	wheelSlots0   = 1 << wheelBits0
	wheelSlots    = 1 << wheelBits
	wheelFar      = wheelSlots0 + (wheelLevels-1)*wheelSlots // the list beyond level 4
	wheelLists    = wheelFar + 1
	wheelSpanBits = wheelBits0 + (wheelLevels-1)*wheelBits // 34: five years of 10 ms

	// wheelWorkLimit bounds the timers that one advance call moves between
	// levels, and with it the time for which a lock around the call is held
	// (some 50 ns each).
	wheelWorkLimit = 1024
)

// timerWheel is a hierarchical timing wheel: arm, cancel and expiry cost O(1)
// per timer, whatever their number. It is pure: time is an argument, counted
// from an arbitrary start and never decreasing, and it starts nothing.
// Advancing over time without timers costs nothing.
//
// A timerWheel is not safe for concurrent use; timerDriver adds the locks and
// the goroutine. It holds about 20 KiB and must not be copied. T is what the
// owner wants to find in an expired timer.
type timerWheel[T any] struct {
	tick    int64  // length of a tick in nanoseconds
	cur     int64  // the current tick: everything before it has expired
	sorted  int64  // cur >> wheelSpanBits when the far list was last sorted in
	count   int    // linked timers
	skipped uint64 // firings dropped by Coalesce

	busy   [wheelLists/64 + 1]uint64 // W5: bit s%64 of word s/64
	lists  [wheelLists]wheelList[T]
	spare  *wheelChunk[T] // empty chunks for reuse, linked by next
	spares int
	warmed int64 // see warm
}

// wheelFired is one expired timer. Its owner runs it with begin and end of
// wheelTimer, which refuse it when the timer was cancelled meanwhile.
type wheelFired[T any] struct {
	timer *wheelTimer[T]
	gen   uint32
}

// init sets the resolution. tick must be positive.
func (w *timerWheel[T]) init(tick time.Duration) { w.tick = int64(tick) }

// arm makes t expire at the first tick boundary at or after at, and then every
// period if period is positive. A timer that is armed already is moved; a
// firing of its former life that was not handled yet is void. It returns the
// tick in which t expires.
func (w *timerWheel[T]) arm(t *wheelTimer[T], at, period time.Duration, c Coalesce) int64 {
	if t.chunk != nil {
		w.unlink(t)
	}
	t.renew()
	t.at, t.period, t.policy = int64(at), int64(period), c
	if t.period > 0 && t.period < w.tick {
		t.period = w.tick
	}
	due := max(w.tickAt(t.at), w.cur+1)
	w.link(t, due)
	return due
}

// cancel disarms t and voids a firing that was not handled yet. It reports
// whether there was something to cancel: an armed timer or such a firing.
func (w *timerWheel[T]) cancel(t *wheelTimer[T]) bool {
	armed := t.chunk != nil
	if armed {
		w.unlink(t)
	}
	return t.renew() || armed
}

// advance moves the wheel to now and appends timers that expired to batch, at
// most up to its capacity, so it never allocates. It reports whether work is
// left, because batch is full or because wheelWorkLimit was reached: then call
// it again. Arming and cancelling between such calls is allowed.
//
// A periodic timer is armed again on the way: its next time is its scheduled
// time plus whole periods, so it does not drift.
func (w *timerWheel[T]) advance(now time.Duration, batch []wheelFired[T]) ([]wheelFired[T], bool) {
	target, work := int64(now)/w.tick, wheelWorkLimit
	for {
		next, ok := w.nextTick()
		if !ok || next > target {
			w.cur = max(w.cur, target)
			if !ok {
				w.sorted = w.cur >> wheelSpanBits
			}
			return batch, false
		}
		w.cur = next
		if work = w.cascade(work); work == 0 {
			return batch, true
		}
		list := &w.lists[w.cur&(wheelSlots0-1)]
		for c := list.head; c != nil; c = list.head {
			w.warm(c)
			for list.head == c {
				if len(batch) == cap(batch) || work == 0 {
					return batch, true
				}
				t := w.pop(c)
				if w.expire(t, int64(now)) {
					batch = append(batch, wheelFired[T]{t, t.generation()})
				} else {
					work--
				}
			}
		}
	}
}

// next returns how long the wheel can be left alone: the time from now to the
// next tick in which something expires or cascades. It reports false when no
// timer is armed.
func (w *timerWheel[T]) next(now time.Duration) (time.Duration, bool) {
	tick, ok := w.nextTick()
	if !ok {
		return 0, false
	}
	return max(0, time.Duration(tick*w.tick)-now), true
}

// expire handles t, which was just unlinked: it arms a periodic timer again and
// reports whether its owner has to be told. The owner is not told when it has
// not handled the previous firing yet: wheelTimer.end tells it that more wait.
func (w *timerWheel[T]) expire(t *wheelTimer[T], now int64) bool {
	if t.period == 0 {
		t.word.Add(1) // no firing waits: arm has started a new generation
		return true
	}
	passed, next := wheelPassed(t.at, now, t.period)
	t.at = next
	w.link(t, max(w.tickAt(next), w.cur+1))
	for {
		word := t.word.Load() // only end, on the owner's turn, races with this
		waiting := word & wheelWaitingMask
		fires := t.policy.fires(waiting, passed)
		if t.word.CompareAndSwap(word, word+fires) {
			w.skipped += uint64(passed - int64(fires))
			return waiting == 0 && fires > 0
		}
	}
}

// cascade empties the slots that the current tick has reached into lower
// levels, highest first. It returns what is left of work, 0 to interrupt.
func (w *timerWheel[T]) cascade(work int) int {
	if span := w.cur >> wheelSpanBits; span != w.sorted {
		w.sorted = span
		w.sortFar()
	}
	for level := wheelLevels - 1; level > 0; level-- {
		list := &w.lists[wheelSlot(level, w.cur)]
		for c := list.head; c != nil && work > 0; c = list.head {
			w.warm(c)
			for ; list.head == c && work > 0; work-- {
				t := w.pop(c)
				w.link(t, max(w.tickAt(t.at), w.cur)) // the latter if it was late when armed
			}
		}
	}
	return work
}

// sortFar links the timers that were out of range again. It is not interrupted,
// because most of them may stay; it happens once in 2^32 ticks.
func (w *timerWheel[T]) sortFar() {
	c := w.lists[wheelFar].head
	w.lists[wheelFar] = wheelList[T]{}
	w.busy[wheelFar/64] = 0
	for c != nil {
		next := c.next
		for i, t := range c.items[:c.end] {
			if t != nil {
				c.items[i] = nil
				w.count--
				w.link(t, max(w.tickAt(t.at), w.cur))
			}
		}
		w.recycle(c)
		c = next
	}
}

// nextTick returns the first tick from the current one on that needs work.
func (w *timerWheel[T]) nextTick() (int64, bool) {
	if w.count == 0 {
		return 0, false
	}
	for level := 1; level < wheelLevels; level++ { // an interrupted cascade
		if s := wheelSlot(level, w.cur); w.busy[s/64]&(1<<(s%64)) != 0 {
			return w.cur, true
		}
	}
	first := int(w.cur & (wheelSlots0 - 1))
	word := w.busy[first/64] &^ (1<<(first%64) - 1)
	for i := first / 64; ; word = w.busy[i] {
		if word != 0 {
			return w.cur&^(wheelSlots0-1) | int64(i*64+bits.TrailingZeros64(word)), true
		}
		if i++; i == wheelSlots0/64 {
			break
		}
	}
	for level := 1; level < wheelLevels; level++ {
		s := wheelSlot(level, w.cur)
		word := w.busy[s/64] &^ (2<<(s%64) - 1)
		if word != 0 {
			shift := wheelShift(level)
			window := w.cur >> (shift + wheelBits) << wheelBits
			return (window | int64(bits.TrailingZeros64(word))) << shift, true
		}
	}
	return (w.cur>>wheelSpanBits + 1) << wheelSpanBits, true // far
}

// link appends t to the slot for tick due, which is not before the current one.
func (w *timerWheel[T]) link(t *wheelTimer[T], due int64) {
	slot := wheelFar
	if differ := uint64(due ^ w.cur); differ < wheelSlots0 {
		slot = int(due & (wheelSlots0 - 1))
	} else if differ < 1<<wheelSpanBits {
		slot = wheelSlot((bits.Len64(differ)-wheelBits0-1)/wheelBits+1, due)
	}
	list := &w.lists[slot]
	c := list.tail
	if c == nil || int(c.end) == len(c.items) {
		c = w.addChunk(slot)
	}
	t.chunk, t.index = c, c.end
	c.items[c.end] = t
	c.end++
	c.live++
	w.count++
}

// unlink removes t, which is linked.
func (w *timerWheel[T]) unlink(t *wheelTimer[T]) {
	c := t.chunk
	c.items[t.index] = nil
	t.chunk = nil
	w.count--
	if c.live--; c.live == 0 {
		w.dropChunk(c)
		return
	}
	for c.items[c.end-1] == nil {
		c.end-- // arming and cancelling in turn uses one place
	}
}

// pop removes the first timer of c.
func (w *timerWheel[T]) pop(c *wheelChunk[T]) *wheelTimer[T] {
	for c.items[c.first] == nil {
		c.first++
	}
	t := c.items[c.first]
	c.items[c.first] = nil
	c.first++
	t.chunk = nil
	w.count--
	if c.live--; c.live == 0 {
		w.dropChunk(c)
	}
	return t
}

// tickAt returns the first tick boundary at or after at.
func (w *timerWheel[T]) tickAt(at int64) int64 {
	tick := at / w.tick
	if tick*w.tick < at {
		tick++
	}
	return tick
}

// wheelShift returns the position of a level's digit in a tick number.
func wheelShift(level int) int { return wheelBits0 + (level-1)*wheelBits }

// wheelSlot returns the slot of level (1 and up) that tick falls into.
func wheelSlot(level int, tick int64) int {
	return wheelSlots0 + (level-1)*wheelSlots + int(tick>>wheelShift(level))&(wheelSlots-1)
}
