// SPDX-License-Identifier: MIT

package transport

import (
	"fmt"
	"runtime"
)

// runWrite writes whatever the lane queues, whenever it is woken.
func (c *conn) runWrite() {
	l := c.lane
	defer l.ep.wg.Done()
	if !c.writeFirst() {
		return
	}
	for {
		select {
		case <-c.wake:
		case <-c.dead:
			c.giveBack()
			return
		}
		l.mu.Lock()
		burst := l.burst
		l.mu.Unlock()
		if burst {
			// Let the goroutines that are about to send do so first: their
			// frames leave in the same system call.
			runtime.Gosched()
		}
		if !c.writeQueue() {
			return
		}
	}
}

// writeFirst writes what must come before any frame.
func (c *conn) writeFirst() bool {
	l := c.lane
	if c.pre != nil {
		if _, err := c.nc.Write(c.pre); err != nil {
			c.fail(fmt.Errorf("%w: %w", ErrConnLost, err))
			return false
		}
	}
	l.mu.Lock()
	c.ready = true
	if l.conn == c && !l.writing && !l.q.empty() {
		l.wakeLocked(c)
	}
	l.mu.Unlock()
	return true
}

// giveBack returns the right to write, if the writer was handed it.
func (c *conn) giveBack() {
	l := c.lane
	l.mu.Lock()
	if !c.mine {
		l.mu.Unlock()
		return
	}
	c.mine = false
	if c.rest != nil {
		l.q.finish(c.rest, c.restAt)
		c.rest = nil
	}
	l.releaseAndUnlock()
}

// writeQueue empties the queue. It reports false when the connection is over.
func (c *conn) writeQueue() bool {
	l := c.lane
	total := 0
	l.mu.Lock()
	if !c.mine {
		l.mu.Unlock()
		return true
	}
	for {
		if l.conn != c {
			l.mu.Unlock()
			c.giveBack()
			return false
		}
		if c.ping {
			c.ping = false
			l.mu.Unlock()
			if _, err := c.nc.Write(pingFrame); err != nil {
				c.fail(fmt.Errorf("%w: %w", ErrConnLost, err))
			}
			c.writes.Add(1)
			l.mu.Lock()
			continue
		}
		seg, at := c.rest, c.restAt
		c.rest, c.restAt = nil, 0
		if seg == nil {
			seg = l.q.next()
		}
		if seg == nil {
			break
		}
		frames, queued := seg.frames, l.q.count
		total += frames
		l.mu.Unlock()
		n, err := c.nc.Write(seg.b[at:])
		c.writes.Add(1)
		l.ep.cfg.Metrics.Wrote(l.id, frames, n, queued-frames)
		if err != nil {
			c.fail(fmt.Errorf("%w: %w", ErrConnLost, err))
		}
		l.mu.Lock()
		l.q.finish(seg, at+n)
		l.signalSpaceLocked()
	}
	c.mine = false
	if total > 1 {
		l.singles = 0
	} else if l.singles++; l.singles >= burstEnd {
		l.burst = false
	}
	l.releaseAndUnlock()
	return true
}
