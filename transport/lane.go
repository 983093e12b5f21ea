// SPDX-License-Identifier: MIT

package transport

import (
	"context"
	"encoding"
	"errors"
	"sync"
	"time"
)

// lane is one direction-less connection slot of a link: its queue, the
// connection that is up, if any, and the dialing of the next one.
//
// Invariants (T1, T2 in queue.go):
//
//	T3  at most one goroutine writes: the one that turned writing on. It may
//	    hand the right over to the writer of a connection (conn.mine).
//	T4  at most one reader delivers: the reader of a connection waits for that
//	    of the connection before it.
//	T5  both ends agree on which connection counts; see accept.
type lane struct {
	link *link
	id   Lane
	ep   *Endpoint

	mu      sync.Mutex // guards everything below
	idle    sync.Cond  // signalled when writing turns off
	q       outQueue
	conn    *conn // nil unless up
	last    *conn // the newest connection, up or not
	writing bool  // T3
	corked  bool  // the reader is handling a batch and will flush after it
	burst   bool  // many writers lately: let the writer goroutine coalesce
	singles int   // wakes in a row that found one frame
	space   chan struct{}

	used        bool  // something was sent: keep a connection
	closed      error // final
	unreachable error // sends fail until a connection is up
	lastErr     error // why the last dial failed
	downSince   time.Time
	pause       time.Duration // before the next dial
	maxFrame    int           // the smaller of both ends' limits
	full        error         // the answer to back-pressure, made once
	dialing     bool          // runDial is running
	confirming  bool          // our dial has sent its confirm and waits for the decision
	gone        nonce         // the last connection lost or given up

	delivering sync.Mutex // serializes late deliveries of an Interceptor
}

// burstEnd is how many wakes of the writer must find a single frame before
// senders may write by themselves again.
const burstEnd = 16

func newLane(l *link, id Lane) *lane {
	ln := &lane{link: l, id: id, ep: l.ep}
	ln.idle.L = &ln.mu
	ln.q.maxBytes, ln.q.maxFrames = l.ep.cfg.QueueBytes, l.ep.cfg.QueueFrames
	ln.q.pool = &l.ep.segments
	ln.maxFrame = l.ep.cfg.MaxFrameBytes
	ln.full = &SendError{NodeID: l.Peer().NodeID, Lane: id, Err: ErrBackpressure}
	return ln
}

func (l *lane) send(m Meta, frame []byte) error {
	l.mu.Lock()
	if err := l.refuseLocked(len(frame)); err != nil {
		l.mu.Unlock()
		return err
	}
	l.q.push(m.Key, frame)
	l.kickAndUnlock(m.Now)
	return nil
}

func (l *lane) sendAppend(m Meta, a encoding.BinaryAppender) error {
	l.mu.Lock()
	err := l.refuseLocked(0)
	if err == nil {
		err = l.pushAppendLocked(m.Key, a)
	}
	if err != nil {
		l.mu.Unlock()
		return err
	}
	l.kickAndUnlock(m.Now)
	return nil
}

// pushAppendLocked unlocks when a panics.
func (l *lane) pushAppendLocked(key uint64, a encoding.BinaryAppender) error {
	returned := false
	defer func() {
		if !returned {
			l.mu.Unlock()
		}
	}()
	err := l.q.pushAppend(key, a, l.refuseLocked)
	returned = true
	return err
}

// refuseLocked says why a frame of n bytes cannot be accepted now.
func (l *lane) refuseLocked(n int) error {
	switch {
	case l.closed != nil:
		return l.sendError(ErrClosed, l.closed)
	case n > l.maxFrame:
		return l.sendError(ErrFrameTooLarge, nil)
	case l.unreachable != nil:
		l.used = true
		return l.sendError(ErrPeerUnreachable, l.unreachable)
	case !l.q.room(n):
		l.ep.cfg.Metrics.Dropped(l.id, 1, ErrBackpressure)
		return l.full
	}
	return nil
}

func (l *lane) sendError(sentinel, cause error) error {
	if errors.Is(cause, sentinel) && errors.Is(sentinel, cause) {
		cause = nil
	}
	// ErrClosed ends the link, of the rest there may be many.
	if sentinel != ErrClosed { //nolint:errorlint // one of our sentinels as it is
		l.ep.cfg.Metrics.Dropped(l.id, 1, sentinel)
	}
	return &SendError{NodeID: l.link.Peer().NodeID, Lane: l.id, Err: sentinel, Cause: cause}
}

// kickAndUnlock gets the queue written: by this goroutine if it asked for it
// and the connection is idle, else by the writer.
func (l *lane) kickAndUnlock(now bool) {
	l.used = true
	c := l.conn
	switch {
	case c == nil:
		l.startDialLocked()
		l.mu.Unlock()
	case l.writing || !c.ready || (l.corked && l.q.bytes < segmentBytes):
		l.mu.Unlock()
	case now && !l.burst && c.raw != nil:
		l.writeInlineAndUnlock(c)
	default:
		l.wakeLocked(c)
		l.mu.Unlock()
	}
}

