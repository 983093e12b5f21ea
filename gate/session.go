// SPDX-License-Identifier: MIT

package gate

import (
	"sync"
	"time"

	"github.com/troupe-go/troupe/gate/internal/frame"
)

// A session is one login of one player, over any number of connections one
// after the other.
//
//	          attach                    end
//	(new) ------------> open, online ---------> closed
//	                      |   ^                   ^
//	      connection lost |   | resume            | window expired,
//	                      v   |                   | overflow, replaced
//	                    open, offline ------------+
//	                      |
//	                      +--- release (another gate resumes it) --> closed, moved
//
// An idle session has one goroutine, its connection's reader. A writer runs
// while there is something to write, and a worker while requests are waiting
// for the backend.
//
// Requests of a session run one after the other, in the order sent (promise
// P1), so that pipelined requests cannot overtake each other on their way.
type session struct {
	g  *Gate
	id uint64

	// mu guards everything below. Nothing is called out to with it held.
	mu    sync.Mutex
	moved sync.Cond // signals: inbox has room, worker stopped, link or state changed
	who   Identity
	state sessionState
	link  *link // nil while offline
	out   outbox

	inbox       []frame.Request // accepted, not yet begun
	inboxBytes  int
	running     bool   // a worker, or the reader itself, executes a request
	lastRequest uint64 // highest accepted request number: the deduplication point

	// serial is in the resume token that is good now; issued is in the newest
	// one sent. They differ until the client says something on the connection
	// that issued came with: a client that never saw its welcome can still use
	// the older token.
	serial, issued uint64

	fence    Fence // highest fence of the player's own pushes
	routed   bucket
	expires  time.Time // when an offline session ends
	announce time.Time // when the next Alive event is due
	stats    SessionStats
}

type sessionState uint8

const (
	sessionOpen   sessionState = iota
	sessionFrozen              // being released: executes nothing new
	sessionClosed
)

func newSession(g *Gate, id uint64, who Identity) *session {
	s := &session{g: g, id: id, who: who, out: newOutbox(), announce: time.Now().Add(g.cfg.Timeouts.Announce)}
	s.expires = time.Now().Add(g.cfg.Timeouts.Resume)
	s.moved.L = &s.mu
	return s
}

// ref returns the session's name in the cluster.
func (s *session) ref() SessionRef { return SessionRef{Gate: s.g.cfg.Name, ID: s.id} }

// attach makes l the session's connection, replacing one that may still be
// there, and sends the welcome followed by what the client missed after last.
// It returns ErrReload when the window does not reach back that far.
func (s *session) attach(l *link, resumed bool, last uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != sessionOpen {
		return ErrReload
	}
	if !s.out.resume(last) {
		return ErrReload
	}
	old := s.link
	s.link, l.s = l, s
	s.stats.Transport, s.stats.Remote = l.conn.Name(), l.conn.RemoteAddr().String()
	s.stats.Connections++
	s.moved.Broadcast()
	if old != nil {
		_ = old.conn.Close()
	}
	s.issued++
	welcome := frame.Welcome{
		Version: frame.Version, Resumed: resumed, Session: s.id,
		Token:           s.resumeTokenLocked(),
		LastRequest:     s.lastRequest,
		HeartbeatMillis: uint64(s.g.cfg.Timeouts.Heartbeat.Milliseconds()),
		MaxFrameBytes:   uint64(s.g.cfg.Limits.FrameBytes),
		Gate:            s.g.cfg.Name,
	}
	first := entry{raw: true, body: welcome.Append(nil)}
	s.out.queue = append([]entry{first}, s.out.queue...)
	s.out.queueBytes += first.cost()
	s.wakeLocked()
	return nil
}

func (s *session) resumeTokenLocked() string {
	t := s.g.cfg.Timeouts
	return s.g.cfg.Keys.Sign(Claims{
		Purpose: PurposeResume, Player: s.who.Player, Device: s.who.Device, Level: s.who.Level,
		Gate: s.g.cfg.Name, Session: s.id, Serial: s.issued,
		// The session ends Resume after the connection; the token outlives any
		// connection, because only the session knows how long that was.
		Expires: time.Now().Add(max(t.Resume, 0) + 30*24*time.Hour),
	})
}

// detach is called by l's reader when the connection is gone.
func (s *session) detach(l *link, reason string) {
	s.mu.Lock()
	if s.link != l {
		s.mu.Unlock()
		return
	}
	s.link = nil
	s.out.disconnect()
	s.expires = time.Now().Add(s.g.cfg.Timeouts.Resume)
	s.moved.Broadcast()
	s.mu.Unlock()
	s.g.tell(s, Offline, reason)
}

// end closes the session for good, from any goroutine. Only the first call
// has an effect.
func (s *session) end(bye frame.Goodbye) {
	s.mu.Lock()
	if s.state != sessionOpen {
		s.mu.Unlock()
		return
	}
	l := s.closeLocked()
	if l != nil {
		l.sayGoodbyeLocked(&s.out, bye)
	}
	s.out = newOutbox() // a stuck connection must not keep the window
	s.mu.Unlock()
	s.g.remove(s)
	s.g.tell(s, Closed, bye.Reason.String())
}

// finish ends the session at the client's wish, after what the client asked
// before: a one-way request just before a logout is not lost.
func (s *session) finish(l *link) {
	s.mu.Lock()
	for s.link == l && (s.running || len(s.inbox) > 0) {
		s.moved.Wait()
	}
	current := s.link == l
	s.mu.Unlock()
	if current {
		s.end(frame.Goodbye{Reason: frame.ReasonBye})
	}
}

// closeLocked ends the session's own part and returns its connection.
func (s *session) closeLocked() *link {
	l := s.link
	s.state, s.link = sessionClosed, nil
	s.inbox, s.inboxBytes = nil, 0
	s.moved.Broadcast()
	return l
}

// wakeLocked starts the connection's writer if it does not run.
func (s *session) wakeLocked() {
	if l := s.link; l != nil && !l.writing && len(s.out.queue) > 0 {
		l.writing = true
		s.g.writers.add(l)
	}
}

// received is called for every frame of l: the client has the token of this
// connection, so older ones are used up. It reports whether l is still the
// session's connection.
func (s *session) received(l *link) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.link != l {
		return false
	}
	s.serial = s.issued
	return true
}

// ack forgets what the client has. It reports false for a number the gate
// never sent.
func (s *session) ack(l *link, seq uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.link != l {
		return true
	}
	ok := s.out.ack(seq)
	s.reportLostLocked()
	s.wakeLocked()
	return ok
}

// pong answers a ping; the answer is neither sequenced nor kept.
func (s *session) pong(l *link, stamp uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.link != l || over(s.out.queueBytes, s.g.cfg.Limits.QueueBytes) {
		return // gone, or so slow that a pong would not help
	}
	pong := frame.Pong{Stamp: stamp, LastRequest: s.lastRequest}
	s.out.enqueue(entry{raw: true, body: pong.Append(nil)})
	s.wakeLocked()
}

// upkeep ends an offline session whose time is over and repeats where an
// online one is.
func (s *session) upkeep(now time.Time) {
	s.mu.Lock()
	expired := s.state == sessionOpen && s.link == nil && now.After(s.expires)
	due := s.state == sessionOpen && s.link != nil && s.g.cfg.Timeouts.Announce > 0 && now.After(s.announce)
	if due {
		s.announce = now.Add(s.g.cfg.Timeouts.Announce)
	}
	s.mu.Unlock()
	switch {
	case expired:
		s.end(frame.Goodbye{Reason: frame.ReasonTimeout})
	case due:
		s.g.tell(s, Alive, "")
	}
}
