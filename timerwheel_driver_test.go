// SPDX-License-Identifier: MIT

package troupe

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// wheelRecorder runs firings on the driver's goroutine and notes when.
type wheelRecorder struct {
	*timerDriver[func()]
	begin time.Time
}

func startWheelRecorder(tick time.Duration, shards int) *wheelRecorder {
	r := &wheelRecorder{begin: time.Now()}
	r.timerDriver = newTimerDriver(tick, shards, func(batch []wheelFired[func()]) {
		for _, f := range batch {
			for ran := f.timer.begin(f.gen); ran > 0; ran = f.timer.begin(f.gen) {
				for range ran {
					f.timer.value()
				}
				if !f.timer.end(f.gen, ran) {
					break
				}
			}
		}
	})
	r.start()
	return r
}

func (r *wheelRecorder) elapsed() time.Duration { return time.Since(r.begin) }

func TestTimerDriverFiresOnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startWheelRecorder(0, 4)
		defer r.stop()
		var got []time.Duration
		note := func() { got = append(got, r.elapsed()) }
		for i, delay := range []time.Duration{time.Hour, -time.Second, 0, 15 * time.Millisecond, 20 * time.Millisecond, time.Second} {
			r.after(uint64(i), &wheelTimer[func()]{value: note}, delay)
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		const ms = time.Millisecond
		require.Equal(t, []time.Duration{10 * ms, 10 * ms, 20 * ms, 20 * ms, time.Second, time.Hour}, got)
		timers, _ := r.armed()
		require.Zero(t, timers)
	})
}

func TestTimerDriverWakesForEarlierTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startWheelRecorder(time.Millisecond, 2)
		defer r.stop()
		time.Sleep(time.Minute) // parked: nothing armed
		var got []time.Duration
		note := func() { got = append(got, r.elapsed()) }
		r.after(0, &wheelTimer[func()]{value: note}, time.Hour)
		time.Sleep(time.Second) // asleep until then
		r.after(1, &wheelTimer[func()]{value: note}, 5*time.Millisecond)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		require.Equal(t, []time.Duration{time.Minute + time.Second + 5*time.Millisecond, time.Minute + time.Hour}, got)
	})
}

func TestTimerDriverPeriodic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startWheelRecorder(0, 1)
		defer r.stop()
		var got []time.Duration
		tm := &wheelTimer[func()]{}
		tm.value = func() {
			got = append(got, r.elapsed())
			if len(got) == 4 {
				require.True(t, r.cancel(tm)) // from inside its own firing
			}
		}
		require.ErrorIs(t, r.every(0, tm, 0, 0, CoalesceSkip), ErrBadPeriod)
		require.ErrorIs(t, r.every(0, tm, 0, -1, CoalesceSkip), ErrBadPeriod)
		require.NoError(t, r.every(0, tm, 100*time.Millisecond, 25*time.Millisecond, CoalesceSkip))
		time.Sleep(time.Hour)
		synctest.Wait()
		const ms = time.Millisecond
		require.Equal(t, []time.Duration{100 * ms, 130 * ms, 150 * ms, 180 * ms}, got)
	})
}

// A firing takes 3.5 periods: what becomes of the three that fall due meanwhile.
func TestTimerDriverCoalesces(t *testing.T) {
	for _, c := range []struct {
		name   string
		policy Coalesce
		want   []time.Duration
	}{
		{"skip", CoalesceSkip, []time.Duration{1, 5, 6, 7}},
		{"once", CoalesceOnce, []time.Duration{1, 4, 5, 6, 7}},
		{"catch-up", CoalesceCatchUp, []time.Duration{1, 4, 4, 4, 5, 6, 7}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mail := make(chan wheelFired[func()], 1) // the actor's mailbox: one entry is enough
				d := newTimerDriver(0, 1, func(batch []wheelFired[func()]) {
					for _, f := range batch {
						mail <- f
					}
				})
				d.start()
				begin := time.Now()
				var got []time.Duration
				turns := make(chan struct{})
				go func() {
					defer close(turns)
					for f := range mail {
						for more := true; more; {
							ran := f.timer.begin(f.gen)
							for range ran {
								f.timer.value()
							}
							more = f.timer.end(f.gen, ran)
						}
					}
				}()
				tm := &wheelTimer[func()]{value: func() {
					got = append(got, time.Since(begin)/time.Second)
					if len(got) == 1 {
						time.Sleep(3500 * time.Millisecond)
					}
				}}
				require.NoError(t, d.every(0, tm, time.Second, time.Second, c.policy))
				time.Sleep(7500 * time.Millisecond)
				d.stop()
				close(mail)
				<-turns
				require.Equal(t, c.want, got)
			})
		})
	}
}

func TestTimerDriverStop(t *testing.T) {
	defer goleak.VerifyNone(t)
	fired := make(chan struct{})
	d := newTimerDriver(0, 0, func([]wheelFired[int]) { close(fired) })
	tm := &wheelTimer[int]{}
	d.after(0, tm, 0) // before start: fires once started
	d.start()
	d.start()
	<-fired
	d.stop()
	d.stop()
	d.start()
	d.after(0, tm, 0)
	require.True(t, d.cancel(tm))

	idle := newTimerDriver(0, 0, func([]wheelFired[int]) {})
	idle.stop() // never started
}

// TestTimerDriverHammer arms, moves and cancels from many goroutines while the
// driver expires. Every owner knows what its timer may do: a firing after a
// cancel, or a one-shot timer that neither fires nor can be cancelled, fails.
func TestTimerDriverHammer(t *testing.T) {
	defer goleak.VerifyNone(t)
	type owner struct {
		mu    sync.Mutex // the actor's turn
		live  bool
		fired chan struct{}
	}
	var wrong atomic.Int64
	d := newTimerDriver(time.Millisecond, 4, func(batch []wheelFired[*owner]) {
		for _, f := range batch {
			o := f.timer.value
			o.mu.Lock()
			if ran := f.timer.begin(f.gen); ran > 0 {
				if !o.live || ran != 1 {
					wrong.Add(1)
				}
				f.timer.end(f.gen, ran)
				o.live = false
				o.fired <- struct{}{}
			}
			o.mu.Unlock()
		}
	})
	d.start()
	rounds := 3000
	if testing.Short() {
		rounds = 300
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(g), 1))
			o := &owner{fired: make(chan struct{}, 1)}
			tm := &wheelTimer[*owner]{value: o}
			for range rounds {
				o.mu.Lock()
				o.live = true
				d.after(uint64(g), tm, time.Duration(rnd.Int64N(int64(2*time.Millisecond))))
				o.mu.Unlock()
				switch rnd.IntN(8) {
				case 0:
					<-o.fired // must come
				default:
					o.mu.Lock()
					if o.live != d.cancel(tm) {
						wrong.Add(1)
					}
					if !o.live {
						<-o.fired
					}
					o.live = false
					o.mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	d.stop()
	timers, _ := d.armed()
	require.Zero(t, timers)
	require.Zero(t, wrong.Load())
}
