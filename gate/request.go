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

// handle acts on one frame. An error ends the connection.
func (l *link) handle(payload []byte) error {
	kind, body, err := frame.Split(payload)
	if err != nil {
		return err
	}
	if !l.s.received(l) {
		return errDetached
	}
	if err := l.throttle(); err != nil {
		return err
	}
	switch kind {
	case frame.KindRequest:
		r, err := frame.ParseRequest(body)
		if err != nil {
			return err
		}
		return l.request(r)
	case frame.KindAck:
		a, err := frame.ParseAck(body)
		if err != nil {
			return err
		}
		return l.ack(a.Seq)
	case frame.KindPing:
		p, err := frame.ParsePing(body)
		if err != nil {
			return err
		}
		l.s.pong(l, p.Stamp)
		return l.ack(p.Ack)
	case frame.KindGoodbye:
		if _, err := frame.ParseGoodbye(body); err != nil {
			return err
		}
		l.s.finish(l)
		return errDetached
	}
	return frame.ErrMalformed
}

func (l *link) ack(seq uint64) error {
	if !l.s.ack(l, seq) {
		return protocolError("acknowledged a number that was never sent")
	}
	return nil
}

// throttle counts a frame and waits, or ends the connection, over the rate.
func (l *link) throttle() error {
	lim := l.g.cfg.Limits
	pause := l.rate.take(time.Now(), 1, lim.MessagesPerSecond, lim.MessageBurst)
	if pause == 0 {
		return nil
	}
	if l.g.cfg.OnFlood == FloodClose {
		return &goodbyeError{frame.Goodbye{Reason: frame.ReasonFlood, RetryMillis: 1000}}
	}
	return l.g.pause(pause)
}

// pause waits, unless the gate stops first.
func (g *Gate) pause(d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-g.ctx.Done():
		return errDetached
	}
}

// request accepts r: from here on it is executed exactly once, whatever
// happens to the connection, unless the session ends first.
func (l *link) request(r frame.Request) error {
	if r.Ack != 0 {
		if err := l.ack(r.Ack); err != nil {
			return err
		}
	}
	s := l.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Seq <= s.lastRequest {
		return nil // sent again after a resume: its reply is in the window or coming
	}
	if r.Seq != s.lastRequest+1 {
		return protocolError("request numbers must be consecutive")
	}
	lim := &s.g.cfg.Limits
	for s.link == l && (over(len(s.inbox)+1, lim.InboxRequests) || len(s.inbox) > 0 && over(s.inboxBytes+len(r.Args), lim.InboxBytes)) {
		s.moved.Wait()
	}
	if s.link != l || s.state != sessionOpen {
		return errDetached
	}
	s.lastRequest = r.Seq
	r.Args = append([]byte(nil), r.Args...)
	if !s.running && r.Flags&frame.FlagOneWay != 0 {
		s.runInlineLocked(r)
		return nil
	}
	s.inbox = append(s.inbox, r)
	s.inboxBytes += len(r.Args)
	s.workLocked()
	return nil
}

func over(n, limit int) bool { return limit >= 0 && n > limit }

// runInlineLocked executes a one-way request on the reader's goroutine: it
// does not block and this saves a goroutine per move of every player.
func (s *session) runInlineLocked(r frame.Request) {
	s.running = true
	s.mu.Unlock()
	s.execute(r)
	s.mu.Lock()
	s.running = false
	s.moved.Broadcast()
	s.workLocked()
}

// workLocked starts a worker if there is work and none runs.
func (s *session) workLocked() {
	if !s.running && len(s.inbox) > 0 && s.state == sessionOpen {
		s.running = true
		s.g.wg.Go(s.runRequests)
	}
}

// runRequests executes requests until none is left.
func (s *session) runRequests() {
	for {
		s.mu.Lock()
		if len(s.inbox) == 0 || s.state != sessionOpen {
			s.running = false
			s.moved.Broadcast()
			s.mu.Unlock()
			return
		}
		r := s.inbox[0]
		s.inbox[0] = frame.Request{}
		if s.inbox = s.inbox[1:]; len(s.inbox) == 0 {
			s.inbox = nil
		}
		s.inboxBytes -= len(r.Args)
		s.moved.Broadcast()
		s.mu.Unlock()
		s.execute(r)
	}
}

