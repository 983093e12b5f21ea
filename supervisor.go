// SPDX-License-Identifier: MIT

package troupe

import (
	"fmt"
	"time"
)

// Directive is what a supervisor does about an actor whose handler panicked.
type Directive uint8

const (
	// Restart drops the actor's memory and makes a new instance, which runs
	// Spawn's init function and OnActivate again. Queued messages are kept;
	// timers, subscriptions and children of the old instance end.
	Restart Directive = iota
	// Resume goes on with the next message and the same instance.
	Resume
	// Stop stops the actor; what is queued is refused with ErrActorStopped.
	// A virtual actor comes back with the next message.
	Stop
	// Escalate stops the actor and lets its parent fail with the same cause;
	// without a parent it is Stop.
	Escalate
)

// Supervision is the failure policy of a kind.
type Supervision struct {
	// Directive is what happens after a panic. Defaults to Restart.
	Directive Directive
	// MaxRestarts within Within turn the next restart into Stop. Default to 10
	// within a minute; MaxRestarts -1 means no bound.
	MaxRestarts int
	Within      time.Duration
	// Backoff is the delay before the second restart in a row; the first is
	// immediate. It doubles up to MaxBackoff and starts over after a restart
	// that was followed by Within without a panic. Messages queue meanwhile.
	// Default to 100 ms and 10 s.
	Backoff    time.Duration
	MaxBackoff time.Duration
}

func (s Supervision) withDefaults() (Supervision, error) {
	if s.Directive > Escalate {
		return s, fmt.Errorf("unknown directive %d", s.Directive)
	}
	if s.MaxRestarts < -1 || s.Within < 0 || s.Backoff < 0 || s.MaxBackoff < 0 {
		return s, fmt.Errorf("negative value")
	}
	if s.MaxRestarts == 0 {
		s.MaxRestarts = 10
	}
	if s.Within == 0 {
		s.Within = time.Minute
	}
	if s.Backoff == 0 {
		s.Backoff = 100 * time.Millisecond
	}
	if s.MaxBackoff == 0 {
		s.MaxBackoff = 10 * time.Second
	}
	s.MaxBackoff = max(s.MaxBackoff, s.Backoff)
	return s, nil
}

// restartState is the failure history of one actor.
type restartState struct {
	count int           // restarts since windowStart
	row   int           // restarts without a quiet time between
	start time.Duration // node time of the first restart that counts
	last  time.Duration
}

// decide is the pure core of supervision: it returns what to do about a
// failure at node time now, and how long to wait first.
func (s Supervision) decide(r *restartState, now time.Duration) (Directive, time.Duration) {
	if s.Directive != Restart {
		return s.Directive, 0
	}
	if r.count == 0 || now-r.start > s.Within {
		r.count, r.start = 0, now
	}
	if r.row > 0 && now-r.last > s.Within {
		r.row = 0
	}
	if s.MaxRestarts >= 0 && r.count >= s.MaxRestarts {
		return Stop, 0
	}
	r.count++
	r.row++
	r.last = now
	if r.row == 1 {
		return Restart, 0
	}
	delay := s.Backoff
	for i := 2; i < r.row && delay < s.MaxBackoff; i++ {
		delay *= 2
	}
	return Restart, min(delay, s.MaxBackoff)
}

// retry puts a message that panicked aside for another try after the restart.
// It reports false, with the error for the caller, when the message has used
// up its tries or its kind grants none; fail is then the caller's duty.
func (c *cell) retry(t *turn, p *panicError) (again bool, err error) {
	if c.kind.retries == 0 {
		return false, p
	}
	kept := t.kept
	t.kept = envelope{}
	m := &meta{}
	if t.env.meta != nil {
		*m = *t.env.meta
	}
	if m.tries >= c.kind.retries {
		err = &poisonError{p}
		c.kind.count(CountDropPoison, 1)
		c.kind.node.deadLetter(DeadLetter{To: c.ref(), Method: kept.m.Info().Name, From: m.from, Reason: ErrPoison})
		kept.m.drop(kept)
		return false, err
	}
	m.tries++
	kept.meta = m
	c.fail(p)
	// The retry runs before anything that was queued behind the message.
	c.pushSystemOwned(func(c *cell) { c.redeliver(kept) })
	return true, nil
}

// poisonError is the error of a message that panicked in every try.
type poisonError struct{ last *panicError }

func (e *poisonError) Error() string   { return ErrPoison.Error() + ": " + e.last.text }
func (e *poisonError) Unwrap() []error { return []error{ErrPoison, e.last} }

// redeliver runs a message again after a restart.
func (c *cell) redeliver(e envelope) {
	t := c.turn
	t.env = e
	switch c.state {
	case stateWaiting:
		c.setAside(t)
		return
	case stateGone:
		c.discard(&t.env, CountDropStopped, stopError(c.kind.node))
		return
	}
	if c.prepare(t) {
		c.handle(t)
	}
}

// resumeHanded handles a message that was handed over with the cell when the
// system lane had something to do first.
func (c *cell) resumeHanded() {
	if c.state != stateWaiting {
		c.resume()
	}
}

// restartNow ends the backoff.
func (c *cell) restartNow() {
	if c.state != stateWaiting || !c.extra().backoff {
		return
	}
	c.extra().backoff = false
	c.state = stateFresh
	if len(c.extra().again) == 0 && c.kind.class != classVirtual {
		c.restart()
	}
	c.resume()
}

// fail is called on the turn with the cause of a failure.
func (c *cell) fail(cause error) {
	if c.state != stateActive {
		return
	}
	n := c.kind.node
	x := c.extra()
	directive, delay := c.kind.supervision.decide(&x.restarts, time.Duration(n.now()))
	switch directive {
	case Resume:
	case Restart:
		c.kind.count(CountRestarts, 1)
		n.log.Warn("troupe: restarting actor", "actor", c.ref(), "after", delay, "cause", cause)
		c.dropInstance()
		c.state = stateFresh
		if delay > 0 {
			c.state, x.backoff = stateWaiting, true
			n.after(delay, c, (*cell).restartNow)
		} else if c.kind.class != classVirtual {
			c.pushSystemOwned((*cell).restart)
		}
	case Escalate:
		parent := x.parent
		c.terminate(cause, false)
		if parent != nil {
			parent.pushSystem(func(p *cell) { p.fail(cause) })
		}
	default:
		c.terminate(cause, false)
	}
}

// restart activates a new instance at once: actors other than virtual ones may
// have timers or subscriptions to set up, without a message to wait for.
func (c *cell) restart() {
	if c.state == stateFresh && (!c.kind.clustered || c.owned()) {
		c.turn.env = envelope{}
		c.activate(c.turn)
	}
}

// dropInstance ends what belongs to the instance and forgets it, without
// OnDeactivate: its memory is not to be trusted.
func (c *cell) dropInstance() {
	c.endInstance()
	for _, child := range c.takeChildren() {
		child.stop(ErrActorStopped)
	}
	c.actor = nil
}

// endInstance cancels the timers and subscriptions of the instance.
func (c *cell) endInstance() {
	c.actor.actorBase().ended.Store(true)
	if c.timed {
		c.timed = false
		c.kind.node.timers.orphans()
	}
	x := c.ext.Load()
	if x == nil {
		return
	}
	for _, cancel := range x.cancels {
		cancel()
	}
	x.cancels, x.attachments = nil, nil
}

func (c *cell) takeChildren() []*cell {
	x := c.ext.Load()
	if x == nil {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	children := make([]*cell, 0, len(x.children))
	for child := range x.children {
		children = append(children, child)
	}
	x.children = nil
	return children
}
