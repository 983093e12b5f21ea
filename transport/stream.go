// SPDX-License-Identifier: MIT

package transport

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

// streamBacklog is how many accepted streams of one service may wait for
// Accept before more are refused with ErrBusy.
const streamBacklog = 64

// streamListener is the net.Listener of one byte-stream service.
type streamListener struct {
	ep      *Endpoint
	service string
	queue   chan net.Conn
	once    sync.Once
	done    chan struct{}
}

// Stream implements Transport. The service must be in Config.Services; "rpc"
// is taken. A name that was opened can be opened again after its listener was
// closed.
func (e *Endpoint) Stream(service string) (net.Listener, DialFunc, error) {
	if _, ok := e.cfg.Services[service]; !ok || service == serviceRPC {
		return nil, nil, fmt.Errorf("%w: %q is not in Config.Services", ErrUnknownService, service)
	}
	s := &streamListener{ep: e, service: service, queue: make(chan net.Conn, streamBacklog), done: make(chan struct{})}
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.closed:
		return nil, nil, ErrClosed
	case e.streams[service] != nil:
		return nil, nil, fmt.Errorf("transport: stream %q is open already", service)
	}
	e.streams[service] = s
	dial := func(ctx context.Context, addr string) (net.Conn, error) {
		return e.dialStream(ctx, service, addr)
	}
	return s, dial, nil
}

func (e *Endpoint) dialStream(ctx context.Context, service, addr string) (net.Conn, error) {
	if !e.spawn() { // Close waits for dials under way
		return nil, ErrClosed
	}
	defer e.wg.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(e.ctx, cancel)()
	h := hello{
		minVersion: minWireVersion, maxVersion: maxWireVersion,
		service: service, self: e.self, maxFrame: uint32(e.cfg.MaxFrameBytes),
	}
	a, err := e.dialHello(ctx, addr, &h)
	if err != nil {
		return nil, err
	}
	if err := a.finish(nonce{}); err != nil {
		a.abort()
		return nil, err
	}
	return &streamConn{Conn: a.nc, peer: a.peer}, nil
}

// handOnStream gives an accepted connection to whoever listens for it.
func (e *Endpoint) handOnStream(nc net.Conn, service string, peer Peer) error {
	e.mu.Lock()
	s := e.streams[service]
	e.mu.Unlock()
	if s == nil {
		return fmt.Errorf("%w: nobody listens for %q", ErrUnknownService, service)
	}
	if len(s.queue) == cap(s.queue) {
		return fmt.Errorf("%w: %q does not accept", ErrBusy, service)
	}
	if _, err := nc.Write(appendMessage(nil, msgReady, nil)); err != nil {
		return fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	_ = nc.SetDeadline(time.Time{})
	c := &streamConn{Conn: nc, peer: peer}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.streams[service] != s {
		return ErrClosed
	}
	select {
	case s.queue <- c: // under e.mu, so that Close sees it or we see Close
		return nil
	default:
		return fmt.Errorf("%w: %q does not accept", ErrBusy, service)
	}
}

// Accept implements net.Listener.
func (s *streamListener) Accept() (net.Conn, error) {
	select {
	case c := <-s.queue:
		return c, nil
	default:
	}
	select {
	case c := <-s.queue:
		return c, nil
	case <-s.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener. Streams that were accepted live on; those
// still waiting are closed.
func (s *streamListener) Close() error {
	s.once.Do(func() {
		s.ep.mu.Lock()
		if s.ep.streams[s.service] == s {
			delete(s.ep.streams, s.service)
		}
		s.ep.mu.Unlock()
		close(s.done)
		for {
			select {
			case c := <-s.queue:
				_ = c.Close()
				continue
			default:
			}
			return
		}
	})
	return nil
}

// Addr implements net.Listener: the address that peers dial.
func (s *streamListener) Addr() net.Addr { return streamAddr(s.ep.self.Addr) }

// streamAddr is the advertised address as a net.Addr.
type streamAddr string

func (streamAddr) Network() string  { return "troupe" }
func (a streamAddr) String() string { return string(a) }

// streamConn remembers who is at the other end.
type streamConn struct {
	net.Conn
	peer Peer
}

// PeerOf returns the identity at the other end of a stream: proven by its
// certificate, or claimed in dev mode.
func PeerOf(c net.Conn) (Peer, bool) {
	s, ok := c.(*streamConn)
	if !ok {
		return Peer{}, false
	}
	return s.peer, true
}
