// SPDX-License-Identifier: MIT

package gate

import "time"

// movedTo is where a released session went, for pushes still on their way.
type movedTo struct {
	gate  string
	until time.Time
}

// forwardFor is how long pushes follow a session that moved.
const forwardFor = time.Minute

func (g *Gate) movedTo(id uint64) (gate string, ok bool) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	to, ok := g.moved[id]
	return to.gate, ok && g.cfg.Peers != nil
}

func (g *Gate) forgetMoved(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for id, to := range g.moved {
		if now.After(to.until) {
			delete(g.moved, id)
		}
	}
}

// An arrival holds pushes for a session that is on its way here.
type arrival struct{ pushes []Push }

// maxArrivalPushes bounds the pushes that wait for one session. The session is
// then told how many were lost.
const maxArrivalPushes = 1024

// expect announces that a session is being fetched. It reports false if it
// already is.
func (g *Gate) expect(id uint64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.arriving[id] != nil {
		return false
	}
	if g.arriving == nil {
		g.arriving = make(map[uint64]*arrival)
	}
	g.arriving[id] = &arrival{}
	g.expected.Add(1)
	return true
}

// postpone keeps a push for a session on its way. It reports false when the
// session is not expected.
func (g *Gate) postpone(id uint64, p Push) bool {
	if g.expected.Load() == 0 {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.arriving[id]
	if a == nil {
		return false
	}
	if len(a.pushes) < maxArrivalPushes {
		a.pushes = append(a.pushes, p)
		return true
	}
	g.metrics.Dropped(p.Event, "arriving")
	return false
}

// arrived passes on what waited, in order, until nothing waits; s is nil when
// the session did not come.
func (g *Gate) arrived(id uint64, s *session) {
	for {
		g.mu.Lock()
		a := g.arriving[id]
		waiting := a.pushes
		a.pushes = nil
		if len(waiting) == 0 || s == nil {
			delete(g.arriving, id)
			g.expected.Add(-1)
			g.mu.Unlock()
			return
		}
		g.mu.Unlock()
		for _, p := range waiting {
			_ = s.push(p, encodePush(p)) // counted and decided like any other
		}
	}
}
