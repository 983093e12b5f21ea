// SPDX-License-Identifier: MIT

package troupe

import (
	"errors"
	"fmt"
	"time"

	"github.com/troupe-go/troupe/internal/mpsc"
	"github.com/troupe-go/troupe/transport"
)

// HandleFrame implements transport.Handler.
func (cl *cluster) HandleFrame(from transport.Link, _ transport.Lane, frame []byte) {
	if len(frame) == 0 {
		return
	}
	var err error
	switch frame[0] {
	case frameMessage:
		err = cl.onMessage(from, frame[1:])
	case frameReply:
		err = cl.onReply(frame[1:])
	case framePublish:
		err = cl.topics.onPublish(frame[1:])
	default:
		err = fmt.Errorf("%w: type %d", errFrame, frame[0])
	}
	if err != nil {
		cl.log.Warn("troupe: frame ignored", "from", from.Peer().NodeID, "err", err)
	}
}

// HandleBatchEnd implements transport.Handler.
func (cl *cluster) HandleBatchEnd(transport.Link, transport.Lane) {}

// onMessage puts a message from another node into the mailbox of its target.
func (cl *cluster) onMessage(from transport.Link, frame []byte) error {
	var msg message
	if err := parseMessage(frame, &msg); err != nil {
		return err
	}
	e, c, err := cl.accept(from, &msg)
	if err == nil {
		err = cl.deliver(c, e)
	}
	if err == nil {
		return nil
	}
	if msg.call != 0 {
		if !errors.Is(err, errReentrantCall) {
			r := &remoteReply{cl: cl, link: from, call: msg.call}
			r.reply(nil, nil, &refusal{err})
		}
		return nil
	}
	k := cl.byHash[msg.kind]
	if k == nil {
		return err
	}
	k.count(CountDropUnreachable, 1)
	cl.node.deadLetter(DeadLetter{To: Ref{Kind: k.name, ID: msg.id, Name: msg.name}, Method: fmt.Sprint(msg.method), Reason: err})
	return nil
}

// errReentrantCall says that a call was taken over by a goroutine of its own.
var errReentrantCall = errors.New("troupe: reentrant call")

// accept checks and decodes a message.
func (cl *cluster) accept(from transport.Link, msg *message) (envelope, *cell, error) {
	if cl.session.Load() == nil {
		return envelope{}, nil, ErrStopped // the connection is older than the session
	}
	k := cl.byHash[msg.kind]
	if k == nil {
		return envelope{}, nil, fmt.Errorf("%w: hash %#x", ErrUnknownKind, msg.kind)
	}
	var m AnyMethod = flushMethod
	if msg.method != 0 {
		var ok bool
		if m, ok = k.method(msg.method); !ok {
			return envelope{}, nil, fmt.Errorf("%w: %s has no handler %d", ErrUnknownMethod, k.name, msg.method)
		}
	}
	if err := cl.fences.check(cl, from.Peer().NodeID, msg); err != nil {
		return envelope{}, nil, err
	}
	ref := Ref{Kind: k.name, ID: msg.id, Name: msg.name}
	if !k.clustered {
		ref.Node = cl.node.name
	}
	c, err := k.resolve(ref)
	if err != nil {
		return envelope{}, nil, err
	}
	e, err := m.decodeArgs(msg.args)
	if err != nil {
		return envelope{}, nil, err
	}
	e.meta = cl.metaOf(from, msg, c)
	if e.meta.chain != nil {
		if err := cl.checkChain(c, &e); err != nil {
			if !errors.Is(err, errReentrantCall) {
				m.drop(e)
			}
			return envelope{}, nil, err
		}
	}
	return e, c, nil
}

// checkChain looks for the target among those that wait for the call.
func (cl *cluster) checkChain(c *cell, e *envelope) error {
	ref := c.ref()
	if !e.meta.chain.contains(ref) {
		return nil
	}
	if !c.kind.reentrant {
		return &CycleError{Chain: append(e.meta.chain.refs(), ref)}
	}
	// The handler that waits in the chain stands still: run beside it.
	env, m := *e, *e.meta
	cl.spawn(func() { c.runReentrant(env, &m) })
	return errReentrantCall
}

// runReentrant runs a call to an actor that waits for its caller. If it has
// stopped waiting, the call is a message like any other.
func (c *cell) runReentrant(e envelope, m *meta) {
	x := c.extra()
	x.reentry.Lock()
	if x.outside == 0 {
		x.reentry.Unlock()
		if err := c.kind.node.cluster.deliver(c, e); err != nil {
			m.remote.reply(nil, nil, &refusal{err})
		}
		return
	}
	x.inTurn = true
	defer c.endTurn(true)
	outer := c.turn
	defer func() { c.turn = outer }()
	t := &turn{env: e, meta: m}
	c.turn = t
	tc := t.newTurnContext(c, m)
	defer tc.end()
	method := e.m
	result, err := c.invoke(tc, t)
	answer(method, m, result, err)
}

