// SPDX-License-Identifier: MIT

package gate

import (
	"context"
	"time"

	"github.com/troupe-go/troupe/gate/internal/frame"
)

// Clients are sent away in steps, drainInterval apart, so that they do not all
// knock at the other gates at once: a fiftieth at a time, or drainStep.
const (
	drainInterval = 20 * time.Millisecond
	drainSteps    = 50
	drainStep     = 100
)

// Drain sends every client to another gate: new logins are refused with its
// address, and each connected client gets a goodbye "move", reconnects there
// with its resume token and continues; nothing is lost and no request fails.
//
// It returns when no session is left, or with ctx's error. Sessions whose
// client stays away, and all of them when there is no other gate, remain until
// Stop. The gate keeps serving releases until Stop.
func (g *Gate) Drain(ctx context.Context) error {
	g.draining.Store(true)
	g.announce()
	tick := time.NewTicker(drainInterval)
	defer tick.Stop()
	for {
		all := g.snapshot()
		if len(all) == 0 {
			return nil
		}
		budget := max(drainStep, len(all)/drainSteps)
		for _, s := range all {
			if budget > 0 && s.sendAway() {
				budget--
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-g.ctx.Done():
			return ErrStopped
		case <-tick.C:
		}
	}
}

// sendAway parts with a connected client, if there is a gate for it; its
// session stays until another gate takes it.
func (s *session) sendAway() bool {
	s.mu.Lock()
	l := s.link
	s.mu.Unlock()
	if l == nil {
		return false
	}
	bye := s.g.elsewhere(l.conn.Name(), frame.ReasonShutdown)
	if bye.Reason != frame.ReasonMove {
		return false
	}
	s.mu.Lock()
	s.detachQuietlyLocked(l, bye)
	s.mu.Unlock()
	return true
}
