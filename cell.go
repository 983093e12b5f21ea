// SPDX-License-Identifier: MIT

package troupe

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"

	"github.com/troupe-go/troupe/internal/mpsc"
)

// cell is the place of one actor on a node: its mailbox, and the actor itself
// while it is active.
//
// The mailbox is also the lock of the cell. Whoever made it non-empty or won
// tryAcquire is its consumer: the only one who reads and writes the fields
// marked "turn", until tryIdle or tryClose gives the cell away. The pop that
// returns a message and the tryAcquire that follows a tryIdle synchronize
// after everything the previous consumer did.
//
//	            activate             deactivate
//	fresh ───────────────> active ───────────────> fresh (passivated, or
//	  │ │                    │                       gone when empty)
//	  │ └──OnActivate failed─┴──stop──> gone
//	  └──────────────────────restart with backoff: waiting
//
// Invariants: A1 one consumer at a time; A2 a gone cell's mailbox is closed,
// or will be by its consumer, and everything in it is answered; A3 a cell that
// is in the registry is not gone.
type cell struct {
	queue mpsc.Queue[envelope]
	// sys is the system lane: continuations, timers of one's own, stop. It has
	// no bound, is never refused and goes before the queue.
	sys  atomic.Pointer[sysMsg]
	kind *kind
	id   int64
	ext  atomic.Pointer[cellExt] // what most actors do not need

	actor ActorHolder   // turn; nil unless active
	turn  *turn         // turn; the turn that runs, for calls from the handler
	state cellState     // turn
	timed bool          // turn; the instance has had timers
	where atomic.Uint32 // in a cluster: a hint for senders, see directory.go
	held  atomic.Uint32 // 1: waiting without a consumer, see hold
	init  initFunc      // Spawn's, nil: none; constant
	epoch atomic.Uint64 // fencing epoch of the activation; written on the turn
}

type cellState uint8

const (
	stateFresh cellState = iota // no instance; the next message makes one
	stateActive
	stateWaiting // between a failure and the restart, or for a claim
	stateRemote  // in a cluster: another node owns the id
	stateGone
)

// sysMsg is an entry of the system lane.
type sysMsg struct {
	next *sysMsg
	run  func(c *cell)
}

// turn is what a goroutine needs to run cells. It is reused from cell to cell.
type turn struct {
	env     envelope
	worker  *worker // whose turn it is and who can run another cell after it, or nil
	running *cell
	inline  meta
	meta    *meta // of the message that is handled; nil for a plain send
	// kept is a copy of the message for a kind with Retries.
	kept envelope
	// exited is set when the handler did not return.
	exited *panicError
	// failure is why the last activation failed.
	failure error
	// scratch takes small results that nobody wants.
	scratch scratch
	slab    []turnContext
	depth   int // of turns that callers run inline
}

// ref returns the actor's Ref.
func (c *cell) ref() Ref {
	r := Ref{Kind: c.kind.name, ID: c.id, Name: c.name()}
	if c.kind.class == classLocal || c.kind.class == classPool {
		r.Node = c.kind.node.name
		if x := c.ext.Load(); x != nil && x.foreign != "" {
			r.Node = x.foreign
		}
	}
	return r
}

// name is the string key, empty when id is the key.
func (c *cell) name() string {
	if x := c.ext.Load(); x != nil {
		return x.name
	}
	return ""
}

// schedule hands the cell to a worker. The caller is its consumer and is not
// any more.
func (c *cell) schedule() { _ = c.kind.node.sched.schedule(c) }

// pushSystem appends to the system lane and sees to it that it runs. It
// reports false when the cell is gone; run is then not called.
func (c *cell) pushSystem(run func(c *cell)) bool {
	m := &sysMsg{run: run}
	for {
		head := c.sys.Load()
		if head == &laneClosed {
			return false
		}
		m.next = head
		if c.sys.CompareAndSwap(head, m) {
			break
		}
	}
	// The entry is visible before the check: a consumer that goes idle after
	// it looks at the lane once more (see run).
	if c.tryAcquire() || c.unhold() {
		c.schedule()
	}
	return true
}

// pushSystemOwned is pushSystem for the consumer itself, who will look at the
// lane before it gives the cell up.
func (c *cell) pushSystemOwned(run func(c *cell)) {
	m := &sysMsg{run: run}
	for {
		m.next = c.sys.Load()
		if m.next == &laneClosed || c.sys.CompareAndSwap(m.next, m) {
			return
		}
	}
}

// laneClosed ends the system lane of a cell that is gone.
var laneClosed sysMsg