// incoming is a meta with the way back to the caller, in one piece.
type incoming struct {
	meta  meta
	reply remoteReply
}

// metaOf returns what the message carries beside its arguments. One-way
// messages that carry the same share it.
func (cl *cluster) metaOf(from transport.Link, msg *message, c *cell) *meta {
	head := meta{toEpoch: msg.epoch, hops: max(msg.hops, 1), trace: msg.trace, fromEpoch: msg.fromEpoch}
	if msg.from.kind != 0 {
		head.from, head.fromSession = cl.refOf(msg.from), cl.sessionOf(from.Peer().NodeID, msg)
	}
	if msg.call == 0 && len(msg.chain) == 0 {
		came := &c.extra().came
		if last := came.Load(); last != nil && *last == head {
			return last
		}
		m := new(meta)
		*m = head
		came.Store(m)
		return m
	}
	in := &incoming{meta: head}
	m := &in.meta
	if msg.call != 0 {
		in.reply = remoteReply{cl: cl, link: from, call: msg.call, target: c}
		m.remote = &in.reply
		if msg.budget != 0 {
			m.deadline = cl.node.now() + int64(time.Duration(msg.budget)*time.Millisecond)
		}
	}
	for i := len(msg.chain) - 1; i >= 0; i-- {
		link := &chainLink{ref: cl.refOf(msg.chain[i]), next: m.chain}
		if k := cl.node.kindOf(link.ref.Kind); k != nil {
			link.cell = k.find(link.ref) // it waits here, if it does
		}
		m.chain = link
	}
	return m
}

// refOf returns the Ref of a decoded frameRef; kinds that this node does not
// know have no name here.
func (cl *cluster) refOf(f frameRef) Ref {
	r := Ref{ID: f.id, Name: f.name}
	if k := cl.byHash[f.kind]; k != nil {
		r.Kind = k.name
	}
	return r
}

// deliver puts a decoded message into a mailbox. It never blocks.
func (cl *cluster) deliver(c *cell, e envelope) error {
	if e.m == flushMethod {
		return cl.deliverFlush(c, e)
	}
	for {
		if c.kind.inline && e.meta.remote != nil && cl.deliverInline(c, &e) {
			return nil
		}
		switch r := c.push(&e); r {
		case mpsc.Full:
			c.kind.count(CountDropFull, 1)
			e.m.drop(e)
			return ErrMailboxFull
		case mpsc.Closed:
			var err error
			if c, err = c.kind.resolve(c.ref()); err != nil {
				e.m.drop(e)
				return err
			}
			if r, ok := e.meta.remote.(*remoteReply); ok {
				r.target = c
			}
		case mpsc.PushedFirst:
			c.schedule()
			return nil
		default:
			return nil
		}
	}
}

// deliverFlush answers a flush if the id is active here: what was sent before it
// is in the cell already. Otherwise it has to follow on that way.
func (cl *cluster) deliverFlush(c *cell, e envelope) error {
	ok := c.pushSystem(func(c *cell) {
		// While a transfer is under way, or when it is over, what came before
		// may have to be passed on. A cell that looks for the owner, and will
		// find itself, must not wait: it may wait for the sender in turn.
		owner, _ := c.lookup()
		x := c.extra()
		here := c.state == stateActive && c.owned() && x.moving == nil
		if here || c.state == stateWaiting && x.locating && owner.Session == cl.session.Load().Epoch() {
			e.meta.remote.reply(flushMethod, nil, nil)
			return
		}
		if err := cl.deliverLocal(c, e); err != nil {
			e.meta.remote.reply(flushMethod, nil, err)
		}
	})
	if !ok {
		return ErrActorStopped
	}
	return nil
}

// deliverInline runs the turn of an idle actor whose handlers never block on
// the connection's reader, which saves two goroutine switches.
func (cl *cluster) deliverInline(c *cell, e *envelope) bool {
	if !c.tryAcquire() {
		return false
	}
	if c.state != stateActive || c.sys.Load() != nil {
		c.schedule()
		return false
	}
	t := cl.node.turns.Get().(*turn)
	t.env = *e
	c.turn, t.running = t, c
	if c.prepare(t) {
		c.handle(t)
		c.kind.count(CountTurns, 1)
	}
	c.turnEnd()
	c.leaveInline(t)
	return true
}

