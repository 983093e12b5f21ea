// SPDX-License-Identifier: MIT

package troupe

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"

	"github.com/troupe-go/troupe/internal/mpsc"
)

// Caller is what messages are sent from: a *Node, or an actor (any struct that
// embeds Actor). Messages from an actor carry who waits for whom, so that a
// call that would wait for itself is refused instead of hanging; use the actor
// as the Caller only on its own turn.
type Caller interface {
	// callerOf returns the node, and the actor if it is one.
	callerOf() (*Node, *cell)
}

// Handle is a prepared way to one actor: the generated references embed it. It
// is a small value that caches where a local actor is; keep it if you send
// often. A handle does not keep its actor alive and stays usable when the actor
// is passivated, restarted or moved.
//
// The zero Handle refuses everything with ErrNoActor.
type Handle struct {
	node *Node
	from *cell // nil when sent from the node
	to   *cell // where the actor was found; nil: look it up
	kind *kind
	ref  Ref
	ctx  context.Context
	late bool // see WhileDraining
}

// HandleOf returns a handle to ref. It never fails: an unknown kind is reported
// by the first message.
func HandleOf(from Caller, ref Ref) Handle {
	if from == nil {
		return Handle{ref: ref}
	}
	n, c := from.callerOf()
	h := Handle{node: n, from: c, ref: ref}
	if n != nil {
		h.kind = n.kindOf(ref.Kind)
		if h.kind != nil {
			h.to = h.kind.find(ref)
		}
	}
	return h
}

// Ref returns the actor the handle leads to.
func (h Handle) Ref() Ref { return h.ref }

// With returns a handle whose one-way sends end with ctx when they have to wait
// for room (see Wait), and carry its trace context.
func (h Handle) With(ctx context.Context) Handle {
	h.ctx = ctx
	return h
}

// WhileDraining returns a handle whose messages from the node are taken until it
// has handed everything over, while they would otherwise be refused from the
// moment that it begins to stop. It is for what runs beside the actors and has
// to finish, such as a gate. Any goroutine may use it.
func (h Handle) WhileDraining() Handle {
	h.late = true
	return h
}

// Post sends a one-way message: the core of generated Send methods. It returns
// once the message is in the mailbox (or on its way to another node); a nil
// error is no promise that the handler succeeds. Post allocates nothing for an
// actor on the same node when the arguments fit into the envelope or their
// pooled struct. It blocks only under the Wait policy.
func Post[A, R any](h Handle, m *Method[A, R], args A) error {
	if h.to != nil && h.kind.direct && !h.kind.clustered && h.ctx == nil && !h.node.draining.Load() {
		e := envelope{}
		m.pack(&e, args)
		if len(m.sizing) == 0 || h.kind.limitBytes < 0 {
			r := h.to.queue.Push(&e)
			if r == mpsc.Pushed {
				return nil
			}
			if r.OK() {
				h.to.pushedUncommonly(r, h.from)
				return nil
			}
		}
		return h.sendSlow(e)
	}
	e := envelope{}
	m.pack(&e, args)
	return h.sendSlow(e)
}

// Invoke calls a method and waits for its reply: the core of generated calls.
// The deadline is that of ctx, or Config.CallTimeout from now. Errors are
// *CallError; a handler's own error comes back as it is on the same node, and
// as *UserError from another.
func Invoke[A, R any](ctx context.Context, h Handle, m *Method[A, R], args A) (R, error) {
	var zero R
	e := envelope{}
	m.pack(&e, args)
	reply, err := h.call(ctx, e)
	if err != nil {
		return zero, err
	}
	r := (*R)(reply)
	out := *r
	m.putReply(reply)
	return out, nil
}

// sendSlow is every send that the fast path of Post does not handle.
func (h *Handle) sendSlow(e envelope) error {
	err := h.admit()
	if err == nil {
		if h.ctx != nil {
			if from := h.node.inherit(h.ctx); from.trace != nil {
				e.meta = &meta{trace: from.trace}
			}
		}
		err = h.route(h.ctx, &e)
	}
	if err != nil {
		return h.failed(e, err)
	}
	return nil
}

// failed wraps err for the sender and releases the message.
func (h *Handle) failed(e envelope, err error) error {
	name := e.m.Info().Name
	e.m.drop(e)
	return &CallError{To: h.ref, Method: name, Err: err}
}

