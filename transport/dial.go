// SPDX-License-Identifier: MIT

package transport

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"time"
)

// startDialLocked makes a connection in the background, unless one is being
// made or the peer can only be waited for.
func (l *lane) startDialLocked() {
	if l.downSince.IsZero() {
		l.downSince = time.Now()
	}
	if l.dialing || l.conn != nil || l.closed != nil || l.link.Peer().Addr == "" || !l.ep.spawn() {
		return
	}
	l.dialing = true
	go l.runDial()
}

// redial replaces a lost connection that was in use.
func (l *lane) redial() {
	l.mu.Lock()
	if l.used || !l.q.empty() {
		l.startDialLocked()
	}
	l.mu.Unlock()
}

// runDial dials until the lane has a connection, by whichever side.
func (l *lane) runDial() {
	defer l.ep.wg.Done()
	cfg := &l.ep.cfg
	l.mu.Lock()
	pause := l.pause
	l.mu.Unlock()
	if pause > 0 {
		l.rest(pause)
	}
	pause = max(pause, cfg.BackoffMin)
	for {
		l.mu.Lock()
		if l.conn != nil || l.closed != nil || l.ep.ctx.Err() != nil {
			l.dialing = false
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()
		err := l.dialOnce(l.ep.ctx)
		if errors.Is(err, ErrSuperseded) {
			l.link.Close(err)
		}
		l.mu.Lock()
		l.confirming = false
		if err != nil && !errors.Is(err, errTieBreak) {
			l.lastErr = err
		}
		up := l.conn != nil
		l.mu.Unlock()
		if up {
			continue // and end there
		}
		if permanent(err) {
			pause = cfg.BackoffMax
			l.giveUp(err)
		}
		if err != nil {
			cfg.Logger.Debug("dial failed", "node", l.link.Peer().NodeID, "lane", l.id, "err", err)
		}
		l.rest(pause)
		pause = min(2*pause, cfg.BackoffMax)
	}
}

// rest sleeps for half to all of pause.
func (l *lane) rest(pause time.Duration) {
	t := time.NewTimer(time.Duration(float64(pause) * (0.5 + 0.5*l.ep.cfg.Jitter())))
	defer t.Stop()
	select {
	case <-t.C:
	case <-l.ep.ctx.Done():
	}
}

// dialOnce makes one attempt. Nil means that the lane has the connection.
func (l *lane) dialOnce(ctx context.Context) error {
	e := l.ep
	want := l.link.Peer()
	h := hello{
		minVersion: minWireVersion, maxVersion: maxWireVersion,
		service: serviceRPC, lane: l.id, self: e.self,
		wantNode: want.NodeID, wantIncarnation: want.Incarnation,
		maxFrame: uint32(e.cfg.MaxFrameBytes),
	}
	a, err := e.dialHello(ctx, want.Addr, &h)
	if err != nil {
		return err
	}
	if err := e.bind(l.link, a.peer); err != nil {
		a.abort()
		return err
	}
	l.mu.Lock()
	if l.conn != nil || l.closed != nil {
		l.mu.Unlock()
		a.abort()
		return errTieBreak
	}
	l.confirming = true
	gone := l.gone
	l.mu.Unlock()

	err = a.finish(gone)

	l.mu.Lock()
	l.confirming = false
	switch {
	case err != nil:
		l.gone = h.connID // the peer may believe in it
	case l.closed != nil:
		err = l.closed
	case l.conn != nil:
		err = errTieBreak // cannot happen while T5 holds
	}
	if err == nil && !l.installLocked(newConn(l, a.nc, a.peer, h.connID), a.maxFrame, nil, true) {
		err = ErrClosed
	}
	l.mu.Unlock()
	if err != nil {
		a.abort()
	}
	return err
}

// attempt is a dialed connection in the middle of its handshake. It ends with
// finish or abort.
type attempt struct {
	nc, sock net.Conn
	peer     Peer
	nonce    nonce
	maxFrame uint32
	budget   int
	stop     func() bool // no longer close sock when the context ends
	wrap     func(error) error
}

// dialHello connects and does the first half of the handshake.
func (e *Endpoint) dialHello(ctx context.Context, addr string, h *hello) (*attempt, error) {
	if err := e.checkPlaintext(addr); err != nil {
		return nil, err
	}
	dctx, cancel := context.WithTimeout(ctx, e.cfg.DialTimeout)
	sock, err := e.net.Dial(dctx, addr)
	cancel()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPeerUnreachable, err)
	}
	_ = sock.SetDeadline(time.Now().Add(e.cfg.HandshakeTimeout))
	a := &attempt{sock: sock, budget: maxHandshakeBytes}
	a.stop = context.AfterFunc(ctx, func() { _ = sock.Close() })
	a.wrap = func(err error) error {
		var r *refusal
		return &ConnError{NodeID: h.wantNode, Addr: addr, Lane: h.lane, Remote: errors.As(err, &r), Err: err}
	}
	if err := a.hello(ctx, e, h); err != nil {
		a.abort()
		return nil, a.wrap(err)
	}
	return a, nil
}