// runSystem runs what is in the system lane, oldest first.
func (c *cell) runSystem() {
	for {
		newest := c.sys.Load()
		if newest == nil || newest == &laneClosed {
			return
		}
		if !c.sys.CompareAndSwap(newest, nil) {
			continue
		}
		var oldest *sysMsg
		for m := newest; m != nil; {
			m, m.next, oldest = m.next, oldest, m
		}
		for m := oldest; m != nil; m = m.next {
			c.runOneSystem(m)
		}
	}
}

func (c *cell) runOneSystem(m *sysMsg) {
	defer func() {
		if v := recover(); v != nil {
			c.fail(newPanicError(c, "system", v))
		}
	}()
	defer c.endTurn(c.beginTurn())
	m.run(c)
}

func (c *cell) tryAcquire() bool {
	if x := c.ext.Load(); x != nil && x.ring != nil {
		return x.ring.TryAcquire()
	}
	return c.queue.TryAcquire()
}

func (c *cell) tryIdle() bool {
	if x := c.ext.Load(); x != nil && x.ring != nil {
		return x.ring.TryIdle()
	}
	return c.queue.TryIdle()
}

func (c *cell) tryClose() bool {
	if x := c.ext.Load(); x != nil && x.ring != nil {
		return x.ring.TryClose()
	}
	return c.queue.TryClose()
}

func (c *cell) pop(e *envelope) mpsc.PopResult {
	x := c.ext.Load()
	if x == nil {
		return c.queue.Pop(e)
	}
	return x.pop(c, e)
}

// run consumes the cell until it is idle, gone or waiting. The caller is the
// consumer when it calls, and is not any more when run returns.
// A message in t.env was handed over with the cell and is handled first.
func (c *cell) run(t *turn) {
	sampled := c.kind.node.sampler.begin(c)
	turns, budget := 0, c.kind.budget
	spins := 0
	c.turn, t.running = t, c
	handed := t.env.m != nil
	for {
		if c.sys.Load() != nil {
			if handed { // system entries have turns of their own
				c.extra().again = append(c.extra().again, t.env)
				t.env, handed = envelope{}, false
				c.pushSystemOwned((*cell).resumeHanded)
			}
			t.handOn()
			c.runSystem()
		}
		if handed {
			handed = false
			if c.state == stateGone || c.state == stateWaiting {
				c.redeliver(t.env)
			} else if c.prepare(t) {
				c.handle(t)
				turns++
			}
			continue
		}
		switch c.state {
		case stateGone:
			c.endRun(turns, &sampled)
			return
		case stateWaiting:
			if x := c.extra(); x.stopping != nil && !x.stopping.passive {
				c.terminate(x.stopping.cause, true)
				continue
			}
			c.turn = nil
			if c.hold() {
				c.endRun(turns, &sampled)
				return
			}
			c.turn = t
			continue
		}
		switch c.pop(&t.env) {
		case mpsc.Popped:
			spins = 0
			t.handOn()
			if !c.prepare(t) {
				continue
			}
			c.handle(t)
			if x := c.ext.Load(); x != nil && x.moving != nil {
				c.finishMove(false)
			}
			if turns++; turns%budget == 0 {
				c.turnEnd()
				runtime.Gosched()
			}
		case mpsc.Pending:
			if spins++; spins > pendingSpins {
				runtime.Gosched()
			}
		case mpsc.Empty:
			spins = 0
			if c.goIdle(t, turns, &sampled) {
				return
			}
		}
	}
}

// prepare makes the cell ready for the message in t.env. It reports false when
// the message has been dealt with otherwise.
func (c *cell) prepare(t *turn) bool {
	if c.kind.clustered {
		return c.ready(t)
	}
	return c.state != stateFresh || c.activate(t)
}

// pendingSpins is how often a consumer looks again for a message whose producer
// is between claiming its place and writing it, a few nanoseconds, before it
// yields because that producer may have been preempted.
const pendingSpins = 64

// goIdle ends a run whose mailbox is empty. It reports false when there is more
// to do and the caller is still the consumer.
func (c *cell) goIdle(t *turn, turns int, sampled *runSample) bool {
	c.turnEnd()
	if c.finishStop() {
		return false // run looks at the state
	}
	if x := c.ext.Load(); x != nil && x.moving != nil && c.finishMove(true) {
		return false
	}
	k := c.kind
	if x := c.ext.Load(); x != nil {
		x.wakeSenders()
		if k.tracked() && c.state == stateActive {
			k.lru.touch(c, x)
		}
	}
	// From tryIdle on another consumer may run the cell.
	c.turn = nil
	if !c.tryIdle() {
		c.turn = t
		return false
	}
	if c.sys.Load() != nil && c.tryAcquire() {
		c.turn = t
		return false
	}
	k.endRun(turns, sampled)
	return true
}

