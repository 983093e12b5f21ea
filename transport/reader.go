// SPDX-License-Identifier: MIT

package transport

import (
	"errors"
	"fmt"
	"io"
)

// runRead delivers what arrives, then cleans up after the connection. prev is
// the connection before it, if any.
func (c *conn) runRead(prev *conn) {
	l := c.lane
	defer l.ep.wg.Done()
	if prev != nil {
		<-prev.readDone
	}
	h := l.ep.handler
	h.HandlePeer(PeerEvent{Link: l.link, Peer: c.peer, Lane: l.id, Up: true})
	l.report(c.tooLarge, ErrFrameTooLarge)
	c.tooLarge = nil
	err := c.read(h)
	if errors.Is(err, ErrMalformed) || errors.Is(err, ErrFrameTooLarge) {
		c.goodbye(err)
		_, _ = io.CopyN(io.Discard, c.nc, 1<<20) // let the reason arrive before a reset
	}
	c.fail(err)
	l.mu.Lock()
	err = c.err
	l.mu.Unlock()
	l.ep.cfg.Metrics.Disconnected(l.id, err)
	h.HandlePeer(PeerEvent{Link: l.link, Peer: c.peer, Lane: l.id, Err: err})
	close(c.readDone)
	var ce *ConnError
	if errors.As(err, &ce) && ce.Remote && errors.Is(err, ErrSuperseded) {
		l.link.Close(err) // to that peer our time is over: dialing cannot help
		return
	}
	l.redial()
}

func (c *conn) read(h Handler) error {
	l, link := c.lane, Link(c.lane.link)
	dec := decoder{maxFrameBytes: l.ep.cfg.MaxFrameBytes}
	deliver := l.deliverer(h)
	buf := make([]byte, readBufferBytes)
	have := 0
	for {
		n, rerr := c.nc.Read(buf[have:])
		if n > 0 {
			c.reads.Add(1)
			have += n
			var err error
			at, frames := 0, 0
			l.cork()
			for {
				ev, used, derr := dec.next(buf[at:have])
				if derr == nil && used > 0 && ev.kind == kindClose {
					derr = &ConnError{NodeID: c.peer.NodeID, Addr: c.peer.Addr, Lane: l.id, Remote: true, Err: closeReason(ev.frame)}
				}
				if err = derr; derr != nil || used == 0 {
					break
				}
				at += used
				if ev.whole {
					frames++
					deliver(ev.frame)
				}
			}
			if frames > 0 && l.ep.cfg.Intercept == nil {
				h.HandleBatchEnd(link, l.id)
			}
			l.uncork(c)
			l.ep.cfg.Metrics.Read(l.id, frames, n)
			if err != nil {
				return err
			}
			have = copy(buf, buf[at:have])
		}
		if rerr != nil {
			return fmt.Errorf("%w: %w", ErrConnLost, rerr)
		}
	}
}
