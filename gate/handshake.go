// SPDX-License-Identifier: MIT

package gate

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/gate/internal/frame"
)

// maxHelloBytes caps everything a client can make the gate buffer before it is
// known who it is.
const maxHelloBytes = 4 << 10

// serve runs the life of one connection: hello, welcome, then the session's
// frames. begun is when the connection was accepted. It owns conn.
func (g *Gate) serve(conn transport, begun time.Time) {
	l := &link{g: g, conn: conn, reader: frame.Reader{Src: conn, MaxBytes: maxHelloBytes}}
	err := g.greet(l, begun)
	if err == nil {
		// A fresh goroutine: the stack that verified tokens and called the
		// backend is larger than an idle session should keep.
		g.wg.Go(l.run)
		return
	}
	var bye *goodbyeError
	reason := "no hello"
	if errors.As(err, &bye) {
		reason = bye.Reason.String()
		l.refuse(bye.Goodbye)
	}
	g.metrics.Refused(reason)
	g.log.Debug("connection refused", "remote", conn.RemoteAddr(), "reason", reason, "error", quote(err.Error()))
	_ = conn.Close()
	g.untrack(conn)
	g.metrics.Disconnected(conn.Name(), reason)
}

// greet reads the hello and attaches the connection to a session. It counts as
// pending until it returns.
func (g *Gate) greet(l *link, begun time.Time) error {
	defer g.pending.Add(-1)
	if over(int(g.pending.Add(1)), g.cfg.Limits.Pending) {
		return &goodbyeError{frame.Goodbye{Reason: frame.ReasonBusy, RetryMillis: 1000}}
	}
	if t := g.cfg.Timeouts.Login; t > 0 {
		_ = l.conn.SetReadDeadline(begun.Add(t))
	}
	payload, err := l.reader.Next()
	switch {
	case errors.Is(err, frame.ErrTooLarge), errors.Is(err, frame.ErrEmpty):
		return protocolError(err.Error())
	case err != nil:
		return err
	}
	hello, err := parseHello(payload)
	if err != nil {
		return protocolError(err.Error())
	}
	if hello.MinVersion > frame.Version || hello.MaxVersion < frame.Version {
		return &goodbyeError{frame.Goodbye{Reason: frame.ReasonVersion, Text: fmt.Sprintf("this gate speaks version %d", frame.Version)}}
	}
	ctx, cancel := context.WithTimeout(g.ctx, max(g.cfg.Timeouts.Login, time.Second))
	defer cancel()
	if hello.Resume {
		return g.resume(ctx, l, hello)
	}
	return g.login(ctx, l, hello)
}

func parseHello(payload []byte) (frame.Hello, error) {
	kind, body, err := frame.Split(payload)
	if err != nil {
		return frame.Hello{}, err
	}
	if kind != frame.KindHello {
		return frame.Hello{}, frame.ErrMalformed
	}
	return frame.ParseHello(body)
}

// login opens a new session.
func (g *Gate) login(ctx context.Context, l *link, hello frame.Hello) error {
	if g.draining.Load() || g.stopped.Load() {
		return &goodbyeError{g.elsewhere(l.conn.Name(), frame.ReasonBusy)}
	}
	who, err := g.authenticate(ctx, AuthRequest{Token: hello.Token, Device: hello.Device, Client: hello.Client, Remote: l.conn.RemoteAddr()})
	if err != nil {
		return loginError(err)
	}
	who.Device = hello.Device
	s := newSession(g, newSessionID(), who)
	old, err := g.admit(s)
	if err != nil {
		return loginError(err)
	}
	if old != nil {
		old.end(frame.Goodbye{Reason: frame.ReasonReplaced})
	}
	if err := g.notify(ctx, s, Opened, ""); err != nil {
		s.discard()
		return loginError(err)
	}
	if err := s.attach(l, false, 0); err != nil {
		return &goodbyeError{frame.Goodbye{Reason: frame.ReasonReload}}
	}
	return nil
}

