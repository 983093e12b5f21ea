// SPDX-License-Identifier: MIT

package troupe

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/troupe-go/troupe/internal/mpsc"
	"github.com/troupe-go/troupe/transport"
)

// frameBuffer is where a frame is encoded before it is copied into a
// connection's queue. It is pooled, so that a remote send allocates nothing.
type frameBuffer struct{ b []byte }

// maxSpareFrame is the largest buffer that is kept for the next frame.
const maxSpareFrame = 64 << 10

func (cl *cluster) buffer() *frameBuffer {
	if w, ok := cl.buffers.Get().(*frameBuffer); ok {
		return w
	}
	return &frameBuffer{b: make([]byte, 0, 256)}
}

// finish checks the size of a frame that was encoded into w with its error.
func (cl *cluster) finish(w *frameBuffer, b []byte, err error) error {
	w.b = b[:0]
	if limit := cl.node.cfg.MaxMessageBytes + 4<<10; err == nil && len(b) > limit { // the head
		err = fmt.Errorf("%w: a message of %d bytes, the limit is %d", ErrTooLarge, len(b), limit)
	}
	return err
}

func (cl *cluster) done(w *frameBuffer) {
	if cap(w.b) <= maxSpareFrame {
		cl.buffers.Put(w)
	}
}

// orderKey keeps messages to one actor in order on a connection.
func orderKey(kind uint32, id int64, name string) uint64 {
	if name != "" {
		return hashName(name) ^ uint64(kind)
	}
	return mix64(uint64(id)) ^ uint64(kind)
}

// frameRefOf returns ref as it travels.
func frameRefOf(ref Ref) frameRef {
	return frameRef{kind: kindHash(ref.Kind), id: ref.ID, name: ref.Name}
}

// forward sends e to the owner of a remote cell. It is called on the turn. When
// it returns an error the message is still the caller's.
func (c *cell) forward(e *envelope, from Ref, fromEpoch uint64) error {
	x := c.extra()
	cl := c.kind.node.cluster
	if e.meta != nil && e.meta.toEpoch > cl.meta.Applied() {
		// The sender knows of a later owner than the directory here, which
		// may well be this node.
		x.again = append(x.again, *e)
		*e = envelope{}
		c.locateLater(ErrNotOwner)
		return nil
	}
	if !c.sameOwner() {
		x.again = append(x.again, *e)
		*e = envelope{}
		c.follow()
		return nil
	}
	if e.m == flushMethod && e.meta.remote != nil {
		// What came before it was passed on: it is through when a flush of
		// our own is.
		link, epoch, waiter, hops := x.link, x.toEpoch(), e.meta.remote, e.meta.hops
		*e = envelope{}
		if hops >= maxHops {
			waiter.reply(flushMethod, nil, nil) // going round in a circle
			return nil
		}
		cl.spawn(func() { waiter.reply(flushMethod, nil, cl.flush(link, c, epoch, hops, flushTimeout)) })
		return nil
	}
	if e.meta != nil && e.meta.remote != nil {
		// A call from another node: let its caller find the owner itself.
		e.meta.remote.moved(e.m)
		e.m.drop(*e)
		*e = envelope{}
		return nil
	}
	if e.meta != nil && e.meta.hops >= maxHops {
		return ErrNotOwner
	}
	err := cl.send(x.link, c, e, x.toEpoch(), from, fromEpoch)
	if err != nil && !c.sameOwner() {
		x.again = append(x.again, *e) // it went away just now
		*e = envelope{}
		c.follow()
		return nil
	}
	return err
}

// toEpoch is the epoch that messages to the owner of a remote cell carry: of its
// claim, which is younger than the session, or, when it is to claim the id with
// this message, of the session. Either way the message is late, and is not
// handled or passed on, when the node at the other end has another session.
func (x *cellExt) toEpoch() uint64 { return max(x.remote.Epoch, x.remote.Session) }

// maxHops bounds how often a one-way message is passed on.
const maxHops = 8

// alive reports whether a session may still act, as far as this node knows.
func (cl *cluster) alive(session uint64) bool {
	s, ok := cl.meta.SessionByEpoch(session)
	return ok && s.Alive()
}

// sameOwner reports whether the owner that a remote cell forwards to is still
// the right one, as far as the directory knows here.
func (c *cell) sameOwner() bool {
	x := c.extra()
	applied := c.kind.node.cluster.meta.Applied() // before the lookup: what it finds is no older
	if x.ownerAt == applied && applied != 0 {
		return true
	}
	owner, ok := c.lookup()
	if !ok {
		// Nobody owns it yet: it was sent there to be claimed.
		m := c.kind.node.cluster.view.Load().bySess[x.remote.Session]
		return m != nil && !m.Draining
	}
	if owner.Epoch >= x.remote.Epoch { // else the directory here is behind
		if owner.Session != x.remote.Session {
			return false
		}
		x.remote = owner
	}
	x.ownerAt = applied
	return true
}

