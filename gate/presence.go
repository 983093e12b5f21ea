// SPDX-License-Identifier: MIT

package gate

import (
	"time"

	"github.com/troupe-go/troupe"
)

// Presence is a player's connection as its actor sees it. Keep one in the
// actor's struct and use it on the actor's turn only. The zero value is a
// player of whom nothing is known yet.
//
// An actor that is activated again, after a crash of its node or a hand-off,
// has a new Presence while the client's session goes on at its gate. Find, or
// the first Push, asks the gates; what is pushed until one answers waits.
//
// When the session moves to another gate, what the actor pushes next waits for
// what is still under way by the former gate, so that the client gets all of it
// in the order pushed.
type Presence struct {
	// RefuseSecond makes a second login fail while the first is connected.
	// Otherwise the newer login replaces the older.
	RefuseSecond bool

	session SessionRef
	issued  int64 // of the session's login
	online  bool
	asked   time.Time // when the gates were asked for the session
	waiting []Push
	settles time.Time // until when pushes wait after a move; zero: they do not
}

// While the gates are asked, pushes wait for findTimeout, and while those
// before them are under way by a former gate for settleTimeout: that gate may
// die. At most maxWaitingPushes wait for the first, and maxSettlingPushes for
// the second.
const (
	findTimeout       = 2 * time.Second
	settleTimeout     = time.Second
	maxWaitingPushes  = 64
	maxSettlingPushes = 1024
)

// Handle takes a session event; return its error from the Session handler. It
// ends the player's older session wherever it is, so that one session per
// player speaks in the whole cluster.
func (p *Presence) Handle(from troupe.Caller, e SessionEvent) error {
	same := e.Session.ID == p.session.ID
	switch e.Change {
	case Opened:
		if !same && !p.session.IsZero() && (p.RefuseSecond && p.online || p.overtook(e.Identity.Issued)) {
			return ErrDuplicate
		}
		if !p.session.IsZero() && !same {
			_ = p.session.replace(from) // its gate may be gone: that ends it, too
		}
		p.set(from, e)
	case Moved, Online, Alive:
		if !p.session.IsZero() && !same {
			return e.Session.replace(from) // a session that missed its successor
		}
		p.set(from, e)
	case Offline:
		if p.session == e.Session {
			p.online = false
		}
	case Closed:
		if p.session == e.Session {
			p.session, p.online = SessionRef{}, false
			p.waiting, p.settles = nil, time.Time{}
		}
	case Settled:
		if p.session == e.Session {
			p.settle(from)
		}
	}
	return nil
}

// overtaken is how long ago a login may have been issued and still be one that
// was held up on its way; with an older one the clocks of the login servers
// disagree.
const overtaken = time.Minute

// overtook reports whether the session is of a later login than one issued then.
func (p *Presence) overtook(issued int64) bool {
	late := p.issued - issued
	return issued != 0 && late > 0 && late < overtaken.Milliseconds()
}

// set notes the session and sends what waited for it.
func (p *Presence) set(from troupe.Caller, e SessionEvent) {
	s, former := e.Session, p.session
	p.session, p.online = s, true
	p.issued = max(p.issued, e.Identity.Issued)
	switch {
	case former.ID == s.ID && former.Gate != s.Gate:
		// The former gate passes on what it gets, and this behind it.
		if tellGate(from, former.Gate, &gateMessage{Follow: &followArgs{Session: s.ID}}) == nil {
			p.settles = time.Now().Add(settleTimeout)
			return
		}
	case time.Now().Before(p.settles):
		return
	}
	p.settle(from)
}

// settle sends what waited.
func (p *Presence) settle(from troupe.Caller) {
	waiting := p.waiting
	p.waiting, p.settles = nil, time.Time{}
	for _, w := range waiting {
		_ = push(from, p.session.Gate, []uint64{p.session.ID}, w) // as for any push: the gate decides
	}
}

