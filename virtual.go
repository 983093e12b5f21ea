// SPDX-License-Identifier: MIT

package troupe

import (
	"context"
	"errors"
	"fmt"
	"runtime"
)

// Activator is implemented by actors that have something to do before their
// first message. Returning an error fails the activation: every waiting caller
// gets it, and the next message tries again with a new instance.
type Activator interface {
	OnActivate(ctx context.Context) error
}

// Deactivator is implemented by actors that have something to do after their
// last message. An error is logged. For a passivation it means "not now": the
// actor stays.
type Deactivator interface {
	OnDeactivate(ctx context.Context) error
}

// Attachment is something that lives with an actor's instance and is told about
// its turns: documents are attached this way. Its methods are called on the
// actor's turn.
type Attachment interface {
	// TurnEnd is called after each run of turns. It must be quick.
	TurnEnd()
	// Deactivate is called after OnDeactivate, before the instance is dropped.
	// An error keeps the instance if the reason was passivation, so that
	// nothing that was not saved is lost.
	Deactivate(ctx context.Context) error
}

// activationError is the error of a call whose target could not be activated.
type activationError struct{ cause error }

func (e *activationError) Error() string   { return fmt.Sprintf("%v: %v", ErrActivation, e.cause) }
func (e *activationError) Unwrap() []error { return []error{ErrActivation, e.cause} }

// activate makes the instance. It reports false when that failed or has to
// wait; the message in t.env is then answered or kept.
func (c *cell) activate(t *turn) bool {
	k := c.kind
	if k.node.stopping.Load() && k.class != classLocal {
		c.refuseFresh(t, CountDropStopped, ErrStopped)
		return false
	}
	c.create()
	// OnActivate works for the message that waits: its calls have that chain.
	t.meta = t.env.meta
	err := c.runActivate()
	t.meta = nil
	if err != nil {
		c.kind.count(CountActivationErrors, 1)
		k.node.log.Warn("troupe: activation failed", "actor", c.ref(), "err", err)
		c.endInstance()
		c.actor = nil
		t.failure = &activationError{err}
		c.refuseFresh(t, CountDropActivation, t.failure)
		return false
	}
	k.count(CountActivations, 1)
	if k.tracked() {
		k.lru.add(c)
	}
	return true
}

// create makes the instance and ties it to the cell.
func (c *cell) create() {
	c.actor = c.kind.create()
	c.actor.actorBase().cell = c
	c.state = stateActive
	if !c.kind.clustered {
		c.epoch.Store(c.kind.node.nextEpoch())
	}
}

func (c *cell) runActivate() (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = newPanicError(c, "OnActivate", v)
		}
	}()
	if c.init != nil {
		c.kind.setUp(c.actor, c.init)
	}
	a, ok := c.actor.(Activator)
	if !ok {
		return nil
	}
	ctx, cancel := c.hookContext()
	defer cancel()
	return a.OnActivate(ctx)
}

// refuseFresh answers the message in t.env, if there is one, and everything
// queued behind it, and ends the cell. Messages that come later get a new one.
func (c *cell) refuseFresh(t *turn, reason Counter, err error) {
	if t.env.m != nil {
		c.discard(&t.env, reason, err)
		t.env = envelope{}
	}
	c.terminateCell(reason, err)
}

// stopRequest is a stop that waits for the mailbox to be empty.
type stopRequest struct {
	cause   error
	passive bool // passivation: keep the actor if more messages come
	done    []func()
}

// stop asks the actor to stop once it has handled what is in its mailbox. Any
// goroutine may call it.
func (c *cell) stop(cause error) { c.stopThen(cause, nil) }

// stopThen calls done when the actor is gone.
func (c *cell) stopThen(cause error, done func()) {
	ok := c.pushSystem(func(c *cell) {
		if c.state == stateGone { // ended by an entry before this one
			if done != nil {
				done()
			}
			return
		}
		x := c.extra()
		if x.stopping == nil || x.stopping.passive {
			old := x.stopping
			x.stopping = &stopRequest{cause: cause}
			if old != nil {
				x.stopping.done = old.done
			}
		}
		if done != nil {
			x.stopping.done = append(x.stopping.done, done)
		}
		if c.kind.node.aborted.Load() {
			c.terminate(cause, false)
		}
	})
	if !ok && done != nil {
		done()
	}
}

// passivate asks the actor to leave if it has nothing to do.
func (c *cell) passivate() {
	c.pushSystem(func(c *cell) {
		if x := c.extra(); x.stopping == nil {
			x.stopping = &stopRequest{cause: nil, passive: true}
		}
	})
}