// follow looks for the owner again after a change. If the old one still lives,
// what was sent to it has to arrive first (D3).
func (c *cell) follow() {
	x := c.extra()
	c.where.Store(whereUnknown)
	cl := c.kind.node.cluster
	if !cl.alive(x.remote.Session) {
		c.locate()
		return
	}
	c.state, x.locating = stateWaiting, true
	link, epoch := x.link, x.toEpoch()
	cl.spawn(func() {
		cl.flushUntil(link, c, epoch)
		c.pushSystem(func(c *cell) {
			if c.state == stateWaiting && c.extra().locating {
				c.arrivedFirst()
				c.locate()
			}
		})
	})
}

// arrivedFirst puts what came from other nodes while the cell waited for the
// flush before what was sent here: it may have been sent here earlier, and gone
// round by the old owner.
func (c *cell) arrivedFirst() {
	x := c.extra()
	var first, then []envelope
	sort := func(e envelope) {
		if e.meta != nil && e.meta.hops > 0 {
			first = append(first, e)
		} else {
			then = append(then, e)
		}
	}
	for _, e := range x.again {
		sort(e)
	}
	var e envelope
	for r := c.pop(&e); r != mpsc.Empty; r = c.pop(&e) {
		if r == mpsc.Popped {
			sort(e)
		} else {
			runtime.Gosched() // its producer is about to write it
		}
	}
	x.again = append(first, then...)
}

// A flush is answered within a round trip, or, while a transfer is under way,
// when that is over. One that fails is repeated for flushLimit: only a node that
// this one cannot reach for so long, and the others can, is given up while its
// session lives, and what it still holds may then be overtaken.
//
// The first ones are not waited for so long: two nodes that have yet to learn
// that the id has moved between them may wait for each other's flush, and the
// next one finds them wiser.
const (
	flushFirst   = 50 * time.Millisecond
	flushTimeout = time.Second
	flushPause   = 20 * time.Millisecond
	flushLimit   = 15 * time.Second
)

// flushMethod is an empty message: when its reply comes, everything that was
// sent before it on the same way has reached the actor's mailbox.
var flushMethod = &Method[struct{}, struct{}]{
	MethodInfo: MethodInfo{Name: "flush", Number: 0, Access: AccessSystem},
	Invoke:     func(context.Context, any, *struct{}, *struct{}) error { return nil },
	AppendArgs: func(b []byte, _ *struct{}) []byte { return b },
	ParseArgs:  func([]byte, *struct{}) error { return nil },
	AppendReply: func(b []byte, _ *struct{}) []byte {
		return b
	},
	ParseReply: func([]byte, *struct{}) error { return nil },
}

// flushUntil waits until what was sent to c's id over link has arrived, or
// cannot any more because the session at its end is over.
func (cl *cluster) flushUntil(link *peerLink, c *cell, epoch uint64) {
	limit := cl.node.now() + int64(flushLimit)
	for patience := flushFirst; cl.flush(link, c, epoch, 0, patience) != nil; patience = min(2*patience, flushTimeout) {
		if !cl.alive(link.session) || cl.node.now() > limit || cl.ctx.Err() != nil {
			return
		}
		cl.sleep(flushPause)
	}
}

// flush waits until what was sent to c's id over link has arrived, at most
// timeout.
func (cl *cluster) flush(link *peerLink, c *cell, epoch, hops uint64, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(cl.ctx, timeout)
	defer cancel()
	n := cl.node
	call := n.calls.begin(0, n.now()+int64(timeout))
	call.m, call.target = flushMethod, c
	// Not the call's own meta: it would keep the hops for its next user.
	e := envelope{m: flushMethod, meta: &meta{call: call, hops: hops}}
	if err := cl.send(link, c, &e, epoch, Ref{}, 0); err != nil {
		n.calls.discard(call)
		return err
	}
	_, err := n.calls.wait(ctx, call)
	return err
}

