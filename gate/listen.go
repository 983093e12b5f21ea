// SPDX-License-Identifier: MIT

package gate

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"
)

const (
	transportTCP       = "tcp"
	transportWebSocket = "websocket"
)

// ServeTCP accepts clients from l until Stop or until l fails for good, and
// closes l. It blocks. With Config.TLS it speaks TLS: give it a plain listener.
//
// Running out of file descriptors is not "for good": accepting goes on as soon
// as some are free.
func (g *Gate) ServeTCP(l net.Listener) error {
	limited, err := g.listen(l)
	if err != nil {
		return err
	}
	defer limited.Close()
	for {
		conn, err := limited.Accept()
		if err != nil {
			if g.stopped.Load() {
				return nil
			}
			return err
		}
		g.wg.Go(func() { g.serveTCP(conn) })
	}
}

func (g *Gate) serveTCP(conn net.Conn) {
	begun := time.Now()
	if g.cfg.TLS != nil {
		t := tls.Server(conn, g.cfg.TLS)
		if limit := g.cfg.Timeouts.Handshake; limit > 0 {
			_ = t.SetDeadline(begun.Add(limit))
		}
		if t.HandshakeContext(g.ctx) != nil {
			g.metrics.Refused("tls")
			_ = conn.Close()
			return
		}
		_ = t.SetDeadline(time.Time{})
		conn = t
	}
	g.start(&streamConn{Conn: conn}, begun)
}

// ServeConn serves one connection that was accepted elsewhere, for transports
// this package does not know and for tests. Per-address limits are the
// caller's. It returns when the client has a session or was refused; the gate
// owns and closes conn.
func (g *Gate) ServeConn(conn net.Conn) {
	if !g.enter() {
		_ = conn.Close()
		return
	}
	defer g.wg.Done()
	g.start(&streamConn{Conn: conn}, time.Now())
}

// start registers a connection and serves it.
func (g *Gate) start(c transport, begun time.Time) {
	if !g.track(c) {
		_ = c.Close()
		return
	}
	g.metrics.Connected(c.Name())
	g.serve(c, begun)
}

// streamConn is a TCP, TLS or pipe connection as a transport.
type streamConn struct{ net.Conn }

func (c *streamConn) Name() string { return transportTCP }

func (c *streamConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// listen registers l and wraps it with the per-address limits.
func (g *Gate) listen(l net.Listener) (*limitedListener, error) {
	limited := &limitedListener{Listener: l, g: g}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped.Load() {
		_ = l.Close()
		return nil, ErrStopped
	}
	g.listeners[limited] = struct{}{}
	return limited, nil
}

// A limitedListener drops connections over the per-address limits right after
// accept, before a byte is read or a buffer made, and survives errors that
// pass. Its connections count their bytes.
type limitedListener struct {
	net.Listener
	g *Gate
}

// Pauses of the accept loop after an error.
const (
	acceptPauseMin = 5 * time.Millisecond
	acceptPauseMax = time.Second
)

// Accept returns the next connection within limits.
func (l *limitedListener) Accept() (net.Conn, error) {
	for pause := acceptPauseMin; ; {
		conn, err := l.Listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) || l.g.stopped.Load() {
				return nil, err
			}
			l.g.metrics.Refused("accept")
			l.g.log.Warn("accept failed", "error", err, "retry", pause)
			if l.g.pause(pause) != nil {
				return nil, net.ErrClosed
			}
			pause = min(2*pause, acceptPauseMax)
			continue
		}
		pause = acceptPauseMin
		if l.g.crowded() {
			l.g.metrics.Refused("connections")
			_ = conn.Close()
			continue
		}
		ip := remoteIP(conn.RemoteAddr())
		if !l.g.ips.enter(ip, time.Now(), l.g.cfg.Limits) {
			l.g.metrics.Refused("address")
			_ = conn.Close()
			continue
		}
		l.g.open.Add(1)
		setUserTimeout(conn, l.g.cfg.Timeouts.Write)
		return &meteredConn{Conn: conn, g: l.g, ip: ip}, nil
	}
}

// crowded reports whether there are as many connections as sessions and pending
// logins may have, so that connections that never come as far as a hello are
// bounded, too.
func (g *Gate) crowded() bool {
	lim := &g.cfg.Limits
	return lim.Sessions >= 0 && lim.Pending >= 0 && over(int(g.open.Load())+1, lim.Sessions+lim.Pending)
}

// Close closes the listener once.
func (l *limitedListener) Close() error {
	l.g.mu.Lock()
	delete(l.g.listeners, l)
	l.g.mu.Unlock()
	return l.Listener.Close()
}

// A meteredConn counts the bytes that arrive against the session's byte rate
// and reads no faster, whatever they turn out to be: frames, WebSocket pings
// or empty fragments.
type meteredConn struct {
	net.Conn
	g     *Gate
	ip    string
	rate  bucket // owned by the reading goroutine
	close sync.Once
}

// Read reads, then pauses as long as the byte rate is exceeded.
func (c *meteredConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	lim := &c.g.cfg.Limits
	if pause := c.rate.take(time.Now(), float64(n), lim.BytesPerSecond, lim.ByteBurst); pause > 0 && err == nil {
		err = c.g.pause(pause)
	}
	return n, err
}

// CloseWrite ends the writing half.
func (c *meteredConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// Close closes the connection and gives its address free.
func (c *meteredConn) Close() error {
	c.close.Do(func() {
		c.g.ips.leave(c.ip)
		c.g.open.Add(-1)
	})
	return c.Conn.Close()
}