// admit refuses what cannot be sent at all.
func (h *Handle) admit() error {
	switch {
	case h.ref.IsZero():
		return ErrNoActor
	case h.node == nil:
		return ErrNoActor
	case h.kind == nil:
		return ErrUnknownKind
	}
	return h.node.admit(h.from != nil || h.late)
}

// route puts e into the mailbox of the target or on its way to another node.
func (h *Handle) route(ctx context.Context, e *envelope) error {
	c := h.to
	for {
		if c == nil {
			var err error
			if c, err = h.kind.resolve(h.ref); err != nil {
				return err
			}
		}
		if x := c.ext.Load(); x != nil && x.foreign != "" {
			return c.sendForeign(x.foreign, h.from, e)
		}
		if c.kind.clustered {
			if sent, err := c.sendDirect(h.from, e); sent {
				return err
			}
			h.stamp(e)
		}
		if e.meta != nil && e.meta.call != nil && c.kind.everFits(e) && c.tryAcquire() {
			c.kind.node.sched.give(job{cell: c, env: *e, at: c.kind.node.sampler.stamp()})
			return nil // an idle actor needs no mailbox
		}
		switch r := c.push(e); r {
		case mpsc.Full:
			return c.pushFull(ctx, h.from, *e)
		case mpsc.Closed:
		default:
			c.pushedUncommonly(r, h.from)
			return nil
		}
		// The cell is gone: virtual actors and stubs get a new one.
		runtime.Gosched()
		c = nil
	}
}

// everFits reports whether an empty mailbox of the kind has room for e.
func (k *kind) everFits(e *envelope) bool {
	return k.limitBytes < 0 || e.ptr == nil || e.m.payloadBytes(e.ptr) <= k.limitBytes
}

// stamp notes the sender on a message that may have to leave the node later,
// even one to an actor that is here now: the next owner has to know whose it
// is when this node's lease has ended.
func (h *Handle) stamp(e *envelope) {
	switch {
	case h.from == nil || !h.from.kind.clustered || e.meta != nil && e.meta.call != nil:
	case e.meta == nil:
		e.meta = h.from.stamp()
	default:
		e.meta.from, e.meta.fromEpoch = h.from.ref(), h.from.epoch.Load()
	}
}

// stamp returns the meta of one-way messages from the present activation.
func (c *cell) stamp() *meta {
	x, epoch := c.extra(), c.epoch.Load()
	m := x.stamped.Load()
	if m == nil || m.fromEpoch != epoch {
		m = &meta{from: c.ref(), fromEpoch: epoch}
		x.stamped.Store(m)
	}
	return m
}

// pushedUncommonly follows up on a push that has succeeded.
func (c *cell) pushedUncommonly(r mpsc.PushResult, from *cell) {
	switch r {
	case mpsc.PushedFirst:
		if from.runNext(c) {
			return
		}
		if c.kind.node.sched.schedule(c) {
			// A sender to many idle actors: let some run, so that they use few
			// goroutines in turn.
			runtime.Gosched()
		}
	case mpsc.PushedAhead:
		// A sender in a tight loop: let the actor run before its mailbox
		// leaves the cache.
		runtime.Gosched()
	}
}

// push appends e under all the bounds of the kind.
func (c *cell) push(e *envelope) mpsc.PushResult {
	k := c.kind
	if k.direct {
		if k.limitBytes < 0 {
			return c.queue.Push(e)
		}
		n := e.m.payloadBytes(e.ptr)
		if n == 0 {
			return c.queue.Push(e)
		}
		x := c.extra()
		if x.bytes.Add(n) > k.limitBytes {
			x.bytes.Add(-n)
			return mpsc.Full
		}
		r := c.queue.Push(e)
		if !r.OK() {
			x.bytes.Add(-n)
		}
		return r
	}
	r, oldest, evicted := c.extra().ring.Push(*e)
	if evicted {
		k.discard(c.ref(), &oldest, CountDropOldest, ErrMailboxFull)
	}
	return r
}