// onReply completes a call to another node.
func (cl *cluster) onReply(frame []byte) error {
	var p reply
	if err := parseReply(frame, &p); err != nil {
		return err
	}
	call := cl.node.calls.find(p.call)
	if call == nil {
		return nil // its caller has given up
	}
	serial := uint32(p.call)
	if p.status == replyMoved {
		cl.retryCall(call, serial, ErrNotOwner)
		return nil
	}
	if !call.move(serial, callWaiting, callDone) {
		return nil
	}
	// The call stays as it is until settle. A second reply finds it done.
	if err := cl.checkReply(call, p.epoch); err != nil {
		call.settle(nil, err)
		return nil
	}
	switch p.status {
	case replyOK:
		result, err := call.m.decodeReply(p.rest)
		if err != nil {
			call.m.putReply(result)
			result, err = nil, fmt.Errorf("%w: reply: %w", ErrBadArguments, err)
		}
		call.settle(result, err)
	case replyFailed:
		call.settle(nil, parseError(p.rest))
	default:
		call.settle(nil, &refusal{parseError(p.rest)})
	}
	return nil
}

// maxMoves bounds how often a call follows an owner that changes.
const maxMoves = 10

// retryCall sends a call again that certainly did not reach the owner of its
// target: the owner has changed, or there is none yet. why is the error when it
// has been tried often enough.
func (cl *cluster) retryCall(call *call, serial uint32, why error) {
	if !call.again(serial) {
		return
	}
	serial++
	e, target := call.env, call.target
	call.env = envelope{}
	call.link.Store(nil)
	call.moves++
	refuse := func(err error) {
		e.m.drop(e)
		call.completeSerial(serial, nil, &refusal{err})
	}
	if call.moves > maxMoves || call.m == flushMethod { // which is bound to its way
		if call.move(serial, callMoving, callWaiting) {
			refuse(why)
		}
		return
	}
	pause := time.Millisecond << min(call.moves, 8)
	cl.node.afterFunc(pause, uint64(target.id), func() {
		if !call.move(serial, callMoving, callWaiting) {
			e.m.drop(e)
			return
		}
		c, err := target.kind.resolve(target.ref())
		if err == nil {
			err = cl.deliverLocal(c, e)
		}
		if err != nil {
			refuse(err)
		}
	})
}

// deliverLocal queues a message of this node again. It never blocks.
func (cl *cluster) deliverLocal(c *cell, e envelope) error {
	for {
		switch r := c.push(&e); r {
		case mpsc.Full:
			return ErrMailboxFull
		case mpsc.Closed:
			var err error
			if c, err = c.kind.resolve(c.ref()); err != nil {
				return err
			}
		case mpsc.PushedFirst:
			c.schedule()
			return nil
		default:
			return nil
		}
	}
}

// HandleDrop implements transport.Handler: a frame was accepted but certainly
// not delivered.
func (cl *cluster) HandleDrop(_ transport.Link, _ transport.Lane, frame []byte, reason error) {
	if len(frame) == 0 || frame[0] != frameMessage {
		return
	}
	var msg message
	if err := parseMessage(frame[1:], &msg); err != nil {
		return
	}
	if msg.call != 0 {
		cl.callDropped(msg.call, sendError(reason))
		return
	}
	if k := cl.byHash[msg.kind]; k != nil {
		k.count(CountDropUnreachable, 1)
		cl.node.deadLetter(DeadLetter{To: Ref{Kind: k.name, ID: msg.id, Name: msg.name}, Method: fmt.Sprint(msg.method), Reason: sendError(reason)})
	}
}

// callDropped ends a call whose request did not leave this node, or tries again
// if the node it was for is gone.
func (cl *cluster) callDropped(number uint64, reason error) {
	call := cl.node.calls.find(number)
	if call == nil {
		return
	}
	if link := call.link.Load(); link != nil && !cl.alive(link.session) {
		cl.retryCall(call, uint32(number), reason)
		return
	}
	call.completeSerial(uint32(number), nil, &refusal{reason})
}

// HandlePeer implements transport.Handler: calls on a connection that broke are
// in doubt.
func (cl *cluster) HandlePeer(ev transport.PeerEvent) {
	if ev.Up || ev.Lane != transport.LaneMessages {
		return
	}
	err := fmt.Errorf("%w: %w", ErrUnreachable, ev.Err)
	cl.node.calls.each(func(c *call, serial uint32) {
		if link := c.link.Load(); link != nil && link.Link == ev.Link {
			c.completeSerial(serial, nil, err)
		}
	})
}