func (c *cell) endRun(turns int, sampled *runSample) { c.kind.endRun(turns, sampled) }

func (k *kind) endRun(turns int, sampled *runSample) {
	k.count(CountTurns, int64(turns))
	if sampled.on {
		sampled.end(k, turns)
	}
}

// turnEnd runs the attachments, such as documents to be saved.
func (c *cell) turnEnd() {
	x := c.ext.Load()
	if x == nil || len(x.attachments) == 0 || c.state != stateActive {
		return
	}
	for _, a := range x.attachments {
		a.TurnEnd()
	}
}

// hold leaves a waiting cell without a consumer until unhold. It reports false
// when the system lane has something for it.
func (c *cell) hold() bool {
	c.held.Store(1)
	if c.sys.Load() == nil {
		return true
	}
	return !c.held.CompareAndSwap(1, 0)
}

// unhold makes the caller the consumer of a held cell.
func (c *cell) unhold() bool { return c.held.Load() == 1 && c.held.CompareAndSwap(1, 0) }

// handle runs the message in t.env.
func (c *cell) handle(t *turn) {
	if c.kind.reentrant {
		defer c.endTurn(c.beginTurn())
	}
	m := t.env.meta
	if m == nil {
		t.meta = nil
		if _, err := c.invoke((*cellContext)(c), t); err != nil {
			c.afterSend(t, err)
		}
	} else {
		c.handleMeta(t, m)
	}
	t.env.m, t.env.meta = nil, nil
}

// beginTurn takes the turn of a reentrant actor, which its handler gives up
// while it waits for a call. It reports whether endTurn is to give it back.
func (c *cell) beginTurn() bool {
	if !c.kind.reentrant {
		return false
	}
	x := c.extra()
	if x.inTurn {
		return false // part of a turn that is under way
	}
	x.reentry.Lock()
	x.inTurn = true
	return true
}

func (c *cell) endTurn(begun bool) {
	if begun {
		x := c.extra()
		x.inTurn = false
		x.reentry.Unlock()
	}
}

// afterSend deals with the failure of a message whose reply nobody waits for.
func (c *cell) afterSend(t *turn, err error) {
	p := asPanic(err)
	if p == nil {
		c.kind.node.log.Debug("troupe: one-way message failed", "to", c.ref(), "method", t.env.m.Info().Name, "err", err)
		return
	}
	t.exited = nil
	if again, _ := c.retry(t, p); !again {
		c.fail(p)
	}
}

func (c *cell) handleMeta(t *turn, m *meta) {
	k := c.kind
	if m.call != nil && !m.call.waiting() {
		c.discard(&t.env, CountDropExpired, ErrTimeout)
		return
	}
	if m.deadline != 0 && m.remote != nil && k.node.now() > m.deadline {
		c.discard(&t.env, CountDropExpired, ErrTimeout)
		return
	}
	var ctx context.Context
	if m.call == nil && m.remote == nil && m.trace == nil {
		ctx = (*cellContext)(c)
	} else {
		ctx = t.newTurnContext(c, m)
	}
	t.meta = m
	method := t.env.m
	reply, err := c.invoke(ctx, t)
	t.meta = nil
	if tc, ok := ctx.(*turnContext); ok {
		tc.end()
	}
	if err == nil {
		answer(method, m, reply, nil)
		return
	}
	p := asPanic(err)
	if p == nil {
		answer(method, m, reply, err)
		return
	}
	t.exited = nil
	again, err := c.retry(t, p)
	if again {
		return
	}
	// The caller hears of it when the actor is ready for its next message.
	c.fail(p)
	answer(method, m, nil, err)
}

// answer gives the outcome of a message to whoever waits for it.
func answer(method AnyMethod, m *meta, reply pointer, err error) {
	switch {
	case m.call != nil:
		if err != nil {
			method.putReply(reply)
			reply = nil
		}
		if !m.call.complete(reply, err) {
			method.putReply(reply)
		}
	case m.remote != nil:
		m.remote.reply(method, reply, err)
	default:
		method.putReply(reply)
	}
}

