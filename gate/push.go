// SPDX-License-Identifier: MIT

package gate

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/gate/internal/frame"
)

// Fence orders the activations of one actor: generation first, then epoch. The
// zero Fence is not checked.
type Fence struct {
	Generation uint64 `troupe:"1"`
	Epoch      uint64 `troupe:"2"`
}

// Before reports whether f belongs to an older activation than g.
func (f Fence) Before(g Fence) bool {
	return f.Generation < g.Generation || f.Generation == g.Generation && f.Epoch < g.Epoch
}

// Push is an event for clients.
type Push struct {
	// Event is the application's number for the type of Data.
	Event int32
	// Data is sent as it is. It is shared by all receivers: do not change it
	// afterwards.
	Data []byte
	// Volatile pushes are for state that the next one repeats, like positions:
	// not kept for a resume, dropped first when a client is slow. Others reach
	// the client exactly once and in order, or it is told to reload.
	Volatile bool
	// From and Fence name the activation that pushes. The gate refuses pushes
	// of an activation after it has heard its successor (invariant I2).
	From  troupe.Ref
	Fence Fence
}

// Deliver queues p for the sessions of this gate among ids and returns how
// many took it. The body is encoded once. It does not block.
//
// Sessions that moved to another gate are forwarded there. The error is the
// first one of ErrStale (nobody got it), ErrNoSession, ErrSlow and
// troupe.ErrTooLarge (over Limits.WindowBytes).
func (g *Gate) Deliver(p Push, ids ...uint64) (taken int, err error) {
	if !g.fences.admit(p.From, p.Fence) {
		g.metrics.Dropped(p.Event, "stale")
		return 0, ErrStale
	}
	body := encodePush(p)
	var elsewhere map[string][]uint64
	for _, id := range ids {
		if g.postpone(id, p) {
			taken++
			continue
		}
		e := ErrNoSession
		if s := g.find(id); s != nil {
			e = s.push(p, body)
		}
		if errors.Is(e, ErrNoSession) {
			if to, ok := g.movedTo(id); ok {
				if elsewhere == nil {
					elsewhere = make(map[string][]uint64)
				}
				elsewhere[to] = append(elsewhere[to], id)
				continue
			}
		}
		if e == nil {
			taken++
		} else if err == nil && !errors.Is(e, errOffline) {
			err = e
		}
	}
	for to, ids := range elsewhere {
		if e := g.cfg.Peers.Forward(to, ids, p); e != nil && err == nil {
			err = e
		} else if e == nil {
			taken += len(ids)
		}
	}
	return taken, err
}

func encodePush(p Push) []byte {
	body := binary.AppendUvarint(make([]byte, 0, len(p.Data)+5), uint64(uint32(p.Event)))
	return append(body, p.Data...)
}

// Broadcast queues p for every session of this gate.
func (g *Gate) Broadcast(p Push) (taken int, err error) {
	all := g.snapshot()
	ids := make([]uint64, len(all))
	for i, s := range all {
		ids[i] = s.id
	}
	return g.Deliver(p, ids...)
}

// Kick ends a session; text is shown to the client.
func (g *Gate) Kick(id uint64, text string) error {
	s := g.find(id)
	if s == nil {
		return ErrNoSession
	}
	s.end(frame.Goodbye{Reason: frame.ReasonKicked, Text: cut(text, frame.MaxTextBytes)})
	return nil
}

// Replace ends a session because its player logged in elsewhere.
func (g *Gate) Replace(id uint64) error {
	s := g.find(id)
	if s == nil {
		return ErrNoSession
	}
	s.end(frame.Goodbye{Reason: frame.ReasonReplaced})
	return nil
}

// push queues one push for this session.
func (s *session) push(p Push, body []byte) error {
	err := s.offer(p, body)
	switch {
	case err == nil:
		s.g.metrics.Pushed(p.Event, len(p.Data))
	case errors.Is(err, ErrSlow):
		s.g.metrics.Dropped(p.Event, "slow")
		if !p.Volatile && s.g.cfg.OnSlow == SlowClose {
			s.g.tooSlow(s)
		}
	case errors.Is(err, ErrStale):
		s.g.metrics.Dropped(p.Event, "stale")
	case errors.Is(err, ErrNoSession):
		s.g.metrics.Dropped(p.Event, "gone")
	case errors.Is(err, errOffline):
		s.g.metrics.Dropped(p.Event, "offline")
	default:
		s.g.metrics.Dropped(p.Event, "size")
	}
	return err
}

func (s *session) offer(p Push, body []byte) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() {
		if err == nil {
			s.stats.Pushes++
		} else {
			s.stats.Dropped++
		}
	}()
	if s.state == sessionClosed {
		return ErrNoSession
	}
	if p.From == s.who.Player && p.Fence != (Fence{}) {
		if p.Fence.Before(s.fence) {
			return ErrStale
		}
		s.fence = p.Fence
	}
	lim, cost := &s.g.cfg.Limits, len(body)+entryOverhead
	if p.Volatile {
		if s.link == nil {
			return errOffline
		}
		if over(s.out.queueBytes+cost, half(lim.QueueBytes)) {
			return ErrSlow
		}
		s.out.enqueue(entry{kind: frame.KindPush, body: body})
		s.wakeLocked()
		return nil
	}
	if over(cost, lim.WindowBytes) || over(cost, lim.QueueBytes) {
		return fmt.Errorf("gate: push %w", troupe.ErrTooLarge)
	}
	if s.out.lost > 0 {
		cost += 2 * entryOverhead // the note about them comes first
	}
	if over(s.out.windowBytes+cost, lim.WindowBytes) || over(s.out.queueBytes+cost, lim.QueueBytes) {
		s.out.lost++
		return ErrSlow
	}
	s.reportLostLocked()
	s.out.add(frame.KindPush, body, s.link != nil)
	s.wakeLocked()
	return nil
}

// errOffline: a volatile push found no connection, which is no fault.
var errOffline = errors.New("gate: offline")

func half(limit int) int {
	if limit < 0 {
		return limit
	}
	return limit / 2
}

// reportLostLocked tells the client about dropped pushes, in their place.
func (s *session) reportLostLocked() {
	if s.out.lost == 0 || over(s.out.windowBytes+2*entryOverhead, s.g.cfg.Limits.WindowBytes) {
		return
	}
	lost := frame.Lost{Count: s.out.lost}
	s.out.lost = 0
	s.out.add(frame.KindLost, lost.AppendBody(nil), s.link != nil)
}

// fullLocked reports whether there is no room for replies, which are never
// dropped: a client that asks and does not read is closed under every policy.
func (s *session) fullLocked() bool {
	return over(s.out.windowBytes, 2*s.g.cfg.Limits.WindowBytes)
}

func (g *Gate) tooSlow(s *session) {
	s.end(frame.Goodbye{Reason: frame.ReasonSlow})
}

// tell passes a change on to the backend, which must not block, and survives
// its panic.
func (g *Gate) tell(s *session, change Change, reason string) {
	if err := g.notify(g.ctx, s, change, reason); err != nil {
		g.log.Debug("session event not delivered", "player", s.who.Player, "change", change, "error", err)
	}
}

func (g *Gate) notify(ctx context.Context, s *session, change Change, reason string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			g.log.Error("panic in backend", "player", s.who.Player, "panic", quote(fmt.Sprint(p)), "stack", string(debug.Stack()))
			err = errInternal
		}
	}()
	return g.cfg.Backend.SessionChanged(ctx, SessionEvent{Change: change, Session: s.ref(), Identity: s.who, Reason: reason})
}
