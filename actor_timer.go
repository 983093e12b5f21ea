// SPDX-License-Identifier: MIT

package troupe

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Timer is a timer of an actor: it fires on the actor's turn. It belongs to
// the instance that made it and ends with it: after a restart or passivation,
// OnActivate sets timers again.
type Timer struct {
	w wheelTimer[timerTarget]
}

// timerTarget is what a timer leads to: fn on the turn of the instance that
// base is embedded in, or, without base, fn on the driver's goroutine.
type timerTarget struct {
	base *Actor
	fn   func(ctx context.Context)
}

type timerFiring = wheelFired[timerTarget]

// TimerOption configures Every.
type TimerOption func(*timerOptions)

type timerOptions struct {
	first  time.Duration
	policy Coalesce
}

// StartAfter sets the delay before the first firing. Defaults to the period.
func StartAfter(d time.Duration) TimerOption {
	return func(o *timerOptions) { o.first = d }
}

// WithCoalesce sets what happens to firings that cannot happen in time.
// Defaults to CoalesceSkip.
func WithCoalesce(c Coalesce) TimerOption {
	return func(o *timerOptions) { o.policy = c }
}

// After calls fn once on the actor's turn, d from now rounded up to the node's
// WheelTick. It costs no goroutine and no runtime timer.
func (a *Actor) After(d time.Duration, fn func(ctx context.Context)) *Timer {
	t := &Timer{}
	n := a.armable(t, fn)
	if n == nil {
		return t
	}
	n.timers.driver.after(uint64(a.cell.id), &t.w, d)
	return t
}

// Every calls fn on the actor's turn every period without drift: firing n is
// due at start + n periods. A period of zero or less is refused with
// ErrBadPeriod, a period below the node's WheelTick is raised to it.
func (a *Actor) Every(period time.Duration, fn func(ctx context.Context), options ...TimerOption) (*Timer, error) {
	if period <= 0 {
		return nil, fmt.Errorf("%w: %v", ErrBadPeriod, period)
	}
	o := timerOptions{first: period}
	for _, option := range options {
		option(&o)
	}
	t := &Timer{}
	n := a.armable(t, fn)
	if n == nil {
		return nil, ErrNoActor
	}
	if err := n.timers.driver.every(uint64(a.cell.id), &t.w, o.first, period, o.policy); err != nil {
		return nil, err
	}
	return t, nil
}

// armable prepares t for fn. It returns nil when the actor has no node.
func (a *Actor) armable(t *Timer, fn func(ctx context.Context)) *Node {
	if a.cell == nil {
		return nil
	}
	t.w.value = timerTarget{base: a, fn: fn}
	a.cell.timed = true
	return a.cell.kind.node
}

// Stop cancels the timer and gives its place in the wheel back at once. No
// firing begins after Stop on the actor's turn, not even one that has expired
// already. It reports whether there was anything to cancel. Any goroutine may
// call it.
func (t *Timer) Stop() bool {
	if t == nil || t.w.value.base == nil {
		return false
	}
	return t.w.value.base.cell.kind.node.timers.driver.cancel(&t.w)
}

// nodeTimers drives the timers of a node and brings expired ones to the turns
// of their actors, in batches.
type nodeTimers struct {
	node   *Node
	driver *timerDriver[timerTarget]

	mu    sync.Mutex
	open  []*batch // not worked off at the last look
	watch wheelTimer[timerTarget]
	armed bool // watch
	sweep wheelTimer[timerTarget]
	dirty bool // sweep is armed
}

const (
	// stallTicks is after how many ticks another worker takes over the rest of
	// a batch whose worker is held up by a handler.
	stallTicks = 2
	// sweepAfter is how long timers of ended instances may stay in the wheel.
	sweepAfter = 5 * time.Second
)

func newNodeTimers(n *Node) *nodeTimers {
	nt := &nodeTimers{node: n}
	nt.driver = newTimerDriver(n.cfg.WheelTick, 0, nt.deliver)
	nt.watch.value = timerTarget{fn: func(context.Context) { nt.lookAtBatches() }}
	nt.sweep.value = timerTarget{fn: func(context.Context) { nt.sweepOrphans() }}
	return nt
}

func (nt *nodeTimers) start() { nt.driver.start() }
func (nt *nodeTimers) stop()  { nt.driver.stop() }

// after runs fn on c's system lane, delay from now.
func (n *Node) after(delay time.Duration, c *cell, fn func(c *cell)) {
	n.afterFunc(delay, uint64(c.id), func() { c.pushSystem(fn) })
}

// afterFunc runs fn on the driver's goroutine; it must not block.
func (n *Node) afterFunc(delay time.Duration, key uint64, fn func()) {
	t := &wheelTimer[timerTarget]{value: timerTarget{fn: func(context.Context) { fn() }}}
	n.timers.driver.after(key, t, delay)
}

// deliver gives expired timers to a worker. It runs on the driver's goroutine.
func (nt *nodeTimers) deliver(fired []timerFiring) {
	b := &batch{items: make([]timerFiring, 0, len(fired))}
	for _, f := range fired {
		if f.timer.value.base != nil {
			b.items = append(b.items, f)
			continue
		}
		if f.timer.begin(f.gen) > 0 {
			f.timer.end(f.gen, 1)
			f.timer.value.fn(nil)
		}
	}
	if len(b.items) == 0 {
		return
	}
	nt.mu.Lock()
	nt.open = append(nt.open, b)
	nt.watchLocked()
	nt.mu.Unlock()
	nt.node.sched.give(job{batch: b})
}

