// SPDX-License-Identifier: MIT

package troupe

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// wheelModel is the reference for timerWheel: an unordered set of timers that
// is searched completely at every step, with every rule written out.
type wheelModel struct {
	now    time.Duration
	timers []*wheelModelTimer
}

type wheelModelTimer struct {
	armed   bool
	at      time.Duration
	period  time.Duration
	policy  Coalesce
	floor   int64 // does not expire up to this tick
	waiting int   // firings told and not ended
	moved   bool  // told firings are void
}

func ceilTick(d time.Duration) int64 { return int64((d + wheelTestTick - 1) / wheelTestTick) }

func (m *wheelModel) arm(i int, at, period time.Duration, c Coalesce) {
	if period > 0 {
		period = max(period, wheelTestTick)
	}
	*m.timers[i] = wheelModelTimer{armed: true, at: at, period: period, policy: c, floor: int64(m.now / wheelTestTick)}
}

func (m *wheelModel) cancel(i int) bool {
	old := *m.timers[i]
	*m.timers[i] = wheelModelTimer{}
	return old.armed || old.waiting > 0
}

// advance returns which timers are told of a firing.
func (m *wheelModel) advance(now time.Duration) map[int]bool {
	m.now = now
	told := map[int]bool{}
	for i, t := range m.timers {
		if !t.armed || max(ceilTick(t.at), t.floor+1) > int64(now/wheelTestTick) {
			continue
		}
		before := t.waiting
		if t.period == 0 {
			t.armed = false
			t.waiting = 1
			told[i] = true
			continue
		}
		passed := int64(0)
		if far := (now - t.at) / t.period; far > 10_000 { // too many to count one by one
			passed = int64(far) - 10
			t.at += time.Duration(passed) * t.period
		}
		for ; passed == 0 || t.at <= now; passed++ {
			t.at += t.period
		}
		switch t.policy {
		case CoalesceSkip:
			t.waiting = max(1, t.waiting)
		case CoalesceOnce:
			t.waiting = min(2, t.waiting+1)
		case CoalesceCatchUp:
			t.waiting = int(min(maxCatchUpFirings, int64(t.waiting)+passed))
		}
		t.floor = 0
		if before == 0 {
			told[i] = true
		}
	}
	return told
}

// next returns the tick in which the first timer expires.
func (m *wheelModel) next() (int64, bool) {
	first, found := int64(0), false
	for _, t := range m.timers {
		if due := max(ceilTick(t.at), t.floor+1); t.armed && (!found || due < first) {
			first, found = due, true
		}
	}
	return first, found
}

// wheelDelay draws delays that gather at the edges of the levels.
func wheelDelay(t *rapid.T) time.Duration {
	edge := rapid.SampledFrom([]int64{0, 1, 2, 1024, 2048, 1 << 16, 1 << 22, 1 << 28, 1 << 34, 1 << 35}).Draw(t, "edge")
	off := rapid.Int64Range(-70, 70).Draw(t, "off")
	part := rapid.Int64Range(0, int64(wheelTestTick)-1).Draw(t, "part")
	return time.Duration(max(0, edge+off))*wheelTestTick + time.Duration(part)
}

func TestWheelAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const n = 8
		w, m := newTestWheel(), &wheelModel{}
		start := wheelDelay(t)
		w.drain(start, 1)
		m.now = start
		var timers [n]wheelTimer[int]
		for i := range n {
			timers[i].value = i
			m.timers = append(m.timers, &wheelModelTimer{})
		}
		capacity := rapid.IntRange(1, 4).Draw(t, "capacity")
		fired := map[int]uint32{} // firings told and not yet handled: generation
		pick := rapid.IntRange(0, n-1)
		t.Repeat(map[string]func(*rapid.T){
			"arm": func(t *rapid.T) {
				i, c := pick.Draw(t, "i"), Coalesce(rapid.IntRange(0, 2).Draw(t, "policy"))
				at, period := m.now+wheelDelay(t), time.Duration(0)
				if rapid.Bool().Draw(t, "periodic") {
					period = 1 + wheelDelay(t)
				}
				w.arm(&timers[i], at, period, c)
				m.arm(i, at, period, c)
			},
			"cancel": func(t *rapid.T) {
				i := pick.Draw(t, "i")
				require.Equal(t, m.cancel(i), w.cancel(&timers[i]))
			},
			"advance": func(t *rapid.T) {
				now := m.now + wheelDelay(t)/time.Duration(rapid.SampledFrom([]int{1, 1000, 1 << 20}).Draw(t, "part"))
				want := m.advance(now)
				got := map[int]bool{}
				for more, batch := true, make([]wheelFired[int], 0, capacity); more; {
					batch, more = w.advance(now, batch[:0])
					for _, f := range batch {
						require.False(t, got[f.timer.value], "told twice")
						got[f.timer.value] = true
						fired[f.timer.value] = f.gen
					}
				}
				require.Equal(t, want, got)
			},
			"handle": func(t *rapid.T) {
				i := pick.Draw(t, "i")
				gen, ok := fired[i]
				if !ok {
					t.Skip("not told")
				}
				ran := timers[i].begin(gen)
				if ran > 0 {
					ran = rapid.IntRange(0, ran).Draw(t, "ran")
				}
				left := max(0, m.timers[i].waiting-ran)
				if timers[i].generation() != gen {
					require.Zero(t, ran)
					left = 0
				} else {
					m.timers[i].waiting = left
				}
				more := timers[i].end(gen, ran)
				require.Equal(t, left > 0, more)
				if !more {
					delete(fired, i)
				}
			},
			"": func(t *rapid.T) {
				w.check(t)
				due, ok := m.next()
				tick, got := w.nextTick()
				require.Equal(t, ok, got)
				if ok {
					require.LessOrEqual(t, tick, due, "would sleep too long")
					require.Greater(t, tick, w.cur, "would not sleep")
				}
				for i := range timers {
					require.Equal(t, m.timers[i].armed, timers[i].chunk != nil)
				}
			},
		})
	})
}

func TestWheelPassed(t *testing.T) {
	for _, c := range []struct{ at, now, period, passed, next int64 }{
		{10, 10, 10, 1, 20},
		{10, 19, 10, 1, 20},
		{10, 20, 10, 2, 30},
		{10, 35, 10, 3, 40},
		{10, 5, 10, 1, 20}, // raised to the next tick: never passed zero times
		{0, maxWheelTime, maxWheelTime, 2, maxWheelTime},
		{maxWheelTime, maxWheelTime, 5, 1, maxWheelTime},
		{0, maxWheelTime, 1_000_000_000, maxWheelTime/1_000_000_000 + 1, maxWheelTime},
	} {
		passed, next := wheelPassed(c.at, c.now, c.period)
		require.Equal(t, []int64{c.passed, c.next}, []int64{passed, next}, "%+v", c)
	}
}

func TestCoalesceFires(t *testing.T) {
	for _, c := range []struct {
		policy  Coalesce
		waiting uint32
		passed  int64
		want    uint32
	}{
		{CoalesceSkip, 0, 1, 1},
		{CoalesceSkip, 0, 9, 1},
		{CoalesceSkip, 1, 9, 0},
		{CoalesceOnce, 0, 9, 1},
		{CoalesceOnce, 1, 9, 1},
		{CoalesceOnce, 2, 9, 0},
		{CoalesceCatchUp, 0, 9, 9},
		{CoalesceCatchUp, 3, 9, 9},
		{CoalesceCatchUp, maxCatchUpFirings - 1, 9, 1},
		{CoalesceCatchUp, maxCatchUpFirings, 9, 0},
		{CoalesceCatchUp, 0, 1 << 40, maxCatchUpFirings},
	} {
		require.Equal(t, c.want, c.policy.fires(c.waiting, c.passed), "%+v", c)
	}
}

func TestWheelSpread(t *testing.T) {
	const period = time.Second
	var buckets [10]int
	for key := range uint64(10000) {
		d := wheelSpread(key, period)
		require.True(t, d > 0 && d <= period)
		require.Equal(t, d, wheelSpread(key, period))
		buckets[(d-1)*10/period]++
	}
	for i, n := range buckets {
		require.InDelta(t, 1000, n, 150, "bucket %d", i)
	}
	require.Zero(t, wheelSpread(1, 0))
}