// Find asks the gates which of them has the player's session, unless it is
// known or has been asked. Call it in OnActivate if the actor wants to know
// before its first Push; from is the actor. It does not block: the answer is a
// session event, or none.
func (p *Presence) Find(from troupe.Caller) {
	a, ok := from.(fenced)
	if !p.session.IsZero() || !p.asked.IsZero() || !ok {
		return
	}
	p.asked = time.Now()
	if c, ok := troupe.Service[*Cluster](from); ok {
		c.ask(from, a.Ref())
	}
}

// Session returns the player's session, or the zero SessionRef.
func (p *Presence) Session() SessionRef { return p.session }

// Online reports whether the player has a connection, as far as is known here.
func (p *Presence) Online() bool { return p.online }

// Push sends an event to the player; see SessionRef.Push. Without a session it
// is dropped with ErrNoSession.
func (p *Presence) Push(from troupe.Caller, event int32, data []byte) error {
	return p.push(from, newPush(from, event, data, false))
}

// PushVolatile is Push for state that the next push repeats; see Push.Volatile.
func (p *Presence) PushVolatile(from troupe.Caller, event int32, data []byte) error {
	return p.push(from, newPush(from, event, data, true))
}

func (p *Presence) push(from troupe.Caller, w Push) error {
	if !p.session.IsZero() {
		if !p.settles.IsZero() {
			if time.Now().Before(p.settles) && len(p.waiting) < maxSettlingPushes {
				p.waiting = append(p.waiting, w)
				return nil
			}
			p.settle(from)
		}
		return push(from, p.session.Gate, []uint64{p.session.ID}, w)
	}
	p.Find(from)
	if time.Since(p.asked) > findTimeout || len(p.waiting) >= maxWaitingPushes {
		p.waiting = nil
		return ErrNoSession
	}
	if !w.Volatile {
		p.waiting = append(p.waiting, w)
	}
	return nil
}

// Push sends an event to a session from any node. from is the actor that
// pushes, or a node; an actor's pushes carry its fence. It does not block and
// nil does not mean that the client has it. data must not change afterwards.
func (s SessionRef) Push(from troupe.Caller, event int32, data []byte) error {
	return push(from, s.Gate, []uint64{s.ID}, newPush(from, event, data, false))
}

// PushVolatile is Push for state that the next push repeats; see Push.Volatile.
func (s SessionRef) PushVolatile(from troupe.Caller, event int32, data []byte) error {
	return push(from, s.Gate, []uint64{s.ID}, newPush(from, event, data, true))
}

// Kick ends the session; text is shown to the client. What was pushed before
// from the same actor is sent first.
func (s SessionRef) Kick(from troupe.Caller, text string) error {
	return tellGate(from, s.Gate, &gateMessage{End: &endArgs{Session: s.ID, Text: text}})
}

func (s SessionRef) replace(from troupe.Caller) error {
	return tellGate(from, s.Gate, &gateMessage{End: &endArgs{Session: s.ID, Replaced: true}})
}

// fenced is what actors have and nodes do not.
type fenced interface {
	Ref() troupe.Ref
	Fence() troupe.Fence
}

func newPush(from troupe.Caller, event int32, data []byte, volatile bool) Push {
	p := Push{Event: event, Data: data, Volatile: volatile}
	if a, ok := from.(fenced); ok {
		f := a.Fence()
		p.From, p.Fence = a.Ref(), Fence{Generation: f.Generation, Epoch: f.Epoch}
	}
	return p
}

func push(from troupe.Caller, gate string, ids []uint64, p Push) error {
	return tellGate(from, gate, &gateMessage{Deliver: &deliverArgs{Sessions: ids, Push: p}})
}

func tellGate(from troupe.Caller, gate string, m *gateMessage) error {
	if gate == "" {
		return ErrNoSession
	}
	c, ok := troupe.Service[*Cluster](from)
	if !ok {
		return errNotJoined
	}
	return c.tell(from, gate, m)
}
