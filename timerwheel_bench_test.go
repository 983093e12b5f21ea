// SPDX-License-Identifier: MIT

package troupe

import (
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// wheelPayload stands for what an actor's timer holds: the actor and a function.
type wheelPayload struct {
	actor *int
	fn    func()
}

const wheelArmed = 1_000_000

// wheelDelayAt spreads delays over 100 s, in an order without pattern.
func wheelDelayAt(i int) time.Duration {
	return time.Second + wheelSpread(uint64(i), 100*time.Second)
}

func newBenchDriver(b *testing.B, armed int) *timerDriver[wheelPayload] {
	d := newTimerDriver(0, 0, func([]wheelFired[wheelPayload]) {})
	d.start()
	b.Cleanup(d.stop)
	timers := make([]wheelTimer[wheelPayload], armed)
	for i := range timers {
		d.after(uint64(i), &timers[i], time.Hour+wheelDelayAt(i))
	}
	return d
}

func startStdTimers(b *testing.B, armed int) {
	timers := make([]*time.Timer, armed)
	for i := range timers {
		timers[i] = time.AfterFunc(time.Hour+wheelDelayAt(i), func() {})
	}
	b.Cleanup(func() {
		for _, t := range timers {
			t.Stop()
		}
	})
}

// BenchmarkTimerAdd includes the allocation of the timer.
func BenchmarkTimerAdd(b *testing.B) {
	b.Run("wheel", func(b *testing.B) {
		d := newBenchDriver(b, 0)
		b.ReportAllocs()
		b.ResetTimer()
		for i := range b.N {
			d.after(uint64(i), &wheelTimer[wheelPayload]{}, wheelDelayAt(i))
		}
	})
	b.Run("AfterFunc", func(b *testing.B) {
		timers := make([]*time.Timer, b.N)
		b.ReportAllocs()
		b.ResetTimer()
		for i := range b.N {
			timers[i] = time.AfterFunc(wheelDelayAt(i), func() {})
		}
		b.StopTimer()
		for _, t := range timers {
			t.Stop()
		}
	})
}

// BenchmarkTimerCancel cancels, in another order than they were added, as many
// timers as the run is long.
func BenchmarkTimerCancel(b *testing.B) {
	order := func(i, n int) int { return int(uint64(i) * 7919 % uint64(n)) } // a permutation unless 7919 divides n
	b.Run("wheel", func(b *testing.B) {
		d := newBenchDriver(b, 0)
		timers := make([]*wheelTimer[wheelPayload], b.N)
		for i := range timers {
			timers[i] = &wheelTimer[wheelPayload]{}
			d.after(uint64(i), timers[i], wheelDelayAt(i))
		}
		b.ReportAllocs()
		b.ResetTimer()
		for i := range b.N {
			d.cancel(timers[order(i, b.N)])
		}
	})
	b.Run("AfterFunc", func(b *testing.B) {
		timers := make([]*time.Timer, b.N)
		for i := range timers {
			timers[i] = time.AfterFunc(wheelDelayAt(i), func() {})
		}
		b.ReportAllocs()
		b.ResetTimer()
		for i := range b.N {
			timers[order(i, b.N)].Stop()
		}
	})
}

// BenchmarkTimerAddCancel is a deadline that is not reached, with 1 M others armed.
func BenchmarkTimerAddCancel(b *testing.B) {
	b.Run("wheel", func(b *testing.B) {
		d := newBenchDriver(b, wheelArmed)
		b.ReportAllocs()
		b.ResetTimer()
		for i := range b.N {
			t := &wheelTimer[wheelPayload]{}
			d.after(uint64(i), t, wheelDelayAt(i))
			d.cancel(t)
		}
	})
	b.Run("wheel/parallel", func(b *testing.B) {
		d := newBenchDriver(b, wheelArmed)
		var keys atomic.Uint64
		b.ReportAllocs()
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			key := keys.Add(1)
			t := &wheelTimer[wheelPayload]{}
			for i := 0; pb.Next(); i++ {
				d.after(key, t, wheelDelayAt(i))
				d.cancel(t)
			}
		})
	})
	b.Run("AfterFunc", func(b *testing.B) {
		startStdTimers(b, wheelArmed)
		b.ReportAllocs()
		b.ResetTimer()
		for i := range b.N {
			time.AfterFunc(wheelDelayAt(i), func() {}).Stop()
		}
	})
}