func (a *attempt) hello(ctx context.Context, e *Endpoint, h *hello) error {
	nc, proven, err := e.secureClient(ctx, a.sock, h.wantNode)
	if err != nil {
		return err
	}
	a.nc = nc
	_, _ = rand.Read(h.connID[:])
	if _, err := nc.Write(appendMessage([]byte(magic), msgHello, h.bytes())); err != nil {
		return fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	w, err := e.readWelcome(nc, h, proven, &a.budget)
	a.peer, a.nonce, a.maxFrame = w.self, w.nonce, w.maxFrame
	return err
}

// finish does the second half, with the connection to report as gone.
func (a *attempt) finish(gone nonce) error {
	c := confirm{nonce: a.nonce, gone: gone}
	if _, err := a.nc.Write(appendMessage(nil, msgConfirm, c.bytes())); err != nil {
		return a.wrap(fmt.Errorf("%w: %w", ErrHandshake, err))
	}
	if _, err := readMessage(a.nc, msgReady, &a.budget); err != nil {
		return a.wrap(err)
	}
	if !a.stop() {
		return a.wrap(ErrClosed)
	}
	return a.nc.SetDeadline(time.Time{})
}

// abort closes the connection.
func (a *attempt) abort() {
	a.stop()
	_ = a.sock.Close()
}

// readWelcome reads the answer to h and checks who gave it.
func (e *Endpoint) readWelcome(nc net.Conn, h *hello, proven *Peer, budget *int) (welcome, error) {
	body, err := readMessage(nc, msgWelcome, budget)
	if err != nil {
		return welcome{}, err
	}
	w, err := parseWelcome(body)
	switch {
	case err != nil:
		return w, err
	case w.connID != h.connID:
		return w, fmt.Errorf("%w: welcome to another hello", ErrMalformed)
	case w.version < h.minVersion || w.version > h.maxVersion:
		return w, fmt.Errorf("%w: version %d chosen", ErrVersion, w.version)
	}
	if err := checkRemote(e.self, w.self, proven); err != nil {
		return w, err
	}
	switch {
	case h.wantNode != "" && w.self.NodeID != h.wantNode:
		return w, fmt.Errorf("%w: %q, want %q", ErrWrongPeer, w.self.NodeID, h.wantNode)
	case h.wantIncarnation != 0 && w.self.Incarnation != h.wantIncarnation:
		return w, fmt.Errorf("%w: incarnation %x, want %x", ErrSuperseded, w.self.Incarnation, h.wantIncarnation)
	}
	return w, mayUse(e.cfg.Services, h.service, e.authorised(w.self, proven))
}

// authorised is the identity that the table of services is applied to: the
// roles of the certificate when there is one, the claim in dev mode.
func (e *Endpoint) authorised(claim Peer, proven *Peer) Peer {
	if proven != nil {
		return *proven
	}
	return claim
}

// accept decides, at the dialer's confirm, whether nc becomes the lane's
// connection, and answers it (T5).
//
// While our own dial waits for the peer's decision, exactly one of the two
// dials must win: that of the smaller node id. A connection that is up is
// replaced only if the dialer says that it lost precisely that one; otherwise
// its confirm crossed our install, and its dial is the one to refuse.
func (l *lane) accept(nc net.Conn, h *hello, gone nonce) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	self, peer := l.ep.self.NodeID, h.self
	switch {
	case l.closed != nil:
		return l.closed
	case l.conn != nil && l.conn.id != gone:
		return errTieBreak
	case l.conn == nil && l.confirming && self < peer.NodeID:
		return errTieBreak
	}
	if old := l.conn; old != nil {
		old.failLocked(fmt.Errorf("%w: the peer dialed again", ErrConnLost))
		_ = old.sock.Close()
	}
	_ = nc.SetDeadline(time.Time{})
	if !l.installLocked(newConn(l, nc, peer, h.connID), h.maxFrame, appendMessage(nil, msgReady, nil), false) {
		return ErrClosed
	}
	return nil
}

// installLocked makes c the lane's connection and starts its goroutines.
// theirMax is the largest frame that the peer takes.
func (l *lane) installLocked(c *conn, theirMax uint32, pre []byte, dialed bool) bool {
	if !l.ep.spawn() {
		return false
	}
	if !l.ep.spawn() {
		l.ep.wg.Done()
		return false
	}
	prev := l.last
	c.pre, c.ready = pre, pre == nil
	l.conn, l.last = c, c
	l.unreachable, l.lastErr, l.downSince = nil, nil, time.Time{}
	l.corked, l.burst, l.singles = false, false, 0
	l.q.reconnected()
	l.maxFrame = min(l.ep.cfg.MaxFrameBytes, int(theirMax))
	l.q.dropLarger(l.maxFrame, func(frame []byte) { c.tooLarge = append(c.tooLarge, frame) })
	l.ep.cfg.Metrics.Connected(l.id, dialed)
	go c.runRead(prev)
	go c.runWrite()
	return true
}