// authenticate runs the hook and survives its panic.
func (g *Gate) authenticate(ctx context.Context, r AuthRequest) (who Identity, err error) {
	defer func() {
		if p := recover(); p != nil {
			g.log.Error("panic in Authenticate", "remote", r.Remote, "panic", quote(fmt.Sprint(p)), "stack", string(debug.Stack()))
			err = errInternal
		}
	}()
	who, err = g.cfg.Authenticate(ctx, r)
	if err == nil && who.Player.Kind == "" {
		err = fmt.Errorf("%w: Authenticate returned no player", ErrConfig)
	}
	return who, err
}

// verifyLogin is the default Authenticate.
func (g *Gate) verifyLogin(_ context.Context, r AuthRequest) (Identity, error) {
	c, err := g.cfg.Keys.Verify(r.Token, PurposeLogin, time.Now())
	if err != nil {
		return Identity{}, err
	}
	if c.Device != "" && c.Device != r.Device || c.Gate != "" && c.Gate != g.cfg.Name {
		return Identity{}, ErrToken
	}
	return Identity{Player: c.Player, Device: r.Device, Level: c.Level, Issued: c.Issued}, nil
}

// loginError chooses the goodbye for a failed login: denied, with its text, is
// the application's word; anything else is trouble that may pass.
func loginError(err error) error {
	bye := frame.Goodbye{Reason: frame.ReasonDenied}
	var status *StatusError
	switch {
	case errors.Is(err, ErrDuplicate):
		bye.Reason = frame.ReasonDuplicate
	case errors.Is(err, ErrToken):
	case errors.As(err, &status) && (status.Code == CodeDenied || status.Code == uint32(troupe.CodeUser)):
		bye.Text = cut(status.Text, frame.MaxTextBytes)
	default: // the backend is in trouble, not the client
		bye.Reason, bye.RetryMillis = frame.ReasonBusy, 1000
	}
	return fmt.Errorf("%w (%w)", &goodbyeError{bye}, err)
}

// admit enters s into the tables and returns the session it replaces.
func (g *Gate) admit(s *session) (old *session, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped.Load() {
		return nil, ErrStopped
	}
	old = g.players[s.who.Player]
	if old == nil && over(len(g.sessions)+1, g.cfg.Limits.Sessions) {
		return nil, errBusy
	}
	if old != nil && g.cfg.OnDuplicate == RefuseNew && old.online() {
		return nil, ErrDuplicate
	}
	g.sessions[s.id] = s
	g.players[s.who.Player] = s
	delete(g.moved, s.id)
	g.metrics.Sessions(len(g.sessions))
	return old, nil
}

// remove takes a closed session out of the tables.
func (g *Gate) remove(s *session) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.sessions[s.id] == s {
		delete(g.sessions, s.id)
	}
	if g.players[s.who.Player] == s {
		delete(g.players, s.who.Player)
	}
	g.metrics.Sessions(len(g.sessions))
}

// refuse writes a goodbye to a connection that never had a session.
func (l *link) refuse(bye frame.Goodbye) {
	_ = l.conn.SetWriteDeadline(time.Now().Add(l.g.cfg.Timeouts.Linger))
	if _, err := l.conn.Write(bye.Append(nil)); err != nil {
		return
	}
	if l.conn.CloseWrite() == nil {
		l.discard()
	}
}

// elsewhere returns a goodbye that sends the client to another gate, or the
// given reason when there is none.
func (g *Gate) elsewhere(transportName string, otherwise frame.Reason) frame.Goodbye {
	if g.cfg.Peers != nil {
		if info, ok := g.cfg.Peers.Elsewhere(); ok {
			addr := info.TCP
			if transportName == transportWebSocket {
				addr = info.WebSocket
			}
			if addr != "" && len(addr) <= frame.MaxAddrBytes {
				return frame.Goodbye{Reason: frame.ReasonMove, Addr: addr}
			}
		}
	}
	return frame.Goodbye{Reason: otherwise, RetryMillis: 1000}
}
