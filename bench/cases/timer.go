// SPDX-License-Identifier: MIT

package cases

import (
	"context"
	"runtime"
	"time"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/bench/compare"
)

const (
	timers = 200_000
	// timersPerActor is how many periodic timers share an actor.
	timersPerActor = 100
)

// timerCases compare the node's timing wheel with the runtime's timers. Ours
// fire on their actor's turn, one at a time; the runtime's on any goroutine.
func timerCases() []compare.Case {
	return []compare.Case{
		{
			Name:  "timer/add",
			About: "arm timers of 10 to 70 s; bytes_timer is the memory of each, callback included",
			N:     timers, Runs: 3,
			Contenders: []compare.Contender{
				{Name: compare.Ours, New: troupeTimerAdd},
				{Name: "stdtimer", New: stdTimerAdd},
			},
		},
		{
			Name:  "timer/cancel",
			About: "cancel armed timers; bytes_after is what each still holds",
			N:     timers, Runs: 3,
			Contenders: []compare.Contender{
				{Name: compare.Ours, New: troupeTimerCancel},
				{Name: "stdtimer", New: stdTimerCancel},
			},
		},
		{
			Name:  "timer/periodic",
			About: "200,000 timers of 1 s for 5 s; cpu_s is the process's CPU time, ns_op that of one firing",
			N:     timers, Runs: 1, MaxRounds: 3, Timeout: time.Minute,
			Contenders: []compare.Contender{
				{Name: compare.Ours, New: troupePeriodic},
				{Name: "stdtimer", New: stdPeriodic},
			},
		},
	}
}

// delayOf spreads the timers' delays evenly over 10 to 70 s: none fires during
// the measurement.
func delayOf(i int) time.Duration {
	return 10*time.Second + time.Duration(i%60_000)*time.Millisecond
}

// addTimers is the work of timer/add: arm makes the i-th timer and returns how
// to stop it.
func addTimers[T any](b *compare.B, arm func(i int) T, stop func(T)) func(n int) {
	return func(n int) {
		armed := make([]T, n)
		before := memory()
		start := time.Now()
		for i := range armed {
			armed[i] = arm(i)
		}
		b.Elapsed(time.Since(start))
		b.Report("bytes_timer", (memory()-before)/float64(n))
		for _, t := range armed {
			stop(t)
		}
	}
}

// cancelTimers is the work of timer/cancel. The program keeps the handles of
// the cancelled timers, as actors do in their fields, and then drops them:
// whatever is left is what the timers' home kept.
func cancelTimers[T any](b *compare.B, arm func(i int) T, stop func(T)) func(n int) {
	return func(n int) {
		before := memory()
		armed := make([]T, n)
		for i := range armed {
			armed[i] = arm(i)
		}
		runtime.GC()
		start := time.Now()
		for _, t := range armed {
			stop(t)
		}
		b.Elapsed(time.Since(start))
		armed = nil
		_ = armed
		b.Report("bytes_after", max(0, memory()-before)/float64(n))
	}
}

func stdTimerAdd(b *compare.B) func(n int) {
	return addTimers(b, func(i int) *time.Timer { return time.AfterFunc(delayOf(i), func() {}) }, stopStd)
}

func stdTimerCancel(b *compare.B) func(n int) {
	return cancelTimers(b, func(i int) *time.Timer { return time.AfterFunc(delayOf(i), func() {}) }, stopStd)
}

func stopStd(t *time.Timer) { t.Stop() }

// ticker is the actor whose timers are measured.
type ticker struct{ troupe.Actor }

// Idle is its only handler: a kind needs one.
func (*ticker) Idle(context.Context) error { return nil }

// onTurn runs f on a turn of a new ticker and waits for it.
func onTurn(node *troupe.Node, f func(t *ticker)) {
	var actor *ticker
	_, err := troupe.Spawn(node, "ticker", func(t *ticker) { actor = t })
	compare.Must(err)
	done := make(chan struct{})
	compare.Must(actor.Do(func(context.Context) {
		defer close(done)
		f(actor)
	}))
	<-done
}

// troupeTimers runs work on the turn of one actor that arms and stops timers.
func troupeTimers(work func(b *compare.B, arm func(i int) *troupe.Timer, stop func(*troupe.Timer)) func(n int)) func(b *compare.B) func(n int) {
	return func(b *compare.B) func(n int) {
		node := startNode(b)
		return func(n int) {
			onTurn(node, func(t *ticker) {
				work(b, func(i int) *troupe.Timer {
					return t.After(delayOf(i), func(context.Context) {})
				}, func(t *troupe.Timer) { t.Stop() })(n)
			})
		}
	}
}

func troupeTimerAdd(b *compare.B) func(n int) { return troupeTimers(addTimers[*troupe.Timer])(b) }

func troupeTimerCancel(b *compare.B) func(n int) { return troupeTimers(cancelTimers[*troupe.Timer])(b) }