// execute runs one request and queues its reply.
func (s *session) execute(r frame.Request) {
	start, bytesIn := time.Now(), len(r.Args)
	target, info, data, err := s.perform(r)
	status := s.g.statusOf(err)
	if err != nil && status == errInternal {
		s.g.log.Warn("request failed", "player", s.who.Player, "target", target, "method", r.Method, "error", quote(err.Error()))
	}
	s.g.metrics.Request(target.Kind, info.Name, status.Code, time.Since(start), bytesIn, len(data))
	s.count(status, target)
	if r.Flags&frame.FlagOneWay != 0 {
		return
	}
	reply := frame.Reply{Request: r.Seq, Code: status.Code, User: status.User, Text: cut(status.Text, frame.MaxTextBytes), Data: data}
	body := reply.AppendBody(make([]byte, 0, len(data)+len(reply.Text)+24))
	s.mu.Lock()
	full := s.fullLocked()
	if !full && s.state != sessionClosed {
		s.out.add(frame.KindReply, body, s.link != nil)
		s.wakeLocked()
	}
	s.mu.Unlock()
	if full {
		s.g.tooSlow(s)
	}
}

// count keeps the session's own numbers. When the player's actor may have been
// lost, its next activation has to hear of the session soon.
func (s *session) count(status *StatusError, target troupe.Ref) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Requests++
	if status.Code == CodeOK {
		return
	}
	s.stats.Failed++
	trouble := status.Code > uint32(troupe.CodeUser) && status.Code < 1000 || status.Code == CodeUnknown
	if trouble && target == s.who.Player {
		s.announce = time.Time{}
	}
}

// perform decides whether the client may do this and does it. A panic in a
// hook or the backend costs this request only.
func (s *session) perform(r frame.Request) (target troupe.Ref, info troupe.MethodInfo, data []byte, err error) {
	g := s.g
	ctx := g.ctx
	if r.Flags != frame.FlagOneWay || g.cfg.Authorize != nil { // something may wait
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, g.cfg.Timeouts.Call)
		defer cancel()
	}
	defer func() {
		if p := recover(); p != nil {
			g.log.Error("panic in request", "player", s.who.Player, "panic", quote(fmt.Sprint(p)), "stack", string(debug.Stack()))
			data, err = nil, errInDoubt
		}
	}()
	if n := g.inflight.Add(1); over(int(n), g.cfg.Limits.InFlight) {
		g.inflight.Add(-1)
		return target, info, nil, errBusy
	}
	defer g.inflight.Add(-1)
	if target, err = s.resolve(ctx, r); err != nil {
		return target, info, nil, err
	}
	info, ok := g.cfg.Backend.Describe(target.Kind, int32(r.Method))
	if !ok || info.Access != troupe.AccessClient {
		return target, troupe.MethodInfo{}, nil, errDenied // one answer: do not tell which exist
	}
	if info.MaxBytes > 0 && len(r.Args) > info.MaxBytes {
		return target, info, nil, &StatusError{Code: CodeDenied, Text: "arguments too large"}
	}
	if g.cfg.Authorize != nil {
		if err := g.cfg.Authorize(ctx, s.who, target, info); err != nil {
			return target, info, nil, denied(err)
		}
	}
	if r.Flags&frame.FlagOneWay != 0 {
		return target, info, nil, g.cfg.Backend.Send(target, info.Number, r.Args)
	}
	data, err = g.cfg.Backend.Call(ctx, target, info.Number, r.Args)
	return target, info, data, err
}

// resolve returns the target: the session's own actor, or through a route the
// one the client named and may address.
func (s *session) resolve(ctx context.Context, r frame.Request) (troupe.Ref, error) {
	if r.Flags&frame.FlagRouted == 0 {
		return s.who.Player, nil
	}
	route, ok := s.g.cfg.Routes[r.Route]
	if !ok {
		return troupe.Ref{}, errNoRoute
	}
	lim := &s.g.cfg.Limits
	s.mu.Lock()
	allowed := s.routed.allow(time.Now(), 1, lim.RoutedPerSecond, lim.RoutedBurst)
	s.mu.Unlock()
	if !allowed {
		return troupe.Ref{Kind: route.Kind}, errBusy
	}
	target := troupe.Ref{Kind: route.Kind, ID: r.ID, Name: r.Name}
	if err := route.Authorize(ctx, s.who, target); err != nil {
		return troupe.Ref{Kind: route.Kind}, denied(err)
	}
	return target, nil
}

// denied keeps a hook's *StatusError and hides any other text.
func denied(err error) error {
	var status *StatusError
	if errors.As(err, &status) {
		return status
	}
	return errDenied
}

var errNone = &StatusError{}

// statusOf returns what the client is told about err.
func (g *Gate) statusOf(err error) *StatusError {
	if err == nil {
		return errNone
	}
	var status *StatusError
	switch {
	case errors.As(err, &status):
		return status
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return errInDoubt
	}
	return errInternal
}
