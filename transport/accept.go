// SPDX-License-Identifier: MIT

package transport

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"time"
)

// runAccept accepts connections and gives each a goroutine for its handshake.
func (e *Endpoint) runAccept() {
	defer e.wg.Done()
	pause := time.Millisecond
	for {
		nc, err := e.ln.Accept()
		if err != nil {
			if e.isClosed() || errors.Is(err, net.ErrClosed) {
				return
			}
			e.cfg.Logger.Warn("accept failed", "err", err)
			t := time.NewTimer(pause) // out of file descriptors, most likely
			select {
			case <-t.C:
			case <-e.ctx.Done():
				t.Stop()
				return
			}
			pause = min(2*pause, time.Second)
			continue
		}
		pause = time.Millisecond
		select {
		case e.pending <- struct{}{}:
		default:
			e.cfg.Metrics.Refused(ErrBusy)
			_ = nc.Close()
			continue
		}
		if !e.admitOpening(nc) {
			_ = nc.Close()
			return
		}
		go e.runHandshake(nc)
	}
}

func (e *Endpoint) isClosed() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.closed
}

func (e *Endpoint) admitOpening(nc net.Conn) bool {
	if !e.spawn() {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.opening[nc] = struct{}{}
	return true
}

func (e *Endpoint) runHandshake(sock net.Conn) {
	defer e.wg.Done()
	err := e.serve(sock)
	e.mu.Lock()
	delete(e.opening, sock)
	e.mu.Unlock()
	<-e.pending
	if err == nil {
		return
	}
	_ = sock.Close()
	if !errors.Is(err, errTieBreak) {
		e.cfg.Metrics.Refused(err)
		e.cfg.Logger.Warn("refused a connection", "addr", sock.RemoteAddr().String(), "err", err)
	}
}

// serve does the acceptor's side of the handshake and hands the connection on.
func (e *Endpoint) serve(sock net.Conn) error {
	_ = sock.SetDeadline(time.Now().Add(e.cfg.HandshakeTimeout))
	nc, proven, err := e.secureServer(e.ctx, sock)
	if err != nil {
		return err
	}
	budget := maxHandshakeBytes
	h, err := readHello(nc, &budget)
	if err == nil {
		err = e.checkHello(&h, proven)
	}
	if err != nil {
		return refuse(nc, err)
	}
	version, _ := negotiate(h.minVersion, h.maxVersion) // checked by parseHello
	w := welcome{version: version, self: e.self, connID: h.connID, maxFrame: uint32(e.cfg.MaxFrameBytes)}
	_, _ = rand.Read(w.nonce[:])
	if _, err := nc.Write(appendMessage(nil, msgWelcome, w.bytes())); err != nil {
		return fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	body, err := readMessage(nc, msgConfirm, &budget)
	if err != nil {
		return err // the dialer may have thought better of it
	}
	c, err := parseConfirm(body)
	if err == nil && c.nonce != w.nonce {
		err = fmt.Errorf("%w: replayed handshake", ErrMalformed)
	}
	if err != nil {
		return refuse(nc, err)
	}
	if err := e.handOn(nc, &h, c.gone); err != nil {
		return refuse(nc, err)
	}
	return nil
}

// checkHello decides everything that can be decided before the confirm.
func (e *Endpoint) checkHello(h *hello, proven *Peer) error {
	if err := checkRemote(e.self, h.self, proven); err != nil {
		return err
	}
	switch {
	case h.wantNode != "" && h.wantNode != e.self.NodeID:
		return fmt.Errorf("%w: this is %q, wanted %q", ErrWrongPeer, e.self.NodeID, h.wantNode)
	case h.wantIncarnation != 0 && h.wantIncarnation != e.self.Incarnation:
		return fmt.Errorf("%w: this is %v, wanted %x", ErrSuperseded, e.self, h.wantIncarnation)
	}
	return mayUse(e.cfg.Services, h.service, e.authorised(h.self, proven))
}

// handOn gives the connection to its lane or its stream listener.
func (e *Endpoint) handOn(nc net.Conn, h *hello, gone nonce) error {
	peer := h.self
	if h.service != serviceRPC {
		return e.handOnStream(nc, h.service, peer)
	}
	l, err := e.inboundLink(peer)
	if err != nil {
		return err
	}
	return l.lanes[h.lane].accept(nc, h, gone)
}

// refuse tells the dialer why, then returns the reason.
func refuse(nc net.Conn, reason error) error {
	_ = nc.SetWriteDeadline(time.Now().Add(lingerTime))
	if _, err := nc.Write(appendRefuse(nil, reason)); err == nil {
		if cw, ok := nc.(interface{ CloseWrite() error }); ok {
			_ = cw.CloseWrite()
		}
	}
	// Whatever the dialer sent is still unread: closing at once would reset
	// the connection and could destroy the reason on its way.
	_ = nc.SetReadDeadline(time.Now().Add(lingerTime))
	var scrap [512]byte
	for range maxHandshakeBytes / len(scrap) {
		if _, err := nc.Read(scrap[:]); err != nil {
			break
		}
	}
	return reason
}