// invoke calls the handler of t.env and turns a panic into an error. A handler
// that ends its goroutine does not return here: see scheduler.work.
func (c *cell) invoke(ctx context.Context, t *turn) (reply pointer, err error) {
	if c.kind.retries > 0 {
		t.kept = t.env.m.clone(t.env)
	}
	finished := false
	defer func() {
		if finished {
			return
		}
		p := newPanicError(c, t.env.m.Info().Name, recover())
		t.exited = p
		err = p
	}()
	scratch := &t.scratch
	if t.meta != nil {
		scratch = nil // somebody may want the reply
	}
	reply, err = t.env.m.invoke(ctx, c.actor, &t.env, scratch)
	finished = true
	if c.kind.retries > 0 {
		t.kept.m.drop(t.kept)
		t.kept = envelope{}
	}
	if t.meta == nil && reply != nil {
		t.env.m.putReply(reply)
		reply = nil
	}
	return reply, err
}

// discard refuses one message that is not going to be handled.
func (c *cell) discard(e *envelope, reason Counter, err error) {
	c.kind.discard(c.ref(), e, reason, err)
}

func (k *kind) discard(to Ref, e *envelope, reason Counter, err error) {
	k.count(reason, 1)
	name := e.m.Info().Name
	letter := DeadLetter{To: to, Method: name, Reason: err}
	m := e.meta
	if m != nil {
		letter.From = m.from
		answer(e.m, m, nil, &refusal{err})
	}
	e.m.drop(*e)
	e.ptr, e.meta = nil, nil
	k.node.deadLetter(letter)
}

// refusal marks an error of a message that was not handled, so that its caller
// can tell it from the same error returned by a handler.
type refusal struct{ err error }

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

// refuseAll answers everything in the mailbox with err. Pending messages are
// waited for: their producers are about to write them.
func (c *cell) refuseAll(reason Counter, err error) {
	var e envelope
	for {
		switch c.pop(&e) {
		case mpsc.Popped:
			c.discard(&e, reason, err)
		case mpsc.Pending:
			runtime.Gosched()
		case mpsc.Empty:
			return
		}
	}
}

// close ends a gone cell: it answers what is left and closes both lanes.
func (c *cell) close(reason Counter, err error) {
	c.state = stateGone
	if x := c.ext.Load(); x != nil {
		for i := range x.again {
			c.discard(&x.again[i], reason, err)
		}
		x.again = nil
	}
	for {
		c.refuseAll(reason, err)
		if c.tryClose() {
			break
		}
	}
	c.closeLane()
	if x := c.ext.Load(); x != nil {
		x.wakeSenders()
	}
}

// closeLane closes the system lane of a gone cell. Entries that came too late
// still run: each looks at the state first, and stop requests are answered.
func (c *cell) closeLane() {
	for {
		c.runSystem()
		if c.sys.CompareAndSwap(nil, &laneClosed) {
			break
		}
	}
	x := c.ext.Load()
	if x == nil || x.stopping == nil {
		return
	}
	for _, done := range x.stopping.done {
		done()
	}
	x.stopping.done = nil
}

// hookContext bounds OnActivate and OnDeactivate.
func (c *cell) hookContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout((*cellContext)(c), c.kind.node.cfg.HookTimeout)
}

// panicError is a recovered panic on its way to the supervisor.
type panicError struct {
	text string
	// recovered is false when the handler ended its goroutine instead.
	recovered bool
}

// asPanic returns the panic behind err. It is apart from its callers because
// errors.As makes its target escape.
func asPanic(err error) *panicError {
	var p *panicError
	if errors.As(err, &p) {
		return p
	}
	return nil
}

func (p *panicError) Error() string { return p.text }
func (p *panicError) Unwrap() error { return ErrPanic }

// newPanicError logs a recovered panic with its stack, once, and returns it.
func newPanicError(c *cell, where string, value any) *panicError {
	recovered := value != nil
	if !recovered {
		value = "the handler ended its goroutine (runtime.Goexit)"
	}
	stack := make([]byte, 8<<10)
	stack = stack[:runtime.Stack(stack, false)]
	c.kind.count(CountPanics, 1)
	c.kind.node.log.Error("troupe: panic in handler", "actor", c.ref(), "method", where,
		"panic", fmt.Sprint(value), "stack", string(stack))
	return &panicError{text: fmt.Sprintf("%v: %s: %v", ErrPanic, where, value), recovered: recovered}
}

// depth is the number of messages that wait, for metrics.
func (c *cell) depth() int {
	if x := c.ext.Load(); x != nil && x.ring != nil {
		return x.ring.Len()
	}
	return c.queue.Len()
}
