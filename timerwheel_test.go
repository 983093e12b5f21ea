// SPDX-License-Identifier: MIT

package troupe

import (
	"math"
	"math/bits"
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

const wheelTestTick = time.Millisecond

func newTestWheel() *timerWheel[int] {
	w := &timerWheel[int]{}
	w.init(wheelTestTick)
	return w
}

// drain advances w to now and returns the values of the timers that expired, in
// order. It runs and ends each firing.
func (w *timerWheel[T]) drain(now time.Duration, capacity int) (values []T) {
	batch, more := make([]wheelFired[T], 0, capacity), true
	for more {
		batch, more = w.advance(now, batch[:0])
		for _, f := range batch {
			for n := f.timer.begin(f.gen); n > 0; n = 0 {
				for range n {
					values = append(values, f.timer.value)
				}
				f.timer.end(f.gen, n)
			}
		}
	}
	return values
}

// check verifies W3, W4, W5 and the links of every list.
func (w *timerWheel[T]) check(t require.TestingT) {
	linked := 0
	for s := range w.lists {
		list := &w.lists[s]
		busy := w.busy[s/64]>>(s%64)&1 == 1
		if busy != (list.head != nil) || busy != (list.tail != nil) {
			t.Errorf("W5: slot %d: busy %v, head %p, tail %p", s, busy, list.head, list.tail)
			t.FailNow()
		}
		if list.head != nil {
			linked += w.checkSlot(t, s, list)
		}
	}
	require.Equal(t, linked, w.count)
}

// checkSlot verifies a slot that is not empty, and returns its length.
func (w *timerWheel[T]) checkSlot(t require.TestingT, s int, list *wheelList[T]) (linked int) {
	if level := (s-wheelSlots0)/wheelSlots + 1; s < wheelSlots0 {
		require.Greater(t, s, int(w.cur&(wheelSlots0-1)), "W3: level 0")
	} else if s < wheelFar {
		require.Greater(t, s, wheelSlot(level, w.cur), "W3: level %d", level)
	}
	var prev *wheelChunk[T]
	for c := list.head; c != nil; prev, c = c, c.next {
		live := uint8(0)
		for i, tm := range c.items {
			if tm == nil {
				continue
			}
			live++
			require.True(t, tm.chunk == c && int(tm.index) == i && i >= int(c.first) && i < int(c.end))
		}
		linked += int(live)
		require.Equal(t, live, c.live)
		require.Positive(t, live, "W4: no empty chunks")
		require.Equal(t, uint16(s), c.slot)
		require.True(t, c.prev == prev, "prev of slot %d", s)
	}
	require.True(t, list.tail == prev, "tail of slot %d", s)
	return linked
}

func TestWheelTimerSize(t *testing.T) {
	if bits.UintSize == 64 {
		require.LessOrEqual(t, unsafe.Sizeof(wheelTimer[[2]uintptr]{}), uintptr(48))
		require.Equal(t, uintptr(256), unsafe.Sizeof(wheelChunk[int]{}))
	}
}

func TestWheelExpiresExactly(t *testing.T) {
	starts := []int64{0, 1, 1023, 1024, 1025, 65535, 65536, 1<<22 - 1, 1 << 22, 1<<28 - 3, 1<<34 - 2, 1 << 34, 5<<34 - 1}
	delays := []int64{0, 1, 2, 63, 64, 1023, 1024, 1025, 2047, 65535, 65536, 65537, 1 << 22, 1<<22 + 1, 1 << 28, 1<<34 - 1, 1 << 34, 1<<34 + 7, 3 << 34}
	for _, start := range starts {
		for _, delay := range delays {
			w := newTestWheel()
			require.Empty(t, w.drain(time.Duration(start)*wheelTestTick, 1))
			due := start + max(delay, 1)
			tm := &wheelTimer[int]{value: 7}
			got := w.arm(tm, time.Duration(start+delay)*wheelTestTick, 0, CoalesceSkip)
			require.Equal(t, due, got)
			w.check(t)
			require.Empty(t, w.drain(time.Duration(due)*wheelTestTick-1, 1), "W1: early, start %d delay %d", start, delay)
			w.check(t)
			require.Equal(t, []int{7}, w.drain(time.Duration(due)*wheelTestTick, 1), "W1: start %d delay %d", start, delay)
			require.Zero(t, w.count)
		}
	}
}

func TestWheelSleepsUntilWorkIsDue(t *testing.T) {
	w := newTestWheel()
	_, ok := w.next(0)
	require.False(t, ok)
	const hour = time.Hour + 123*wheelTestTick
	w.arm(&wheelTimer[int]{value: 1}, hour, 0, CoalesceSkip)
	var now time.Duration
	wakes := 0
	for {
		sleep, ok := w.next(now)
		require.True(t, ok)
		now += sleep
		wakes++
		if len(w.drain(now, 8)) > 0 {
			break
		}
	}
	require.Equal(t, hour, now)
	require.LessOrEqual(t, wakes, wheelLevels, "one wake-up per level, none per tick")
	_, ok = w.next(now)
	require.False(t, ok)
}

func TestWheelEndOfTime(t *testing.T) {
	w := newTestWheel()
	tm := &wheelTimer[int]{value: 1}
	w.arm(tm, math.MaxInt64, math.MaxInt64, CoalesceCatchUp)
	require.Empty(t, w.drain(math.MaxInt64-time.Hour, 4))
	w.check(t)
	require.True(t, w.cancel(tm))
	require.False(t, w.cancel(tm))
	w.check(t)
}

func TestWheelCancelGivesMemoryBack(t *testing.T) {
	w := newTestWheel()
	for i := range 1000 {
		tm := &wheelTimer[int]{}
		w.arm(tm, time.Duration(i*i)*wheelTestTick, time.Duration(i)*wheelTestTick, CoalesceSkip)
		require.True(t, w.cancel(tm), "W4")
		require.Nil(t, tm.chunk)
	}
	require.Zero(t, w.count)
	for s := range w.lists {
		require.Nil(t, w.lists[s].head, "W4: slot %d", s)
		require.Nil(t, w.lists[s].tail, "W4: slot %d", s)
	}
}

func TestWheelFiredThenCancelledIsVoid(t *testing.T) {
	for name, void := range map[string]func(*timerWheel[int], *wheelTimer[int]){
		"cancelled": func(w *timerWheel[int], tm *wheelTimer[int]) { require.True(t, w.cancel(tm)) },
		"armed anew": func(w *timerWheel[int], tm *wheelTimer[int]) {
			w.arm(tm, time.Second, 0, CoalesceSkip)
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, period := range []time.Duration{0, time.Minute} {
				w := newTestWheel()
				tm := &wheelTimer[int]{}
				w.arm(tm, wheelTestTick, period, CoalesceSkip)
				batch, more := w.advance(wheelTestTick, make([]wheelFired[int], 0, 4))
				require.False(t, more)
				require.Len(t, batch, 1)
				void(w, tm)
				require.Zero(t, batch[0].timer.begin(batch[0].gen))
				require.False(t, batch[0].timer.end(batch[0].gen, 1))
			}
		})
	}
}

