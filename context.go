// SPDX-License-Identifier: MIT

package troupe

import (
	"context"
	"sync/atomic"
	"time"
)

// turnContext is the context of a handler whose message has a deadline, a
// caller or a trace. It costs one small allocation; a runtime timer is only
// made when somebody asks for Done.
type turnContext struct {
	cell     *cell
	chain    *chainLink    // who waits for this turn
	deadline atomic.Int64  // node time; 0: stamped on first use
	trace    *TraceContext // nil: none
	inner    atomic.Pointer[innerContext]
}

// innerContext is made when somebody asks for Done.
type innerContext struct {
	context.Context
	cancel context.CancelFunc
}

// turnKey finds the running cell in contexts derived from a handler's.
type turnKey struct{}

// newTurnContext takes a context from the slab of the goroutine: one
// allocation serves slabSize turns.
func (t *turn) newTurnContext(c *cell, m *meta) *turnContext {
	if len(t.slab) == 0 {
		t.slab = make([]turnContext, slabSize)
	}
	tc := &t.slab[0]
	t.slab = t.slab[1:]
	tc.cell, tc.chain, tc.trace = c, m.chain, m.trace
	if m.deadline != 0 {
		tc.deadline.Store(m.deadline)
	}
	return tc
}

const slabSize = 16

// Deadline returns the deadline that came with the message.
func (t *turnContext) Deadline() (time.Time, bool) {
	n := t.cell.kind.node
	return n.begin.Add(time.Duration(t.stamped())), true
}

func (t *turnContext) stamped() int64 {
	if d := t.deadline.Load(); d != 0 {
		return d
	}
	n := t.cell.kind.node
	t.deadline.CompareAndSwap(0, n.now()+int64(n.cfg.CallTimeout))
	return t.deadline.Load()
}

// Done is closed at the deadline, when the turn ends, or when the node stops.
func (t *turnContext) Done() <-chan struct{} { return t.context().Done() }

// Err returns what ended the context.
func (t *turnContext) Err() error {
	if inner := t.inner.Load(); inner != nil {
		return inner.Err()
	}
	if d := t.deadline.Load(); d != 0 && t.cell.kind.node.now() >= d {
		return context.DeadlineExceeded
	}
	return t.cell.kind.node.base.Err()
}

// Value returns the cell for troupe's own key, and forwards others.
func (t *turnContext) Value(key any) any {
	if _, ok := key.(turnKey); ok {
		return t
	}
	if inner := t.inner.Load(); inner != nil {
		return inner.Value(key)
	}
	return t.cell.kind.node.base.Value(key)
}

func (t *turnContext) context() context.Context {
	if inner := t.inner.Load(); inner != nil {
		return inner
	}
	d, _ := t.Deadline()
	made := &innerContext{}
	made.Context, made.cancel = context.WithDeadline(t.cell.kind.node.base, d)
	if !t.inner.CompareAndSwap(nil, made) {
		made.cancel()
	}
	return t.inner.Load()
}

// end is called after the turn; only goroutines that the handler started and
// left behind still hold the context then.
func (t *turnContext) end() {
	if inner := t.inner.Swap(t.cell.kind.node.ended); inner != nil {
		inner.cancel()
	}
}

// cellContext is the context of handlers of plain sends: the actor's own, with
// no deadline, ended when the node stops. It is the cell itself, so that a
// local send allocates nothing.
type cellContext cell

// Deadline reports that there is none.
func (c *cellContext) Deadline() (time.Time, bool) { return time.Time{}, false }

// Done is closed when the node stops.
func (c *cellContext) Done() <-chan struct{} { return c.kind.node.base.Done() }

// Err returns an error when the node stops.
func (c *cellContext) Err() error { return c.kind.node.base.Err() }

// Value returns the cell for troupe's own key.
func (c *cellContext) Value(key any) any {
	if _, ok := key.(turnKey); ok {
		return c
	}
	return c.kind.node.base.Value(key)
}

// isTurnContext reports whether a wait under ctx needs no look at ctx.Done,
// because the deadline is known and the node ends all calls when it stops.
func isTurnContext(ctx context.Context) bool {
	switch ctx.(type) {
	case *turnContext, *cellContext:
		return true
	}
	return false
}

// callFrom is what a call inherits from the context it is made under.
type callFrom struct {
	deadline int64 // node time, 0: none
	cell     *cell // the actor whose handler's context it is
	chain    *chainLink
	trace    *TraceContext
}

// inherit reads ctx. It does not read a clock.
func (n *Node) inherit(ctx context.Context) callFrom {
	switch t := ctx.(type) {
	case *turnContext:
		return t.inherit()
	case *cellContext:
		return callFrom{cell: (*cell)(t)}
	}
	if ctx == context.Background() || ctx == context.TODO() {
		return callFrom{}
	}
	var from callFrom
	switch t := ctx.Value(turnKey{}).(type) {
	case *turnContext:
		from = t.inherit()
	case *cellContext:
		from.cell = (*cell)(t)
	}
	if trace, ok := ctx.Value(traceKey{}).(*TraceContext); ok {
		from.trace = trace
	}
	if d, ok := ctx.Deadline(); ok {
		from.deadline = max(int64(d.Sub(n.begin)), 1)
	}
	return from
}

func (t *turnContext) inherit() callFrom {
	return callFrom{deadline: t.deadline.Load(), cell: t.cell, chain: t.chain, trace: t.trace}
}

type traceKey struct{}

// WithTrace returns a context whose calls carry the trace context tc to their
// targets, through every hop.
func WithTrace(ctx context.Context, tc TraceContext) context.Context {
	return context.WithValue(ctx, traceKey{}, &tc)
}

// TraceOf returns the trace context of a handler's context, or of one made by
// WithTrace.
func TraceOf(ctx context.Context) (TraceContext, bool) {
	if tc, ok := ctx.Value(traceKey{}).(*TraceContext); ok && tc != nil {
		return *tc, true
	}
	if t, ok := ctx.Value(turnKey{}).(*turnContext); ok && t.trace != nil {
		return *t.trace, true
	}
	return TraceContext{}, false
}