// wakeLocked hands the right to write to c's writer.
func (l *lane) wakeLocked(c *conn) {
	l.writing, c.mine = true, true
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// writeInlineAndUnlock makes one write that does not block. What the kernel
// does not take, and what others queued meanwhile, is left to the writer.
func (l *lane) writeInlineAndUnlock(c *conn) {
	seg := l.q.next()
	if seg == nil {
		l.mu.Unlock()
		return
	}
	l.writing = true
	l.mu.Unlock()
	frames := seg.frames
	n, err := c.raw.tryWrite(seg.b)
	c.writes.Add(1)
	if err != nil {
		c.fail(err)
	}
	l.mu.Lock()
	if err == nil && n < len(seg.b) && l.conn == c {
		c.rest, c.restAt = seg, n
		l.wakeLocked(c)
		l.mu.Unlock()
		return
	}
	l.q.finish(seg, n)
	if !l.q.empty() && l.conn == c {
		// Others came during the write: let the writer collect their frames.
		l.burst, l.singles = true, 0
		l.wakeLocked(c)
		l.mu.Unlock()
		return
	}
	queued := l.q.count
	l.releaseAndUnlock()
	l.ep.cfg.Metrics.Wrote(l.id, frames, n, queued)
}

// releaseAndUnlock gives up the right to write.
func (l *lane) releaseAndUnlock() {
	l.writing = false
	l.idle.Broadcast()
	l.signalSpaceLocked()
	var drops [][]byte
	var why error
	if l.closed != nil && l.conn == nil {
		drops, why = l.drainLocked(), l.closed
	} else if l.unreachable != nil {
		drops, why = l.drainLocked(), l.unreachable
	} else if c := l.conn; c != nil && c.ready && !l.q.empty() {
		l.wakeLocked(c)
	}
	l.mu.Unlock()
	l.report(drops, why)
}

func (l *lane) signalSpaceLocked() {
	if l.space != nil && l.q.bytes*2 <= l.q.maxBytes && l.q.count*2 <= l.q.maxFrames {
		l.wakeWaitersLocked()
	}
}

func (l *lane) wakeWaitersLocked() {
	if l.space != nil {
		close(l.space)
		l.space = nil
	}
}

// waitUntil blocks until done, which is called with the lock held, is true.
func (l *lane) waitUntil(ctx context.Context, done func() bool) error {
	for {
		l.mu.Lock()
		if done() {
			l.mu.Unlock()
			return nil
		}
		if l.space == nil {
			l.space = make(chan struct{})
		}
		space := l.space
		l.mu.Unlock()
		select {
		case <-space:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (l *lane) wait(ctx context.Context) error {
	var closed error
	err := l.waitUntil(ctx, func() bool {
		if l.closed != nil {
			closed = l.sendError(ErrClosed, l.closed)
			return true
		}
		return l.q.bytes*2 <= l.q.maxBytes && l.q.count*2 <= l.q.maxFrames
	})
	if err == nil {
		err = closed
	}
	return err
}

// cork holds frames back while the reader handles a batch.
func (l *lane) cork() {
	l.mu.Lock()
	l.corked = true
	l.mu.Unlock()
}

// uncork flushes what came up during the batch, on the reader's goroutine if
// that cannot block.
func (l *lane) uncork(c *conn) {
	l.mu.Lock()
	l.corked = false
	switch {
	case l.conn == nil || l.writing || l.q.empty() || !l.conn.ready:
		l.mu.Unlock()
	case l.conn == c && c.raw != nil:
		l.writeInlineAndUnlock(c)
	default:
		l.wakeLocked(l.conn)
		l.mu.Unlock()
	}
}

func (l *lane) drainLocked() (drops [][]byte) {
	l.q.drain(func(frame []byte) { drops = append(drops, append([]byte(nil), frame...)) })
	return drops
}

// report tells the handler about frames that will not be sent.
func (l *lane) report(drops [][]byte, reason error) {
	if len(drops) == 0 {
		return
	}
	l.ep.cfg.Metrics.Dropped(l.id, len(drops), reason)
	h := l.ep.handlerOrNil()
	for _, frame := range drops {
		if h != nil {
			h.HandleDrop(l.link, l.id, frame, reason)
		}
	}
}

// giveUp makes sends fail and drops the queue until a connection is up.
func (l *lane) giveUp(why error) {
	l.mu.Lock()
	if l.conn != nil || l.closed != nil || l.unreachable != nil {
		l.mu.Unlock()
		return
	}
	l.unreachable = why
	drops := l.drainLocked()
	l.signalSpaceLocked()
	l.mu.Unlock()
	l.report(drops, why)
}

// close ends the lane for good. The connection says goodbye in the background.
func (l *lane) close(reason error) {
	l.mu.Lock()
	if l.closed != nil {
		l.mu.Unlock()
		return
	}
	l.closed = reason
	c := l.conn
	drops := l.drainLocked()
	l.wakeWaitersLocked()
	switch {
	case c == nil:
	case l.ep.spawn():
		go func() {
			defer l.ep.wg.Done()
			c.goodbye(reason)
		}()
	default:
		c.failLocked(reason)
		_ = c.sock.Close()
	}
	l.mu.Unlock()
	l.report(drops, reason)
}

// tick is called by the endpoint's keeper.
func (l *lane) tick(now time.Time) {
	l.mu.Lock()
	c := l.conn
	late := c == nil && l.used && l.closed == nil && l.unreachable == nil &&
		!l.downSince.IsZero() && now.Sub(l.downSince) >= l.ep.cfg.UnreachableAfter
	why := l.lastErr
	l.mu.Unlock()
	if late {
		if why == nil {
			why = ErrConnLost
		}
		l.giveUp(why)
	}
	if c != nil {
		c.tick(now)
	}
}
