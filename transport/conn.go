// SPDX-License-Identifier: MIT

package transport

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"
)

// conn is one established connection of a lane: a reader, a writer, and the
// state of the keeper.
type conn struct {
	lane     *lane
	nc       net.Conn // TLS or plain
	sock     net.Conn // what is under TLS
	raw      *rawWriter
	peer     Peer
	id       nonce
	notAfter time.Time // end of the peer's certificate; zero in dev mode
	since    time.Time
	pre      []byte // written before any frame

	wake     chan struct{}
	dead     chan struct{} // closed by fail, after err is set
	readDone chan struct{} // T4

	// Guarded by lane.mu.
	err    error
	ready  bool     // pre is written
	mine   bool     // the writer holds the right to write (T3)
	ping   bool     // the writer should send a ping
	rest   *segment // begun inline, for the writer to complete
	restAt int

	tooLarge      [][]byte // dropped at install, for the reader to report
	reads, writes atomic.Uint64

	// Owned by the keeper.
	seenReads, seenWrites uint64
	readAt, wroteAt       time.Time
}

const (
	// readBufferBytes is the size of a connection's read buffer: at least one
	// whole physical frame, and as much as one system call should fetch.
	readBufferBytes = 64 << 10

	// lingerTime is how long a connection waits for the peer to take note of
	// the reason before it is closed.
	lingerTime = 500 * time.Millisecond
)

var pingFrame = appendPhysical(nil, kindPing, nil)

func newConn(l *lane, nc net.Conn, peer Peer, id nonce) *conn {
	c := &conn{
		lane: l, nc: nc, sock: nc, peer: peer, id: id, since: time.Now(),
		wake: make(chan struct{}, 1), dead: make(chan struct{}), readDone: make(chan struct{}),
	}
	if t, ok := nc.(*tls.Conn); ok {
		c.sock = t.NetConn()
		if certs := t.ConnectionState().PeerCertificates; len(certs) > 0 {
			c.notAfter = certs[0].NotAfter
		}
	} else {
		c.raw = newRawWriter(nc)
	}
	return c
}

// fail ends the connection at once. The first reason counts.
func (c *conn) fail(err error) {
	l := c.lane
	l.mu.Lock()
	c.failLocked(err)
	l.mu.Unlock()
	_ = c.sock.Close()
}

func (c *conn) failLocked(err error) {
	if c.err == nil {
		c.err = c.wrap(err)
	}
	select {
	case <-c.dead:
	default:
		close(c.dead)
	}
	c.detachLocked()
}

// detachLocked takes the connection out of its lane.
func (c *conn) detachLocked() {
	l := c.lane
	if l.conn == c {
		l.conn = nil
		l.gone = c.id
		l.downSince = time.Now()
		l.lastErr = c.err
		l.wakeWaitersLocked()
		// A connection that ends soon after it came up must not be redialed in
		// a tight loop.
		cfg := &l.ep.cfg
		if l.downSince.Sub(c.since) > cfg.BackoffMax {
			l.pause = 0
		} else {
			l.pause = min(max(2*l.pause, cfg.BackoffMin), cfg.BackoffMax)
		}
	}
}

func (c *conn) wrap(err error) error {
	var ce *ConnError
	if errors.As(err, &ce) {
		return err
	}
	return &ConnError{NodeID: c.peer.NodeID, Addr: c.peer.Addr, Lane: c.lane.id, Err: err}
}

// goodbye tells the peer the reason, then ends the connection. It takes at
// most about lingerTime; the reader closes the socket.
func (c *conn) goodbye(reason error) {
	l := c.lane
	deadline := time.Now().Add(lingerTime)
	l.mu.Lock()
	if c.err != nil {
		l.mu.Unlock()
		return
	}
	c.err = c.wrap(reason)
	c.detachLocked()
	_ = c.nc.SetDeadline(deadline)
	for l.writing {
		l.idle.Wait()
	}
	l.writing = true
	l.mu.Unlock()
	if _, err := c.nc.Write(appendClose(nil, reason)); err == nil {
		if cw, ok := c.nc.(interface{ CloseWrite() error }); ok {
			_ = cw.CloseWrite()
		}
	}
	l.mu.Lock()
	c.failLocked(reason)
	l.releaseAndUnlock()
}

// tick pings a connection on which nothing was written, and gives up one on
// which nothing arrives, whose writes are stuck or whose certificate ended.
func (c *conn) tick(now time.Time) {
	cfg := &c.lane.ep.cfg
	l := c.lane
	l.mu.Lock()
	handling := l.corked // a slow handler is not a silent peer
	l.mu.Unlock()
	if r := c.reads.Load(); r != c.seenReads || handling || c.readAt.IsZero() {
		c.seenReads, c.readAt = r, now
	}
	if w := c.writes.Load(); w != c.seenWrites || c.wroteAt.IsZero() {
		c.seenWrites, c.wroteAt = w, now
	}
	switch {
	case now.Sub(c.readAt) >= cfg.IdleTimeout:
		c.fail(fmt.Errorf("%w for %v", ErrIdle, cfg.IdleTimeout))
		return
	case !c.notAfter.IsZero() && now.After(c.notAfter):
		if l.ep.spawn() {
			go func() {
				defer l.ep.wg.Done()
				c.goodbye(ErrCertExpired)
			}()
		}
		return
	}
	l.mu.Lock()
	stuck := l.writing && l.conn == c && now.Sub(c.wroteAt) >= cfg.WriteTimeout
	if !l.writing && l.conn == c && c.ready && now.Sub(c.wroteAt) >= cfg.PingEvery {
		c.ping = true
		l.wakeLocked(c)
	}
	l.mu.Unlock()
	if stuck {
		c.fail(fmt.Errorf("%w for %v", ErrStalled, cfg.WriteTimeout))
	}
}