// BenchmarkTimerMemory reports the heap per armed timer, and what is left of it
// when the timer is cancelled but its handle kept by nobody.
func BenchmarkTimerMemory(b *testing.B) {
	const n = 200_000
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	measure := func(b *testing.B, run func(handles []any, i int), cancel func(handle any)) {
		for range b.N {
			handles := make([]any, n)
			before := heap()
			for i := range handles {
				run(handles, i)
			}
			armed := heap()
			for i := range handles {
				cancel(handles[i])
				handles[i] = nil
			}
			after := heap()
			b.ReportMetric(float64(armed-before)/n, "B/timer")
			b.ReportMetric(float64(after-before)/n, "B/cancelled")
			runtime.KeepAlive(handles)
		}
	}
	b.Run("wheel", func(b *testing.B) {
		d := newBenchDriver(b, 0)
		measure(b, func(handles []any, i int) {
			t := &wheelTimer[wheelPayload]{}
			d.after(uint64(i), t, time.Hour+wheelDelayAt(i))
			handles[i] = t
		}, func(handle any) { d.cancel(handle.(*wheelTimer[wheelPayload])) })
	})
	b.Run("AfterFunc", func(b *testing.B) {
		measure(b, func(handles []any, i int) { handles[i] = time.AfterFunc(time.Hour+wheelDelayAt(i), func() {}) },
			func(handle any) { handle.(*time.Timer).Stop() })
	})
}

// BenchmarkTimerPeriodic fires 200,000 timers once a second for 3 s at a time,
// and reports the CPU time per firing of the whole process, garbage collection
// included. One op is 3 s.
func BenchmarkTimerPeriodic(b *testing.B) {
	const n, period, span = 200_000, time.Second, 3 * time.Second
	cpu := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	measure := func(b *testing.B, fired *atomic.Int64) {
		time.Sleep(period) // all have fired once
		start, used := fired.Load(), cpu()
		for range b.N {
			time.Sleep(span)
		}
		count := fired.Load() - start
		b.ReportMetric(float64(cpu()-used)/float64(count), "cpu-ns/fire")
		b.ReportMetric(100*float64(count)/(float64(b.N)*n*float64(span/period)), "fired-%")
	}
	b.Run("wheel", func(b *testing.B) {
		var fired atomic.Int64
		d := newTimerDriver(0, 0, func(batch []wheelFired[wheelPayload]) {
			ran := 0
			for _, f := range batch {
				ran += f.timer.begin(f.gen)
				f.timer.end(f.gen, 1)
			}
			fired.Add(int64(ran))
		})
		d.start()
		b.Cleanup(d.stop)
		timers := make([]*wheelTimer[wheelPayload], n)
		for i := range timers {
			timers[i] = &wheelTimer[wheelPayload]{}
			if err := d.every(uint64(i), timers[i], wheelSpread(uint64(i), period), period, CoalesceSkip); err != nil {
				b.Fatal(err)
			}
		}
		measure(b, &fired)
	})
	b.Run("AfterFunc", func(b *testing.B) {
		var fired atomic.Int64
		var stopped atomic.Bool
		timers := make([]*time.Timer, n)
		for i := range timers {
			ready := make(chan struct{})
			timers[i] = time.AfterFunc(wheelSpread(uint64(i), period), func() {
				<-ready
				fired.Add(1)
				if !stopped.Load() {
					timers[i].Reset(period)
				}
			})
			close(ready)
		}
		measure(b, &fired)
		stopped.Store(true)
		for _, t := range timers {
			t.Stop()
		}
	})
}
