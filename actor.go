// SPDX-License-Identifier: MIT

package troupe

import (
	"context"
	"log/slog"
	"reflect"
	"sync/atomic"
	"unsafe"
)

// Actor is embedded, by value and first, in every type that is to be an actor:
//
//	type Player struct {
//		troupe.Actor
//		gold int64
//	}
//
// The exported methods of the type with the shape
//
//	func (p *Player) Buy(ctx context.Context, item int32) (Receipt, error)
//
// are its message handlers: the first parameter is a context, the last result
// an error, in between are any values that can be encoded. They run one at a
// time and may block: only this actor waits. Methods of Actor, and the hooks
// OnActivate, OnDeactivate, OnTerminated and StateBytes, are not handlers.
//
// Everything here, except where it says otherwise, is to be called on the
// actor's own turn: from its handlers, hooks, timers and continuations. Before
// OnActivate, and in a struct made by hand, the actor has no node: Ref is zero
// and messages are refused with ErrNoActor.
type Actor struct {
	cell *cell
	// ended is set when the instance is dropped: its timers are void.
	ended atomic.Bool
}

func (a *Actor) actorBase() *Actor { return a }

func (a *Actor) callerOf() (*Node, *cell) {
	if a == nil || a.cell == nil {
		return nil, nil
	}
	return a.cell.kind.node, a.cell
}

// Ref returns the actor's name. Any goroutine may call it.
func (a *Actor) Ref() Ref {
	if a.cell == nil {
		return Ref{}
	}
	return a.cell.ref()
}

// ID returns the integer key, 0 for an actor with a string key.
func (a *Actor) ID() int64 { return a.Ref().ID }

// Key returns the string key, empty for an actor with an integer key.
func (a *Actor) Key() string { return a.Ref().Name }

// Node returns the node the actor lives on. Any goroutine may call it.
func (a *Actor) Node() *Node {
	n, _ := a.callerOf()
	return n
}

// Logger returns the node's logger with the actor's name.
func (a *Actor) Logger() *slog.Logger {
	if a.cell == nil {
		return slog.Default()
	}
	return a.cell.kind.node.log.With("actor", a.cell.ref().String())
}

// Fence is the fencing token of an activation. Tokens of later activations of
// the same id are greater; storage that refuses smaller tokens keeps a paused
// or partitioned predecessor from overwriting its successor.
type Fence struct {
	// Generation is 0 on a node by itself and at least 1 in a cluster.
	Generation uint64
	Epoch      uint64
}

// Less orders tokens lexicographically.
func (f Fence) Less(g Fence) bool {
	return f.Generation < g.Generation || f.Generation == g.Generation && f.Epoch < g.Epoch
}

// Fence returns the token of this activation.
func (a *Actor) Fence() Fence {
	if a.cell == nil {
		return Fence{}
	}
	return a.cell.kind.node.fenceOf(a.cell)
}

// Stop stops the actor after the messages that are queued now or arrive until
// they are done. OnDeactivate runs. A virtual actor comes back with the next
// message. Any goroutine may call it.
func (a *Actor) Stop() {
	if a.cell != nil {
		a.cell.stop(nil)
	}
}

// Passivate asks a virtual actor to leave memory once its mailbox is empty.
// Any goroutine may call it.
func (a *Actor) Passivate() {
	if a.cell != nil {
		a.cell.passivate()
	}
}

// Fenced ends the activation at once because storage has seen a newer one. No
// hook runs, nothing is flushed, queued messages are refused with ErrFenced
// where their callers wait. Any goroutine may call it.
func (a *Actor) Fenced() {
	if c := a.cell; c != nil {
		c.pushSystem(func(c *cell) { c.fenced() })
	}
}

// Do runs fn on the actor's turn, before queued messages. Any goroutine may
// call it. It returns ErrActorStopped when the actor is gone; fn is not called
// then, nor when the instance that a belongs to was replaced in the meantime.
func (a *Actor) Do(fn func(ctx context.Context)) error {
	c := a.cell
	if c == nil {
		return ErrNoActor
	}
	ok := c.pushSystem(func(c *cell) {
		c.whenOpen(func(c *cell) {
			if c.isInstance(a) {
				fn((*cellContext)(c))
			}
		})
	})
	if !ok {
		return ErrActorStopped
	}
	return nil
}

// isInstance reports whether a is embedded in the instance that is active.
func (c *cell) isInstance(a *Actor) bool {
	return c.state == stateActive && c.actor.actorBase() == a
}

// Attach ties att to this instance of the actor.
func (a *Actor) Attach(att Attachment) {
	if a.cell != nil {
		x := a.cell.extra()
		x.attachments = append(x.attachments, att)
	}
}

// Watch asks for OnTerminated when the actor ref ends. If it does not exist,
// the answer comes at once. Watching a virtual actor tells of the end of its
// present activation.
func (a *Actor) Watch(ref Ref) error {
	n, c := a.callerOf()
	if c == nil {
		return ErrNoActor
	}
	return n.watch(c, ref)
}

// TerminationWatcher is implemented by actors that Watch others. cause is nil
// after a regular stop or passivation.
type TerminationWatcher interface {
	OnTerminated(ctx context.Context, ref Ref, cause error)
}

