// SPDX-License-Identifier: MIT

package cases

import (
	"context"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/bench/compare"
)

const (
	timerPeriod = time.Second
	// armLead is how long before the first firing the timers are armed.
	armLead = time.Second
	// The firings of a period are spread evenly over busyPart of it. In the rest
	// none is due: there, each timer has fired the same number of times, and one
	// look at the counters tells whether all of them did.
	busyPart = timerPeriod * 8 / 10
	lookAt   = timerPeriod * 95 / 100
	// Every observedShare-th timer of ours looks at the clock when it fires,
	// which costs more than the rest of the firing.
	observedShare = 16
)

// group is what the timers of one actor add to. The runtime's timers, which
// have no actors, share counters in the same way.
type group struct {
	fired atomic.Int64
	_     [56]byte // a cache line each
}

// beat is one periodic timer that knows when it is due.
type beat struct {
	due   time.Time // the next firing
	late  []time.Duration
	timer *time.Timer // of the runtime, which has no periodic callbacks
}

// fire notes how late the firing is, and returns how long until the next.
func (t *beat) fire() time.Duration {
	now := time.Now()
	if t.late != nil && len(t.late) < cap(t.late) {
		t.late = append(t.late, now.Sub(t.due))
	}
	t.due = t.due.Add(timerPeriod)
	return t.due.Sub(now)
}

// newBeat returns the i-th of n timers; some of them note how late they are.
func newBeat(i, n int, base time.Time) *beat {
	t := &beat{due: base.Add(busyPart * time.Duration(i) / time.Duration(n))}
	if i%observedShare == 0 {
		t.late = make([]time.Duration, 0, 16)
	}
	return t
}

// periodic is the work of timer/periodic: start arms n timers, the first of
// which is due at base, and returns their groups and the observed timers; stop
// ends them. The case looks at whole periods.
func periodic(b *compare.B, start func(n int, base time.Time) ([]group, []*beat), stop func()) func(n int) {
	return func(n int) {
		periods := 5
		if n < timers/10 {
			periods = 2 // a smoke run
		}
		base := time.Now().Add(armLead)
		groups, beats := start(n, base)
		if time.Now().After(base) {
			panic("arming the timers took too long")
		}
		time.Sleep(time.Until(base.Add(lookAt)))
		cpu, fired := cpuTime(), sum(groups)
		time.Sleep(time.Until(base.Add(lookAt + time.Duration(periods)*timerPeriod)))
		cpu, fired = cpuTime()-cpu, sum(groups)-fired
		stop()
		var late []time.Duration
		for _, t := range beats {
			late = append(late, t.late...)
		}
		due := float64(n * periods)
		b.Report("fired_pct", 100*float64(fired)/due)
		b.Report("cpu_s", cpu.Seconds())
		b.Report("late_p99_ms", float64(percentile(late, 0.99))/float64(time.Millisecond))
		b.Elapsed(time.Duration(float64(cpu) / due * float64(n)))
	}
}

// sum returns the firings so far.
func sum(groups []group) (total int64) {
	for i := range groups {
		total += groups[i].fired.Load()
	}
	return total
}

// percentile returns the p-th part of the values, 0 if there are none.
func percentile(values []time.Duration, p float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[int(float64(len(values)-1)*p)]
}

// cpuTime returns the CPU time of this process so far.
func cpuTime() time.Duration {
	var u syscall.Rusage
	compare.Must(syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// troupePeriodic arms the timers from the turns of their actors.
func troupePeriodic(b *compare.B) func(n int) {
	node := startNode(b)
	start := func(n int, base time.Time) ([]group, []*beat) {
		groups := make([]group, (n+timersPerActor-1)/timersPerActor)
		var observed []*beat
		for g := range groups {
			count := func(context.Context) { groups[g].fired.Add(1) }
			onTurn(node, func(actor *ticker) {
				for i := g * timersPerActor; i < min((g+1)*timersPerActor, n); i++ {
					fn := count
					t := newBeat(i, n, base)
					if t.late != nil {
						observed = append(observed, t)
						fn = func(ctx context.Context) { t.fire(); count(ctx) }
					}
					_, err := actor.Every(timerPeriod, fn, troupe.StartAfter(time.Until(t.due)))
					compare.Must(err)
				}
			})
		}
		return groups, observed
	}
	return periodic(b, start, func() { compare.Must(node.Stop(context.Background())) })
}

// stdPeriodic arms the runtime's timers again in their callbacks. To keep the
// period without drift, as ours do, each firing must look at the clock.
func stdPeriodic(b *compare.B) func(n int) {
	var beats []*beat
	var stopped atomic.Bool
	start := func(n int, base time.Time) ([]group, []*beat) {
		groups := make([]group, (n+timersPerActor-1)/timersPerActor)
		for i := range n {
			t := newBeat(i, n, base)
			beats = append(beats, t)
			counter := &groups[i/timersPerActor].fired
			// Armed in two steps: the callback reads t.timer.
			t.timer = time.AfterFunc(time.Hour, func() {
				next := t.fire()
				counter.Add(1)
				if !stopped.Load() {
					t.timer.Reset(next)
				}
			})
			t.timer.Reset(time.Until(t.due))
		}
		return groups, beats
	}
	return periodic(b, start, func() {
		stopped.Store(true)
		for _, t := range beats {
			t.timer.Stop()
		}
		time.Sleep(lookAt - busyPart) // for callbacks that are under way
	})
}
