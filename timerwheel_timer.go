// SPDX-License-Identifier: MIT

package troupe

import (
	"errors"
	"sync/atomic"
	"time"
)

// ErrBadPeriod refuses a periodic timer whose period is zero or negative. A
// positive period below the wheel's tick is raised to one tick instead.
var ErrBadPeriod = errors.New("troupe: timer period must be positive")

// Coalesce decides what a periodic timer does about firings that could not
// happen in time: the actor was still busy with the previous one, or the whole
// process was paused. The schedule itself never shifts: firing n is due at
// start + n*period.
type Coalesce uint8

const (
	// CoalesceSkip drops a firing that falls due while the previous one is
	// waiting in the mailbox or running. After a pause the actor sees one
	// firing. This is the default, and what time.Ticker does.
	CoalesceSkip Coalesce = iota

	// CoalesceOnce keeps one of the firings that fell due while the previous
	// one was waiting or running, and runs it right after that one.
	CoalesceOnce

	// CoalesceCatchUp runs every firing, late if need be, so that n periods
	// mean n firings: for simulations with a fixed step. At most
	// maxCatchUpFirings wait; what exceeds them is dropped.
	CoalesceCatchUp
)

// maxCatchUpFirings bounds the firings that wait for an actor under
// CoalesceCatchUp: a process that slept for an hour must not work off an hour.
const maxCatchUpFirings = 1000

// fires returns how many of passed firings that are due now are to happen,
// when waiting earlier ones have not been handled completely.
func (c Coalesce) fires(waiting uint32, passed int64) uint32 {
	limit := int64(1)
	switch c {
	case CoalesceOnce:
		limit = 2 // the one that runs and the one that makes up for the rest
	case CoalesceCatchUp:
		return uint32(min(passed, max(0, maxCatchUpFirings-int64(waiting))))
	}
	return uint32(min(1, max(0, limit-int64(waiting))))
}

// wheelPassed returns how many times of the schedule at, at+period, ... have
// been reached now (at least one), and the first that has not. It works for
// any at and now in nanoseconds from 0 on; next saturates.
func wheelPassed(at, now, period int64) (passed, next int64) {
	passed, next = 1, at+period
	if next <= now && next > at {
		passed = (now-at)/period + 1
		next = at + passed*period
	}
	if next < at {
		next = maxWheelTime
	}
	return passed, next
}

// maxWheelTime is the end of time in nanoseconds since the start, in 292 years.
const maxWheelTime = 1<<63 - 1

// wheelTimer is a timer in a timerWheel. The owner allocates or embeds it; the
// zero value is ready to be armed. It is 32 bytes and the value, takes 9 more
// in the wheel while it is armed, must not be copied, and is kept alive by the
// wheel only while it is armed.
//
// The fields are guarded by the lock of the wheel, except word, and except
// value, which belongs to the owner and must not change while the timer is
// armed or a firing waits.
type wheelTimer[T any] struct {
	chunk  *wheelChunk[T] // that holds the timer, at index; nil: not armed
	at     int64          // the scheduled time, in nanoseconds since the start
	period int64          // nanoseconds; 0: fires once

	// word is the generation (upper 20 bits), which arm and cancel increase,
	// and the number of firings that wait or run. It is written under the lock
	// of the wheel, and by end without. A void firing would have to wait in a
	// mailbox for a million generations to be taken for a valid one.
	word atomic.Uint32

	index  uint8
	shard  uint8 // of the timerDriver; constant
	policy Coalesce

	value T
}

const (
	wheelWaitingBits = 12
	wheelWaitingMask = 1<<wheelWaitingBits - 1 // more than maxCatchUpFirings
)

// begin starts to handle a firing on the owner's turn. It returns how often to
// run it, at least once, or 0 when the timer was cancelled or armed anew after
// the firing. Call end afterwards, unless begin returned 0. It takes no lock.
func (t *wheelTimer[T]) begin(gen uint32) int {
	word := t.word.Load()
	if word>>wheelWaitingBits != gen {
		return 0
	}
	return int(word & wheelWaitingMask)
}

// end finishes ran firings that begin announced. It reports whether more have
// come due meanwhile: then the owner queues the firing again, because the wheel
// tells it only of a first one. When the timer was cancelled or armed anew, it
// does nothing. A firing that the owner cannot handle is ended without running.
func (t *wheelTimer[T]) end(gen uint32, ran int) (more bool) {
	for {
		word := t.word.Load()
		if word>>wheelWaitingBits != gen {
			return false
		}
		waiting := word & wheelWaitingMask
		ended := min(uint32(ran), waiting)
		if t.word.CompareAndSwap(word, word-ended) {
			return ended < waiting
		}
	}
}

// renew starts a new generation, which voids all firings. It reports whether
// any had not been handled completely.
func (t *wheelTimer[T]) renew() bool {
	for {
		word := t.word.Load()
		if t.word.CompareAndSwap(word, (word>>wheelWaitingBits+1)<<wheelWaitingBits) {
			return word&wheelWaitingMask > 0
		}
	}
}

// generation returns the number that arm gave this life of the timer.
func (t *wheelTimer[T]) generation() uint32 { return t.word.Load() >> wheelWaitingBits }

// wheelSpread returns a first delay in (0, period] that depends only on key, so
// that the timers of many actors which start at once do not fire at once.
func wheelSpread(key uint64, period time.Duration) time.Duration {
	if period <= 0 {
		return 0
	}
	key ^= key >> 30 // the finalizer of splitmix64 (Steele, Lea, Flood 2014)
	key *= 0xbf58476d1ce4e5b9
	key ^= key >> 27
	key *= 0x94d049bb133111eb
	key ^= key >> 31
	return 1 + time.Duration(key%uint64(period))
}
