// SPDX-License-Identifier: MIT

package memory

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// bufferBytes is how much one direction holds before Write blocks.
const bufferBytes = 256 << 10

// conn is one end of a connection: it reads from in and writes to out.
type conn struct {
	net     *Network
	route   route // from this end to the other
	in, out *pipe
	other   *conn
}

// pipe is one direction of a connection. Writes are stamped with the time at
// which they may be read.
type pipe struct {
	net   *Network
	route route

	mu        sync.Mutex
	chunks    []chunk
	bytes     int
	last      time.Time // arrival of the newest chunk
	finished  bool      // the writing end closed: end of file after the chunks
	abandoned bool      // the reading end closed: writes fail
	broken    bool      // reset
	readBy    time.Time // deadlines
	writeBy   time.Time
	changed   chan struct{}
}

type chunk struct {
	at time.Time
	b  []byte
}

func (n *Network) pairLocked(r route) (a, b *conn) {
	back := route{r.to, r.from}
	there := &pipe{net: n, route: r, changed: make(chan struct{})}
	here := &pipe{net: n, route: back, changed: make(chan struct{})}
	a = &conn{net: n, route: r, in: here, out: there}
	b = &conn{net: n, route: back, in: there, out: here}
	a.other, b.other = b, a
	n.conns[a], n.conns[b] = struct{}{}, struct{}{}
	return a, b
}

// update changes the pipe and wakes whoever waits for it.
func (p *pipe) update(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *pipe) watch() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.changed
}

func (p *pipe) poke() { p.update(func() {}) }

func (p *pipe) read(b []byte) (int, error) {
	for {
		changed := p.watch() // first, or a change before the checks is missed
		cut := p.net.isCut(p.route)
		now := time.Now()
		p.mu.Lock()
		wake := p.readBy
		switch {
		case p.broken:
			p.mu.Unlock()
			return 0, syscall.ECONNRESET
		case p.abandoned:
			p.mu.Unlock()
			return 0, net.ErrClosed
		case !p.readBy.IsZero() && !now.Before(p.readBy):
			p.mu.Unlock()
			return 0, os.ErrDeadlineExceeded
		case cut:
		case len(p.chunks) > 0 && !p.chunks[0].at.After(now):
			n := p.takeLocked(b, now)
			close(p.changed)
			p.changed = make(chan struct{})
			p.mu.Unlock()
			return n, nil
		case len(p.chunks) > 0:
			if at := p.chunks[0].at; wake.IsZero() || at.Before(wake) {
				wake = at
			}
		case p.finished:
			p.mu.Unlock()
			return 0, io.EOF
		}
		p.mu.Unlock()
		await(changed, wake, now)
	}
}

func (p *pipe) takeLocked(b []byte, now time.Time) (n int) {
	for n < len(b) && len(p.chunks) > 0 && !p.chunks[0].at.After(now) {
		c := &p.chunks[0]
		k := copy(b[n:], c.b)
		n += k
		if c.b = c.b[k:]; len(c.b) == 0 {
			p.chunks = p.chunks[1:]
		}
	}
	p.bytes -= n
	return n
}

func (p *pipe) write(b []byte) (n int, err error) {
	for {
		changed := p.watch()
		delay := p.net.delay(p.route)
		cut := p.net.isCut(route{p.route.to, p.route.from}) || p.net.isCut(p.route)
		now := time.Now()
		p.mu.Lock()
		switch {
		case p.broken:
			p.mu.Unlock()
			return n, syscall.ECONNRESET
		case p.finished:
			p.mu.Unlock()
			return n, net.ErrClosed
		case p.abandoned && !cut: // across a cut nobody hears of it
			p.mu.Unlock()
			return n, syscall.EPIPE
		case !p.writeBy.IsZero() && !now.Before(p.writeBy):
			p.mu.Unlock()
			return n, os.ErrDeadlineExceeded
		}
		if k := min(len(b), bufferBytes-p.bytes); k > 0 || len(b) == 0 {
			if at := now.Add(delay); at.After(p.last) {
				p.last = at
			}
			if k > 0 {
				p.chunks = append(p.chunks, chunk{at: p.last, b: append([]byte(nil), b[:k]...)})
			}
			p.bytes += k
			n += k
			b = b[k:]
			close(p.changed)
			p.changed = make(chan struct{})
		}
		wake := p.writeBy
		p.mu.Unlock()
		if len(b) == 0 {
			return n, nil
		}
		await(changed, wake, now)
	}
}

// await blocks until changed is closed or wake, unless zero, has come.
func await(changed <-chan struct{}, wake, now time.Time) {
	if wake.IsZero() {
		<-changed
		return
	}
	t := time.NewTimer(wake.Sub(now))
	defer t.Stop()
	select {
	case <-changed:
	case <-t.C:
	}
}

// Read implements net.Conn.
func (c *conn) Read(b []byte) (int, error) { return c.in.read(b) }

// Write implements net.Conn.
func (c *conn) Write(b []byte) (int, error) { return c.out.write(b) }

// CloseWrite ends the stream to the other side and keeps reading.
func (c *conn) CloseWrite() error {
	c.out.update(func() { c.out.finished = true })
	return nil
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.net.mu.Lock()
	delete(c.net.conns, c)
	c.net.mu.Unlock()
	c.out.update(func() { c.out.finished = true })
	c.in.update(func() { c.in.abandoned = true; c.in.chunks, c.in.bytes = nil, 0 })
	return nil
}

func (c *conn) reset() {
	c.net.mu.Lock()
	delete(c.net.conns, c)
	delete(c.net.conns, c.other)
	c.net.mu.Unlock()
	c.in.update(func() { c.in.broken = true })
	c.out.update(func() { c.out.broken = true })
}

func (c *conn) LocalAddr() net.Addr  { return address(c.route.from) }
func (c *conn) RemoteAddr() net.Addr { return address(c.route.to) }

func (c *conn) SetDeadline(t time.Time) error {
	_ = c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

func (c *conn) SetReadDeadline(t time.Time) error {
	c.in.update(func() { c.in.readBy = t })
	return nil
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	c.out.update(func() { c.out.writeBy = t })
	return nil
}

var _ net.Conn = (*conn)(nil)