// send writes e to link. On success the arguments are released, or kept by the
// call that waits; on an error e is still the caller's.
func (cl *cluster) send(link *peerLink, c *cell, e *envelope, epoch uint64, from Ref, fromEpoch uint64) error {
	if x := c.extra(); x.unused.Load() != 0 {
		x.unused.Store(0)
	}
	m := message{kind: c.kind.hash, id: c.id, name: c.name(), method: e.m.Info().Number, epoch: epoch, hops: 1}
	meta := e.meta
	var waiting *call
	if meta != nil {
		m.hops = meta.hops + 1
		m.trace = meta.trace
		if !meta.from.IsZero() {
			from, fromEpoch = meta.from, meta.fromEpoch
			m.fromSession = meta.fromSession
		}
		if waiting = meta.call; waiting != nil {
			m.call = waiting.number()
			if d := waiting.deadline.Load(); d != 0 {
				m.budget = uint64(max(d-cl.node.now(), int64(time.Millisecond))) / uint64(time.Millisecond)
			}
			for l := meta.chain; l != nil && len(m.chain) < maxChain; l = l.next {
				m.chain = append(m.chain, frameRefOf(l.ref))
			}
		}
	}
	if !from.IsZero() {
		m.from, m.fromEpoch = frameRefOf(from), fromEpoch
	}
	w := cl.buffer()
	b, err := e.m.encodeArgs(m.appendHead(w.b[:0]), *e)
	if err = cl.finish(w, b, err); err == nil {
		if waiting != nil {
			// From now on the arguments are the call's. Once it is sent it
			// may be answered, and used for another call, at any time.
			waiting.env = *e
			waiting.link.Store(link)
		}
		err = link.Send(transport.Meta{Lane: transport.LaneMessages, Key: orderKey(m.kind, m.id, m.name), Now: waiting != nil}, b)
	}
	cl.done(w)
	if err != nil {
		if waiting != nil {
			waiting.env = envelope{}
			waiting.link.Store(nil)
		}
		return sendError(err)
	}
	if waiting == nil {
		e.m.drop(*e)
	}
	*e = envelope{}
	return nil
}

// sendError gives an error of the transport its public identity.
func sendError(err error) error {
	switch {
	case errors.Is(err, transport.ErrBackpressure):
		return fmt.Errorf("%w: %w", ErrBackpressure, err)
	case errors.Is(err, transport.ErrFrameTooLarge), errors.Is(err, ErrTooLarge):
		return fmt.Errorf("%w: %w", ErrTooLarge, err)
	case errors.Is(err, ErrEncoding):
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, err)
}

// sendDirect is the fast path to an actor on another node: the sender's
// goroutine takes the turn of the idle remote cell and writes the frame. It
// reports false if the message has to queue behind others.
func (c *cell) sendDirect(from *cell, e *envelope) (sent bool, err error) {
	if c.where.Load() != whereRemote || !c.tryAcquire() {
		return false, nil
	}
	x := c.extra()
	if c.state != stateRemote || c.sys.Load() != nil || len(x.again) > 0 || !c.sameOwner() {
		c.schedule()
		return false, nil
	}
	var ref Ref
	var epoch uint64
	if from != nil && from.kind.clustered {
		ref, epoch = from.ref(), from.epoch.Load()
	}
	err = c.kind.node.cluster.send(x.link, c, e, x.toEpoch(), ref, epoch)
	c.leaveTurn()
	return true, err
}

// remoteReply answers a call from another node.
type remoteReply struct {
	cl     *cluster
	link   transport.Link
	call   uint64
	target *cell
}

func (r *remoteReply) reply(m AnyMethod, result pointer, err error) {
	p := reply{call: r.call, status: replyOK}
	if r.target != nil {
		p.epoch = r.target.epoch.Load()
	}
	if err != nil {
		p.status, err = replyStatus(err)
	}
	r.send(&p, m, result, err)
	if m != nil {
		m.putReply(result)
	}
}

// replyStatus returns how an error is told to a caller on another node.
func replyStatus(err error) (byte, error) {
	var refused *refusal
	switch {
	case !errors.As(err, &refused):
		return replyFailed, err
	case errors.Is(refused.err, ErrStopped):
		// The node leaves, the id does not: let the caller find its next owner.
		return replyMoved, nil
	}
	return replyRefused, refused.err
}

func (r *remoteReply) moved(AnyMethod) {
	r.send(&reply{call: r.call, status: replyMoved}, nil, nil, nil)
}

// send writes a reply with the result of m or with an error.
func (r *remoteReply) send(p *reply, m AnyMethod, result pointer, cause error) {
	err := r.sendOnce(p, m, result, cause)
	if errors.Is(err, ErrEncoding) || errors.Is(err, ErrTooLarge) || errors.Is(err, transport.ErrFrameTooLarge) {
		// The result cannot travel; say so instead of letting the caller wait.
		p.status = replyFailed
		err = r.sendOnce(p, nil, nil, sendError(err))
	}
	if err != nil {
		r.cl.log.Debug("troupe: reply lost", "to", r.link.Peer().NodeID, "err", err)
	}
}

func (r *remoteReply) sendOnce(p *reply, m AnyMethod, result pointer, cause error) (err error) {
	w := r.cl.buffer()
	defer r.cl.done(w)
	b := p.appendHead(w.b[:0])
	switch p.status {
	case replyOK:
		b, err = m.encodeReply(b, result)
	case replyFailed, replyRefused:
		b = appendError(b, cause)
	}
	if err = r.cl.finish(w, b, err); err != nil {
		return err
	}
	return r.link.Send(transport.Meta{Lane: transport.LaneMessages, Key: r.call, Now: true}, b)
}