func (nt *nodeTimers) watchLocked() {
	if !nt.armed {
		nt.armed = true
		nt.driver.after(0, &nt.watch, stallTicks*nt.node.cfg.WheelTick)
	}
}

// lookAtBatches gives stalled batches to one more worker.
func (nt *nodeTimers) lookAtBatches() {
	nt.mu.Lock()
	defer nt.mu.Unlock()
	nt.armed = false
	open := nt.open[:0]
	for _, b := range nt.open {
		if b.done() {
			continue
		}
		open = append(open, b)
		if b.stalled() {
			nt.node.sched.give(job{batch: b})
		}
	}
	clear(nt.open[len(open):])
	if nt.open = open; len(open) > 0 {
		nt.watchLocked()
	}
}

// orphans notes that an instance with timers has ended.
func (nt *nodeTimers) orphans() {
	nt.mu.Lock()
	defer nt.mu.Unlock()
	if !nt.dirty {
		nt.dirty = true
		nt.driver.after(0, &nt.sweep, sweepAfter)
	}
}

// sweepOrphans takes the timers of ended instances out of the wheel. They would
// not fire any more, but a long one would hold its memory.
func (nt *nodeTimers) sweepOrphans() {
	nt.mu.Lock()
	nt.dirty = false
	nt.mu.Unlock()
	nt.driver.sweep(func(v timerTarget) bool { return v.base != nil && v.base.ended.Load() })
}

// fireTimer brings one expired timer to its actor's turn: at once if the actor
// is idle, through its system lane otherwise.
func fireTimer(t *turn, f timerFiring) {
	base := f.timer.value.base
	c := base.cell
	if !c.tryAcquire() {
		if !c.pushSystem(func(c *cell) { c.runTimer(f) }) {
			f.timer.end(f.gen, 1)
		}
		return
	}
	c.turn, t.running = t, c
	begun := c.beginTurn()
	c.runTimer(f)
	c.endTurn(begun)
	c.turnEnd()
	c.leaveTurn()
}

// runTimer runs the firings that wait, on the actor's turn.
func (c *cell) runTimer(f timerFiring) {
	base := f.timer.value.base
	n := f.timer.begin(f.gen)
	if n == 0 {
		return
	}
	if c.actor == nil || c.actor.actorBase() != base {
		c.kind.node.timers.driver.cancel(f.timer)
		return
	}
	if c.state != stateActive || c.kind.clustered && !c.ext.Load().session.Live() {
		f.timer.end(f.gen, n) // the lease does not allow a turn now
		return
	}
	c.kind.count(CountTimers, int64(n))
	ran := 0
	for ran < n && f.timer.generation() == f.gen {
		ran++
		if !c.runTimerFunc(f.timer.value.fn) {
			break // the instance is gone, and so are its timers
		}
	}
	if f.timer.end(f.gen, ran) {
		c.pushSystemOwned(func(c *cell) { c.runTimer(f) })
	}
}

// runTimerFunc reports false after a panic.
func (c *cell) runTimerFunc(fn func(ctx context.Context)) (ok bool) {
	t := c.turn
	t.meta = nil
	finished := false
	defer func() {
		if finished {
			return
		}
		p := newPanicError(c, "timer", recover())
		t.exited = p
		if p.recovered {
			t.exited = nil
			c.fail(p)
		}
	}()
	fn((*cellContext)(c))
	finished = true
	return true
}

// CronTimer is a timer that follows a cron specification.
type CronTimer struct {
	timer    Timer
	schedule CronSchedule
	fn       func(ctx context.Context)
	stopped  atomic.Bool
}

// Cron calls fn on the actor's turn at the times of a cron specification, see
// ParseCron; loc may be nil for UTC. A firing for which the actor is not active,
// or that falls into a pause of the process, is not made up for.
func (a *Actor) Cron(spec string, loc *time.Location, fn func(ctx context.Context)) (*CronTimer, error) {
	if loc == nil {
		loc = time.UTC
	}
	schedule, err := ParseCron(spec, loc)
	if err != nil {
		return nil, err
	}
	t := &CronTimer{schedule: schedule, fn: fn}
	if a.armable(&t.timer, t.fire) == nil {
		return nil, ErrNoActor
	}
	t.arm()
	return t, nil
}

// arm sets the timer for the next time of the schedule, if there is one.
func (t *CronTimer) arm() {
	now := time.Now()
	next, ok := t.schedule.Next(now)
	if !ok || t.stopped.Load() {
		return
	}
	c := t.timer.w.value.base.cell
	c.kind.node.timers.driver.after(uint64(c.id), &t.timer.w, next.Sub(now))
}

func (t *CronTimer) fire(ctx context.Context) {
	// The wall clock may have been set back since the timer was armed; Next
	// is asked for a time after the present one, so a time is not missed.
	defer t.arm()
	t.fn(ctx)
}

// Stop ends the timer. Any goroutine may call it.
func (t *CronTimer) Stop() bool {
	t.stopped.Store(true)
	return t.timer.Stop()
}