// watch registers c with the cell of ref.
func (n *Node) watch(c *cell, ref Ref) error {
	k := n.kindOf(ref.Kind)
	if k == nil {
		return ErrUnknownKind
	}
	watcher := c.ref()
	target := k.find(ref)
	if target != nil && target.addWatcher(watcher) {
		return nil
	}
	n.tellTerminated(watcher, ref, ErrNoActor)
	return nil
}

func (c *cell) addWatcher(ref Ref) bool {
	x := c.extra()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.watchers == nil {
		x.watchers = make(map[Ref]struct{})
	}
	x.watchers[ref] = struct{}{}
	if c.sys.Load() != &laneClosed {
		return true // tellWatchers, which comes after the closing, will see it
	}
	if _, waits := x.watchers[ref]; !waits {
		return true
	}
	delete(x.watchers, ref)
	return false
}

// tellWatchers tells everybody who watches the cell that it ended.
func (c *cell) tellWatchers(cause error) {
	x := c.ext.Load()
	if x == nil {
		return
	}
	x.mu.Lock()
	watchers := x.watchers
	x.watchers = nil
	x.mu.Unlock()
	for ref := range watchers {
		c.kind.node.tellTerminated(ref, c.ref(), cause)
	}
}

func (n *Node) tellTerminated(watcher, ref Ref, cause error) {
	k := n.kindOf(watcher.Kind)
	if k == nil {
		return
	}
	c := k.find(watcher)
	if c == nil {
		return
	}
	c.pushSystem(func(c *cell) {
		if w, ok := c.actor.(TerminationWatcher); ok {
			w.OnTerminated((*cellContext)(c), ref, cause)
		}
	})
}

// fenced ends an activation that was overtaken.
func (c *cell) fenced() {
	if c.state == stateGone {
		return
	}
	if c.actor != nil {
		c.dropInstance()
		c.kind.count(CountDeactivations, 1)
		if c.kind.tracked() {
			c.kind.lru.remove(c)
		}
	}
	c.terminateCell(CountDropStale, ErrFenced)
	c.tellWatchers(ErrFenced)
}

// Spawn makes a local actor of a kind declared with Local and returns its Ref.
// init, which may be nil, sets up the new instance before OnActivate, now and
// again after each restart. An actor that spawns becomes the parent: the child
// stops with it, and escalates to it.
//
// Spawn waits for OnActivate; its error is returned and there is no actor then.
func Spawn[T any, P ActorPtr[T]](from Caller, kindName string, init func(P)) (Ref, error) {
	n, parent := callerNode(from)
	if n == nil {
		return Ref{}, ErrNoActor
	}
	k := n.kindOf(kindName)
	switch {
	case k == nil:
		return Ref{}, &CallError{To: Ref{Kind: kindName}, Method: "Spawn", Err: ErrUnknownKind}
	case k.class != classLocal:
		return Ref{}, &CallError{To: Ref{Kind: kindName}, Method: "Spawn", Err: ErrBadConfig}
	case k.typ != reflect.TypeFor[P]():
		return Ref{}, &CallError{To: Ref{Kind: kindName}, Method: "Spawn", Err: ErrBadArguments}
	}
	c, err := k.spawn(parent, *(*initFunc)(unsafe.Pointer(&init)))
	if err != nil {
		return Ref{}, &CallError{To: Ref{Kind: kindName, Node: n.name}, Method: "Spawn", Err: err}
	}
	return c.ref(), nil
}

func callerNode(from Caller) (*Node, *cell) {
	if from == nil {
		return nil, nil
	}
	return from.callerOf()
}

// spawn makes the instance on the caller's goroutine: nobody else can know the
// actor yet.
func (k *kind) spawn(parent *cell, init initFunc) (*cell, error) {
	n := k.node
	if err := n.admit(parent != nil); err != nil {
		return nil, err
	}
	c := k.newCell(n.nextLocal.Add(1), "")
	c.init = init
	if parent != nil {
		c.extra().parent = parent
		px := parent.extra()
		px.mu.Lock()
		if px.children == nil {
			px.children = make(map[*cell]struct{})
		}
		px.children[c] = struct{}{}
		px.mu.Unlock()
	}
	c.tryAcquire()
	k.registry.add(c)
	t := n.turns.Get().(*turn)
	defer func() {
		t.clear()
		n.turns.Put(t)
	}()
	c.turn = t
	if parent != nil && parent.turn != nil {
		t.meta = &meta{chain: &chainLink{ref: parent.ref(), cell: parent, epoch: parent.epoch.Load()}}
		if m := parent.turn.meta; m != nil {
			t.meta.chain.next = m.chain
		}
	}
	var cause error
	if !c.activateSpawned(&cause) {
		return nil, cause
	}
	c.turn = nil
	if c.sys.Load() != nil || !c.tryIdle() || c.sys.Load() != nil && c.tryAcquire() {
		c.schedule()
	}
	return c, nil
}

func (c *cell) activateSpawned(cause *error) bool {
	c.create()
	if err := c.runActivate(); err != nil {
		*cause = &activationError{err}
		c.kind.count(CountActivationErrors, 1)
		c.endInstance()
		for _, child := range c.takeChildren() {
			child.stop(ErrActorStopped)
		}
		c.actor = nil
		c.terminateCell(CountDropActivation, *cause)
		return false
	}
	c.kind.count(CountActivations, 1)
	return true
}
