// SPDX-License-Identifier: MIT

package transport

import (
	"context"
	"encoding"
	"sync/atomic"
	"time"
)

// link is one incarnation of one peer; see Link.
type link struct {
	ep    *Endpoint
	peer  atomic.Pointer[Peer] // written under ep.mu; bound once it has an incarnation
	lanes [laneCount]*lane
}

func newLink(e *Endpoint, p Peer) *link {
	l := &link{ep: e}
	l.peer.Store(&p)
	for i := range l.lanes {
		l.lanes[i] = newLane(l, Lane(i))
	}
	return l
}

func (l *link) Peer() Peer { return *l.peer.Load() }

func (l *link) Send(m Meta, frame []byte) error {
	if m.Lane >= laneCount {
		m.Lane = LaneMessages
	}
	return l.lanes[m.Lane].send(m, frame)
}

func (l *link) SendAppend(m Meta, a encoding.BinaryAppender) error {
	if m.Lane >= laneCount {
		m.Lane = LaneMessages
	}
	return l.lanes[m.Lane].sendAppend(m, a)
}

func (l *link) Wait(ctx context.Context, lane Lane) error {
	return l.lanes[min(lane, laneCount-1)].wait(ctx)
}

func (l *link) Close(reason error) {
	if reason == nil {
		reason = ErrClosed
	}
	l.ep.forget(l)
	for _, ln := range l.lanes {
		ln.close(reason)
	}
}

// live reports whether any lane has a connection.
func (l *link) live() bool {
	for _, ln := range l.lanes {
		ln.mu.Lock()
		up := ln.conn != nil
		ln.mu.Unlock()
		if up {
			return true
		}
	}
	return false
}

func (l *link) tick(now time.Time) {
	for _, ln := range l.lanes {
		ln.tick(now)
	}
}

var _ Link = (*link)(nil)