// finishStop is called with an empty mailbox. It reports whether it changed the
// state of the cell.
func (c *cell) finishStop() bool {
	x := c.ext.Load()
	if x == nil || x.stopping == nil {
		return false
	}
	req := x.stopping
	if !req.passive {
		c.terminate(req.cause, true)
		return true
	}
	x.stopping = nil
	if c.state != stateActive {
		return c.state == stateFresh && c.leave()
	}
	if x.pending > 0 {
		return false
	}
	if c.leaseOver() {
		c.loseOwnership()
		return true
	}
	if err := c.runDeactivate(); err != nil {
		c.kind.node.log.Warn("troupe: actor stays, it could not be deactivated", "actor", c.ref(), "err", err)
		return false
	}
	c.endInstance()
	c.kind.count(CountDeactivations, 1)
	if c.kind.tracked() {
		c.kind.lru.remove(c)
	}
	for _, child := range c.takeChildren() {
		child.stop(ErrActorStopped)
	}
	c.actor, c.state = nil, stateFresh
	if c.kind.clustered && c.owned() {
		c.startRelease()
		return true
	}
	c.leave()
	return true
}

// leave takes a fresh cell out of the registry if no message has come; a
// message that has keeps the cell and activates it again, so nothing is lost.
func (c *cell) leave() bool {
	if c.sys.Load() != nil {
		return false
	}
	if !c.kind.registry.removeIf(c, c.tryClose) {
		return false
	}
	c.state = stateGone
	c.closeLane()
	c.tellWatchers(nil)
	return true
}

// terminate stops the actor now: messages that are still queued are refused.
func (c *cell) terminate(cause error, graceful bool) {
	if c.state == stateGone {
		return
	}
	if c.actor != nil {
		if graceful && c.state == stateActive && !c.leaseOver() && !c.kind.node.aborted.Load() {
			if err := c.runDeactivate(); err != nil {
				c.kind.node.log.Error("troupe: deactivation failed", "actor", c.ref(), "err", err)
			}
		}
		c.dropInstance()
		c.kind.count(CountDeactivations, 1)
		if c.kind.tracked() {
			c.kind.lru.remove(c)
		}
	}
	c.terminateCell(CountDropStopped, stopError(c.kind.node))
	c.tellWatchers(cause)
}

func stopError(n *Node) error {
	if n.stopping.Load() {
		return ErrStopped
	}
	return ErrActorStopped
}

// terminateCell takes the cell out of the registry, so that new messages get a
// new one, and answers what it still holds.
func (c *cell) terminateCell(reason Counter, err error) {
	c.kind.registry.removeIf(c, nil)
	c.endMove()
	c.close(reason, err)
	x := c.ext.Load()
	if x == nil {
		return
	}
	if p := x.parent; p != nil {
		px := p.extra()
		px.mu.Lock()
		delete(px.children, c)
		px.mu.Unlock()
	}
}

// runDeactivate runs the hook and the attachments, and returns all errors.
func (c *cell) runDeactivate() (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = errors.Join(err, newPanicError(c, "OnDeactivate", v))
		}
	}()
	ctx, cancel := c.hookContext()
	defer cancel()
	if d, ok := c.actor.(Deactivator); ok {
		err = d.OnDeactivate(ctx)
	}
	if x := c.ext.Load(); x != nil {
		for _, a := range x.attachments {
			err = errors.Join(err, a.Deactivate(ctx))
		}
	}
	return err
}

// resolve finds or makes the cell for ref.
func (k *kind) resolve(ref Ref) (*cell, error) {
	if ref.Node != "" && ref.Node != k.node.name {
		return k.resolveForeign(ref)
	}
	switch k.class {
	case classLocal:
		if c := k.registry.get(ref.ID, ref.Name); c != nil {
			return c, nil
		}
		if k.node.stopping.Load() {
			return nil, ErrStopped
		}
		return nil, ErrNoActor
	case classPool:
		return k.pick(ref)
	case classStub:
		if ref.Name != "" || ref.ID < 0 || ref.ID >= int64(k.shards) {
			return nil, fmt.Errorf("%w: %v: shards are numbered from 0 to %d", ErrNoActor, ref, k.shards-1)
		}
	}
	if k.node.stopping.Load() {
		return nil, ErrStopped
	}
	c := k.registry.getOrAdd(ref.ID, ref.Name, func() *cell { return k.newCell(ref.ID, ref.Name) })
	return c, nil
}

// find returns the cell of ref if it is here already.
func (k *kind) find(ref Ref) *cell {
	if ref.Node != "" && ref.Node != k.node.name {
		return nil
	}
	if k.class == classPool {
		c, _ := k.pick(ref)
		return c
	}
	return k.registry.get(ref.ID, ref.Name)
}

// hashKey spreads refs over the members of a pool.
func hashKey(ref Ref) uint64 {
	if ref.Name != "" {
		return hashName(ref.Name)
	}
	return mix64(uint64(ref.ID))
}

func defaultPoolSize() int { return runtime.GOMAXPROCS(0) }
