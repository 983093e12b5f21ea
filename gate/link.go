// SPDX-License-Identifier: MIT

package gate

import (
	"errors"
	"io"
	"net"
	"os"
	"time"

	"github.com/troupe-go/troupe/gate/internal/frame"
)

// writeBatchBytes is how much one write to a connection may coalesce.
const writeBatchBytes = 16 << 10

// transport is a connection as a stream of bytes. Read belongs to one
// goroutine, Write to another; the rest may be called by any.
type transport interface {
	io.Reader
	// Write sends p, which ends on a frame boundary.
	Write(p []byte) (int, error)
	SetReadDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error
	// CloseWrite ends the writing half, so that the peer can read the rest.
	CloseWrite() error
	Close() error
	RemoteAddr() net.Addr
	// Name is "tcp" or "websocket".
	Name() string
}

// A link is one connection of a session. Its reader goroutine owns it and
// closes it at the end.
type link struct {
	g      *Gate
	conn   transport
	reader frame.Reader
	rate   bucket // frames; owned by the reader

	// deadline is the read deadline in force, so that a busy connection does
	// not set it for every frame. Owned by the reader.
	deadline  time.Time
	completes bool // deadline is that of a frame's completion

	// writeDeadline is the write deadline in force. Owned by the writer.
	writeDeadline time.Time

	s *session // set once by session.attach

	// Guarded by s.mu.
	writing bool   // a writer runs, or may not run any more
	closing bool   // the goodbye is on its way
	final   []byte // the goodbye
}

// run reads frames until the connection ends. It is the goroutine of an idle
// session.
func (l *link) run() {
	reason := l.readFrames()
	l.s.detach(l, reason)
	_ = l.conn.Close()
	l.g.untrack(l.conn)
	l.g.metrics.Disconnected(l.conn.Name(), reason)
}

func (l *link) readFrames() (reason string) {
	l.reader.BeforeRead = l.setDeadline
	l.reader.MaxBytes = l.g.cfg.Limits.FrameBytes
	for {
		payload, err := l.reader.Next()
		if err == nil {
			l.completes = false // the next frame has its own time
			err = l.handle(payload)
		}
		var bye *goodbyeError
		switch {
		case err == nil:
		case errors.Is(err, errDetached):
			l.discard()
			return "session ended"
		case errors.As(err, &bye):
			return l.part(bye.Goodbye)
		case errors.Is(err, frame.ErrTooLarge), errors.Is(err, frame.ErrEmpty), errors.Is(err, frame.ErrMalformed):
			return l.part(frame.Goodbye{Reason: frame.ReasonProtocol, Text: err.Error()})
		case errors.Is(err, os.ErrDeadlineExceeded) && !l.leaving():
			return l.part(frame.Goodbye{Reason: frame.ReasonTimeout})
		default:
			return "connection lost"
		}
	}
}

// setDeadline runs before every read.
func (l *link) setDeadline(partial bool) {
	t, now := l.g.cfg.Timeouts, time.Now()
	limit := t.Idle
	if partial {
		limit = t.Frame
	}
	switch {
	case l.leaving(): // the goodbye has set its own
		return
	case limit < 0:
		_ = l.conn.SetReadDeadline(time.Time{})
		return
	case partial && l.completes:
		return // the frame's time runs from its first byte
	case !partial && !l.completes && l.deadline.Sub(now) > limit-limit/8:
		return // recent enough
	}
	l.deadline, l.completes = now.Add(limit), partial
	_ = l.conn.SetReadDeadline(l.deadline)
	if l.leaving() { // sayGoodbye was between our two looks
		_ = l.conn.SetReadDeadline(now.Add(t.Linger))
	}
}

func (l *link) leaving() bool {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	return l.closing
}

// part ends the connection with a goodbye and waits, at most Linger, until the
// client has closed its side. The session stays and can be resumed.
func (l *link) part(bye frame.Goodbye) string {
	s := l.s
	s.mu.Lock()
	s.detachQuietlyLocked(l, bye)
	s.mu.Unlock()
	l.discard()
	if bye.Reason != frame.ReasonBye {
		s.g.tell(s, Offline, bye.Reason.String())
	}
	return bye.Reason.String()
}

// detachQuietlyLocked takes l away from the session and sends the goodbye.
func (s *session) detachQuietlyLocked(l *link, bye frame.Goodbye) {
	if s.link == l {
		s.link = nil
		s.expires = time.Now().Add(s.g.cfg.Timeouts.Resume)
		s.moved.Broadcast()
		l.sayGoodbyeLocked(&s.out, bye)
		s.out.disconnect()
	}
}

// discard reads until the other side closes, or Linger after the goodbye.
func (l *link) discard() {
	_ = l.conn.SetReadDeadline(time.Now().Add(l.g.cfg.Timeouts.Linger))
	var scratch [256]byte
	for budget := 64 << 10; budget > 0; {
		n, err := l.conn.Read(scratch[:])
		if err != nil {
			return
		}
		budget -= n
	}
}

// sayGoodbyeLocked queues the last bytes of the connection: what was waiting,
// up to the batch size, and the goodbye. The session's lock is held.
func (l *link) sayGoodbyeLocked(out *outbox, bye frame.Goodbye) {
	if l.closing {
		return
	}
	l.closing = true
	if bye.Reason != frame.ReasonMove {
		l.final = out.pop(nil, writeBatchBytes)
	}
	l.final = bye.Append(l.final)
	_ = l.conn.SetReadDeadline(time.Now().Add(l.g.cfg.Timeouts.Linger))
	if !l.writing {
		l.writing = true
		l.g.writers.add(l)
	}
}

// write writes until nothing is left. At most one runs per link. It returns buf,
// which may have grown.
func (l *link) write(buf []byte) []byte {
	for {
		batch, last := l.nextBatch(buf[:0])
		if len(batch) == 0 {
			return buf
		}
		buf = batch
		l.setWriteDeadline()
		_, err := l.conn.Write(batch)
		if err == nil && last {
			err = l.conn.CloseWrite()
		}
		if err != nil {
			_ = l.conn.Close() // the reader sees it and detaches
			return buf         // writing stays set: nothing more can be written
		}
		if last {
			return buf
		}
	}
}

// setWriteDeadline bounds the next write by Timeouts.Write, or an eighth less: a
// deadline that is recent enough stays.
func (l *link) setWriteDeadline() {
	t, now := l.g.cfg.Timeouts.Write, time.Now()
	if t <= 0 || l.writeDeadline.Sub(now) > t-t/8 {
		return
	}
	l.writeDeadline = now.Add(t)
	_ = l.conn.SetWriteDeadline(l.writeDeadline)
}

// nextBatch takes what is to be written; when that is nothing, the writer ends.
func (l *link) nextBatch(buf []byte) (batch []byte, last bool) {
	s := l.s
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case l.final != nil:
		batch, l.final = append(buf, l.final...), nil
		return batch, true
	case s.link == l:
		batch = s.out.pop(buf, writeBatchBytes)
	}
	if len(batch) == 0 {
		l.writing = false
	}
	return batch, false
}

// goodbyeError makes the reader part with a goodbye.
type goodbyeError struct{ frame.Goodbye }

func (e *goodbyeError) Error() string { return "gate: goodbye: " + e.Reason.String() }

// errDetached: the session has another connection, or ended.
var errDetached = errors.New("gate: connection is not the session's")

func protocolError(text string) error {
	return &goodbyeError{frame.Goodbye{Reason: frame.ReasonProtocol, Text: text}}
}

var goodbyeShutdown = frame.Goodbye{Reason: frame.ReasonShutdown, RetryMillis: 1000}
