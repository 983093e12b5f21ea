// SPDX-License-Identifier: MIT

package gate

import (
	"context"
	"time"

	"github.com/troupe-go/troupe/gate/internal/frame"
)

// Resuming keeps these, which the tests number:
//
//	R1 Every sequenced frame reaches the client exactly once and in order, or
//	   the client is told to reload.
//	R2 Every request is executed at most once per session; exactly once when
//	   the session lives until its reply.
//	R3 A resume token is good for one connection that the client has seen
//	   succeed. It is bound to the session, the device and the holder.
//
// A client that reconnects to another gate finds its session there because
// that gate asks the holder named in the token to release it: the whole state
// moves, the holder keeps a forwarding note, and there is never a moment with
// two copies that execute or push.

// ReleaseRequest asks a gate to give a session up.
type ReleaseRequest struct {
	Session uint64 `troupe:"1"`
	Serial  uint64 `troupe:"2"`
	Device  string `troupe:"3"`
	// To is the gate that takes the session.
	To string `troupe:"4"`
}

// SessionState is a session on its way to another gate.
type SessionState struct {
	ID          uint64       `troupe:"1"`
	Identity    Identity     `troupe:"2"`
	Fence       Fence        `troupe:"3"`
	Issued      uint64       `troupe:"4"`
	Serial      uint64       `troupe:"11"`
	Next        uint64       `troupe:"5"`
	Acked       uint64       `troupe:"6"`
	LastRequest uint64       `troupe:"7"`
	Lost        uint64       `troupe:"8"`
	Window      []StateFrame `troupe:"9"`
	Inbox       []StateFrame `troupe:"10"`
}

// StateFrame is one frame of a SessionState. Window frames are consecutive up
// to Next; inbox frames are encoded requests.
type StateFrame struct {
	Kind int32  `troupe:"1"`
	Body []byte `troupe:"2"`
}

// resume attaches the connection to the session its token names.
func (g *Gate) resume(ctx context.Context, l *link, hello frame.Hello) error {
	reload := &goodbyeError{frame.Goodbye{Reason: frame.ReasonReload}}
	if g.stopped.Load() {
		return &goodbyeError{g.elsewhere(l.conn.Name(), frame.ReasonBusy)}
	}
	c, err := g.cfg.Keys.Verify(hello.Token, PurposeResume, time.Now())
	if err != nil || c.Device != hello.Device {
		return &goodbyeError{frame.Goodbye{Reason: frame.ReasonDenied}}
	}
	change := Online
	s := g.find(c.Session)
	switch {
	case s != nil:
		if !s.redeem(c.Serial, hello.Device) {
			return &goodbyeError{frame.Goodbye{Reason: frame.ReasonDenied}}
		}
		if g.draining.Load() && !s.online() {
			// Draining: the client was sent away and came back; send it again.
			if bye := g.elsewhere(l.conn.Name(), frame.ReasonBusy); bye.Reason == frame.ReasonMove {
				return &goodbyeError{bye}
			}
		}
	case g.holder(c) == g.cfg.Name || g.cfg.Peers == nil:
		return reload
	case g.draining.Load():
		return &goodbyeError{g.elsewhere(l.conn.Name(), frame.ReasonBusy)}
	default:
		if s, err = g.fetch(ctx, c); err != nil {
			g.log.Debug("session not fetched", "player", c.Player, "from", c.Gate, "error", err)
			return reload
		}
		change = Moved
	}
	if err := s.attach(l, true, hello.LastSeq); err != nil {
		s.end(frame.Goodbye{Reason: frame.ReasonReload})
		return reload
	}
	g.tell(s, change, "")
	return nil
}

// holder returns the gate that has the session as far as is known here: the
// one in the token, unless it left from here since.
func (g *Gate) holder(c Claims) string {
	if to, ok := g.movedTo(c.Session); ok {
		return to
	}
	return c.Gate
}

// redeem checks a resume token against the session (R3).
func (s *session) redeem(serial uint64, device string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != sessionOpen || s.who.Device != device || serial == 0 {
		return false
	}
	if serial == s.issued {
		s.serial = serial
	}
	return serial == s.serial
}

func (s *session) online() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.link != nil
}

