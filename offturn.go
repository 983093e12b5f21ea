// SPDX-License-Identifier: MIT

package troupe

import (
	"context"
	"fmt"
	"runtime"
	"sync"
)

// Go runs work on a goroutine of its own and then done on the actor's turn,
// before queued messages: for blocking work that must not hold up the actor.
// work must not touch the actor; its context ends when the node stops, and it
// sends as from the node, not as from the actor. done is not called when the
// actor was restarted, passivated or stopped in the meantime. A panic in work
// arrives in done as an error that is ErrPanic.
//
// An actor with work under way is not passivated before done has run.
func Go[T any](a ActorHolder, work func(ctx context.Context) (T, error), done func(T, error)) error {
	base := a.actorBase()
	c := base.cell
	if c == nil {
		return ErrNoActor
	}
	n := c.kind.node
	if !n.offTurn.enter() {
		return ErrStopped
	}
	c.extra().pending++
	go func() {
		defer n.offTurn.leave()
		v, err := protect(n, c.ref(), work)
		c.pushSystem(func(c *cell) {
			c.extra().pending--
			c.whenOpen(func(c *cell) {
				if c.isInstance(base) {
					done(v, err)
				}
			})
		})
	}()
	return nil
}

// ActorHolder is implemented by every actor.
type ActorHolder interface{ actorBase() *Actor }

// offTurnWork counts the goroutines of Go, for which the node waits.
type offTurnWork struct {
	mu     sync.Mutex
	closed bool
	wg     sync.WaitGroup
}

func (o *offTurnWork) enter() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return false
	}
	o.wg.Add(1)
	return true
}

func (o *offTurnWork) leave() { o.wg.Done() }

// close refuses new work and waits, not longer than ctx and stopGrace, for what
// runs, whose context has ended.
func (o *offTurnWork) close(ctx context.Context) error {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
	if waitGroup(ctx, &o.wg) {
		return nil
	}
	grace, cancel := context.WithTimeout(context.Background(), stopGrace)
	defer cancel()
	if waitGroup(grace, &o.wg) {
		return nil
	}
	return fmt.Errorf("off-turn work goes on: %w", ctx.Err())
}

// protect runs work and turns a panic, or runtime.Goexit, into an error.
func protect[T any](n *Node, ref Ref, work func(ctx context.Context) (T, error)) (v T, err error) {
	defer func() {
		if r := recover(); r != nil {
			stack := make([]byte, 8<<10)
			stack = stack[:runtime.Stack(stack, false)]
			n.log.Error("troupe: panic in off-turn work", "actor", ref, "panic", fmt.Sprint(r), "stack", string(stack))
			err = fmt.Errorf("%w: off-turn work: %v", ErrPanic, r)
		}
	}()
	return work(n.base)
}