// pushFull deals with a message for which there is no room.
func (c *cell) pushFull(ctx context.Context, from *cell, e envelope) error {
	k := c.kind
	if !k.everFits(&e) {
		return fmt.Errorf("%w: more bytes than the mailbox ever holds, %d", ErrTooLarge, k.limitBytes)
	}
	if k.overflow != Wait || from == c {
		k.count(CountDropFull, 1)
		k.node.deadLetter(DeadLetter{To: c.ref(), Method: e.m.Info().Name, Reason: ErrMailboxFull})
		return ErrMailboxFull
	}
	if ctx == nil {
		ctx = k.node.base
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, k.node.cfg.CallTimeout)
		defer cancel()
	}
	x := c.extra()
	for {
		room := x.room()
		switch r := c.push(&e); r {
		case mpsc.Full:
		case mpsc.Closed:
			return ErrActorStopped
		default:
			c.pushedUncommonly(r, from)
			return nil
		}
		if from != nil {
			from.turn.handOn()
		}
		select {
		case <-room:
		case <-ctx.Done():
			k.count(CountDropFull, 1)
			k.node.deadLetter(DeadLetter{To: c.ref(), Method: e.m.Info().Name, Reason: ErrMailboxFull})
			if k.node.base.Err() != nil {
				return ErrStopped
			}
			return ErrMailboxFull
		}
	}
}

// call sends e and waits for the reply.
func (h *Handle) call(ctx context.Context, e envelope) (pointer, error) {
	if err := h.admit(); err != nil {
		return nil, h.failed(e, err)
	}
	n := h.node
	from := n.inherit(ctx)
	if h.from != nil {
		from.cell = h.from
		if t := h.from.turn; t != nil && t.meta != nil {
			from.chain = t.meta.chain
			if from.trace == nil {
				from.trace = t.meta.trace
			}
		}
	}
	var chain *chainLink
	if from.cell != nil {
		chain = &chainLink{ref: from.cell.ref(), cell: from.cell, epoch: from.cell.epoch.Load(), next: from.chain}
	}
	if from.deadline == 0 && ctx.Err() != nil {
		return nil, h.failed(e, contextError(ctx))
	}
	c := h.to
	if c == nil {
		var err error
		if c, err = h.kind.resolve(h.ref); err != nil {
			return nil, h.failed(e, err)
		}
	}
	if chain != nil && (c.waitsIn(chain) || h.kind.clustered && chain.contains(h.ref)) {
		if !h.kind.reentrant {
			return nil, h.failed(e, &CycleError{Chain: append(chain.refs(), h.ref)})
		}
		if c.waitsIn(chain) {
			if reply, err, ok := h.callBack(c, e, from, chain); ok {
				return reply, err
			}
		}
	}
	if h.kind.inline && (h.ref.Node == "" || h.ref.Node == n.name) {
		if reply, err, ok := h.callInline(c, &e, from, chain); ok {
			return reply, err
		}
	}
	cl := n.calls.begin(shardHint(from.cell), from.deadline)
	cl.meta.chain = chain
	cl.meta.deadline = from.deadline
	cl.meta.trace = from.trace
	if from.cell != nil {
		cl.meta.from, cl.meta.fromEpoch = chain.ref, chain.epoch
	}
	cl.m, cl.target = e.m, c
	e.meta = &cl.meta
	h.to = c
	method := e.m // route takes the message
	if err := h.route(ctx, &e); err != nil {
		n.calls.discard(cl)
		e.meta = nil
		return nil, h.failed(e, err)
	}
	if h.from != nil {
		h.from.turn.handOn()
	}
	release := from.cell.releaseTurn()
	reply, err := n.calls.wait(ctx, cl)
	if release != nil {
		release()
	}
	if err != nil {
		return nil, h.callFailed(method, err)
	}
	return reply, nil
}

// callFailed wraps the error of a call that reached its target, or may have.
func (h *Handle) callFailed(m AnyMethod, err error) error {
	sent := true
	refused, ok := err.(*refusal) //nolint:errorlint // a refusal is never wrapped, a handler's error may be anything
	switch {
	case ok:
		sent, err = false, refused.err
	case err == context.DeadlineExceeded: //nolint:errorlint // the context's own error, not one that tells a story
		err = ErrTimeout // the handler noticed before the caller
	}
	return &CallError{To: h.ref, Method: m.Info().Name, Sent: sent, Err: err}
}