// fetch takes a session over from the gate that holds it. Pushes forwarded
// meanwhile wait and follow the window that comes with the session.
func (g *Gate) fetch(ctx context.Context, c Claims) (*session, error) {
	if !g.expect(c.Session) {
		return nil, ErrReload // another connection is fetching it
	}
	var s *session
	defer func() { g.arrived(c.Session, s) }()
	state, err := g.cfg.Peers.Release(ctx, g.holder(c), ReleaseRequest{Session: c.Session, Serial: c.Serial, Device: c.Device, To: g.cfg.Name})
	if err != nil {
		return nil, err
	}
	restored, err := restore(g, state)
	if err != nil || restored.id != c.Session || restored.who.Player != c.Player {
		return nil, ErrReload
	}
	old, err := g.admit(restored)
	if err != nil {
		return nil, err
	}
	if old != nil {
		old.end(frame.Goodbye{Reason: frame.ReasonReplaced})
	}
	s = restored
	s.mu.Lock()
	s.workLocked()
	s.mu.Unlock()
	return s, nil
}

// Release gives a session up to another gate: no further request is begun, the
// running one finishes, and the state is returned. Pushes that still arrive
// are forwarded for a minute. It blocks for at most Timeouts.Call.
//
// ErrReload when there is no such session, ErrToken when the token was used.
func (g *Gate) Release(ctx context.Context, r ReleaseRequest) (SessionState, error) {
	s := g.find(r.Session)
	if s == nil {
		if to, ok := g.movedTo(r.Session); ok && to != r.To {
			return g.cfg.Peers.Release(ctx, to, r)
		}
		return SessionState{}, ErrReload
	}
	if !s.redeem(r.Serial, r.Device) {
		return SessionState{}, ErrToken
	}
	return s.release(ctx, r.To)
}

func (s *session) release(ctx context.Context, to string) (SessionState, error) {
	s.mu.Lock()
	if s.state != sessionOpen {
		s.mu.Unlock()
		return SessionState{}, ErrReload
	}
	s.state = sessionFrozen
	stop := context.AfterFunc(ctx, func() { s.mu.Lock(); s.moved.Broadcast(); s.mu.Unlock() })
	for s.running && s.state == sessionFrozen && ctx.Err() == nil {
		s.moved.Wait() // the running request is bounded by Timeouts.Call
	}
	stop()
	if s.state != sessionFrozen || s.running {
		if s.state == sessionFrozen {
			s.state = sessionOpen // nobody took it: go on
			s.workLocked()
		}
		s.mu.Unlock()
		return SessionState{}, ErrReload
	}
	s.mu.Unlock()
	// The note comes before the state is taken: a push finds the session, or
	// the note. A frozen session still takes pushes.
	g := s.g
	g.mu.Lock()
	g.moved[s.id] = movedTo{gate: to, until: time.Now().Add(forwardFor)}
	g.mu.Unlock()
	s.mu.Lock()
	state := s.stateLocked()
	if l := s.closeLocked(); l != nil {
		l.sayGoodbyeLocked(&s.out, frame.Goodbye{Reason: frame.ReasonMove})
	}
	s.out = newOutbox()
	s.mu.Unlock()
	g.remove(s)
	return state, nil
}

// stateLocked copies what moves.
func (s *session) stateLocked() SessionState {
	st := SessionState{
		ID: s.id, Identity: s.who, Fence: s.fence, Issued: s.issued, Serial: s.serial,
		Next: s.out.next, Acked: s.out.acked, LastRequest: s.lastRequest, Lost: s.out.lost,
	}
	for _, e := range s.out.window {
		st.Window = append(st.Window, StateFrame{Kind: int32(e.kind), Body: e.body})
	}
	for i := range s.inbox {
		st.Inbox = append(st.Inbox, StateFrame{Kind: int32(frame.KindRequest), Body: s.inbox[i].Append(nil)})
	}
	return st
}

// restore makes a session from a state. The state comes from a peer; what does
// not add up is an error.
func restore(g *Gate, st SessionState) (*session, error) {
	if st.ID == 0 || st.Next != st.Acked+1+uint64(len(st.Window)) || st.Identity.Player.IsZero() {
		return nil, ErrReload
	}
	s := newSession(g, st.ID, st.Identity)
	s.fence, s.lastRequest = st.Fence, st.LastRequest
	s.issued, s.serial = st.Issued, st.Serial
	s.out = outbox{next: st.Acked + 1, acked: st.Acked, lost: st.Lost}
	for _, f := range st.Window {
		s.out.add(frame.Kind(f.Kind), f.Body, false)
	}
	for _, f := range st.Inbox {
		if len(f.Body) <= frame.HeaderBytes {
			return nil, ErrReload
		}
		r, err := frame.ParseRequest(f.Body[frame.HeaderBytes+1:])
		if err != nil {
			return nil, ErrReload
		}
		s.inbox = append(s.inbox, r)
		s.inboxBytes += len(r.Args)
	}
	return s, nil
}

// discard forgets a session that nobody was told about.
func (s *session) discard() {
	s.mu.Lock()
	s.closeLocked()
	s.mu.Unlock()
	s.g.remove(s)
}