func TestWheelCancelDuringExpiry(t *testing.T) {
	w := newTestWheel()
	timers := make([]wheelTimer[int], 5)
	for i := range timers {
		timers[i].value = i
		w.arm(&timers[i], 1100*wheelTestTick, 0, CoalesceSkip)
	}
	var got []int
	batch, more := make([]wheelFired[int], 0, 1), true
	for more {
		batch, more = w.advance(2*time.Second, batch[:0])
		for _, f := range batch {
			got = append(got, f.timer.value)
			switch f.timer.value { // the callback of 0 cancels 2 and moves 3
			case 0:
				require.True(t, w.cancel(&timers[2]))
				w.arm(&timers[3], 1900*wheelTestTick, 0, CoalesceSkip)
			case 1: // and 1 arms itself again, in the same tick
				w.arm(&timers[1], 1100*wheelTestTick, 0, CoalesceSkip)
				timers[1].value = 11
			}
		}
	}
	require.Equal(t, []int{0, 1, 4, 11, 3}, got)
	w.check(t)
}

// Many timers of one tick, armed at ever later times and so from ever lower
// levels, and some of them cancelled: chunks fill, empty and move.
func TestWheelKeepsOrderOfOneTick(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newTestWheel()
		due := rapid.Int64Range(1, 1<<36).Draw(t, "due")
		capacity := rapid.IntRange(1, 40).Draw(t, "capacity")
		var live []*wheelTimer[int]
		armed := 0
		for range rapid.IntRange(1, 8).Draw(t, "rounds") {
			for range rapid.IntRange(0, 70).Draw(t, "timers") {
				tm := &wheelTimer[int]{value: armed}
				w.arm(tm, time.Duration(due)*wheelTestTick, 0, CoalesceSkip)
				live = append(live, tm)
				armed++
			}
			from := rapid.IntRange(0, len(live)).Draw(t, "cancel from")
			to := rapid.IntRange(from, len(live)).Draw(t, "cancel to")
			for _, tm := range live[from:to] {
				require.True(t, w.cancel(tm))
			}
			live = slices.Delete(live, from, to)
			w.check(t)
			require.Empty(t, w.drain(time.Duration(rapid.Int64Range(w.cur, due-1).Draw(t, "now"))*wheelTestTick, capacity))
			w.check(t)
		}
		var want []int
		for _, tm := range live {
			want = append(want, tm.value)
		}
		require.Equal(t, want, w.drain(time.Duration(due)*wheelTestTick, capacity), "W2")
		w.check(t)
	})
}

// Thousands of timers exceed every limit of one advance, so that it is
// interrupted in the middle of cascades and of slots.
func TestWheelInterrupted(t *testing.T) {
	const n = 5000
	w := newTestWheel()
	for i := range n {
		w.arm(&wheelTimer[int]{value: i}, (70_000+time.Duration(i%3))*wheelTestTick, 0, CoalesceSkip)
	}
	var got []int
	calls := 0
	for batch, more := make([]wheelFired[int], 0, 100), true; more; calls++ {
		batch, more = w.advance(80_000*wheelTestTick, batch[:0])
		for _, f := range batch {
			got = append(got, f.timer.value)
		}
		if calls == 2 { // armed meanwhile, for a tick that has passed
			w.arm(&wheelTimer[int]{value: n}, 0, 0, CoalesceSkip)
		}
	}
	w.check(t)
	require.Greater(t, calls, n/100)
	slices.Sort(got)
	require.Len(t, slices.Compact(got), n+1)
}

func TestWheelPeriodDoesNotDrift(t *testing.T) {
	w := newTestWheel()
	w.arm(&wheelTimer[int]{}, 0, 2500*time.Microsecond, CoalesceSkip) // 2.5 ticks
	fired := 0
	for now := time.Duration(0); now < 10*time.Second; now += wheelTestTick {
		fired += len(w.drain(now, 1))
	}
	require.Equal(t, 4000, fired)
}

func TestWheelPeriodBelowTick(t *testing.T) {
	w := newTestWheel()
	w.arm(&wheelTimer[int]{}, 0, 1, CoalesceCatchUp)
	require.Len(t, w.drain(time.Second, 1), 1000, "one per tick")
}