// releaseTurn lets a reentrant actor be called back while its handler waits.
// The result takes the turn again.
func (c *cell) releaseTurn() func() {
	if c == nil || !c.kind.reentrant {
		return nil
	}
	t := c.turn
	x := c.extra()
	if !x.inTurn {
		return nil
	}
	x.outside++
	c.endTurn(true)
	return func() {
		x.reentry.Lock()
		x.outside--
		x.inTurn = true
		c.turn = t
	}
}

// callBack runs a call to an actor that waits in the chain, on the goroutine of
// the innermost callee. The actor's own handler stands still meanwhile. It
// reports false if no handler waits any more: its call has timed out.
func (h *Handle) callBack(c *cell, e envelope, from callFrom, chain *chainLink) (pointer, error, bool) {
	m := e.m
	if release := from.cell.releaseTurn(); release != nil {
		defer release()
	}
	x := c.extra()
	x.reentry.Lock()
	if x.outside == 0 {
		x.reentry.Unlock()
		return nil, nil, false
	}
	x.inTurn = true
	defer c.endTurn(true)
	outer := c.turn
	defer func() { c.turn = outer }()
	t := &turn{env: e, meta: &meta{chain: chain, deadline: from.deadline, trace: from.trace}}
	c.turn = t
	tc := t.newTurnContext(c, t.meta)
	defer tc.end()
	reply, err := c.invoke(tc, t)
	if err != nil {
		m.putReply(reply)
		return nil, h.callFailed(m, err), true
	}
	return reply, nil, true
}

// maxInlineDepth bounds the turns that run on one goroutine's stack.
const maxInlineDepth = 16

// callInline runs the turn of an idle target right here. It reports false if
// the target is busy; the message is then still the caller's.
func (h *Handle) callInline(c *cell, e *envelope, from callFrom, chain *chainLink) (pointer, error, bool) {
	depth := 0
	if from.cell != nil && from.cell.turn != nil {
		depth = from.cell.turn.depth + 1
	}
	if depth > maxInlineDepth || c.kind.retries > 0 || from.cell.outlived() || !c.tryAcquire() {
		return nil, nil, false
	}
	n := h.node
	t := n.turns.Get().(*turn)
	if c.state != stateActive || c.sys.Load() != nil || c.kind.clustered && !c.extra().session.Live() {
		// Something else is due first: let a worker do it.
		n.turns.Put(t)
		c.schedule()
		return nil, nil, false
	}
	m := e.m
	t.env, t.depth = *e, depth
	t.env.meta = nil
	t.inline = meta{chain: chain, deadline: from.deadline, trace: from.trace}
	t.meta = &t.inline
	c.turn = t
	tc := t.newTurnContext(c, t.meta)
	returned := false
	defer func() {
		if !returned { // runtime.Goexit in the handler; t is not used again
			c.turn = nil
			c.pushSystemOwned(func(c *cell) { c.fail(t.exited) })
			c.schedule()
		}
	}()
	begun := c.beginTurn()
	reply, err := c.invoke(tc, t)
	c.endTurn(begun)
	returned = true
	tc.end()
	c.kind.count(CountTurns, 1)
	if t.exited != nil {
		p := t.exited
		c.pushSystemOwned(func(c *cell) { c.fail(p) })
	}
	c.turnEnd()
	c.leaveInline(t)
	if err != nil {
		m.putReply(reply)
		return nil, h.callFailed(m, err), true
	}
	return reply, nil, true
}

// leaveInline gives the cell up, or to a worker if there is more for it.
func (c *cell) leaveInline(t *turn) {
	t.clear()
	c.kind.node.turns.Put(t)
	c.leaveTurn()
}

// clear drops what the turn refers to, but for its slab.
func (t *turn) clear() {
	slab := t.slab
	*t = turn{slab: slab}
}

// leaveTurn ends a turn that was run outside of run.
func (c *cell) leaveTurn() {
	c.turn = nil
	if x := c.ext.Load(); x != nil && c.kind.tracked() && c.state == stateActive {
		c.kind.lru.touch(c, x)
	}
	if c.sys.Load() != nil || !c.tryIdle() || c.sys.Load() != nil && c.tryAcquire() {
		c.schedule()
	}
}

// shardHint spreads calls over the table's shards.
func shardHint(from *cell) uint32 {
	if from != nil {
		return uint32(from.id)
	}
	return rand.Uint32()
}
