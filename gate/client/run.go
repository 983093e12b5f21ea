// SPDX-License-Identifier: MIT

package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/troupe-go/troupe/gate/internal/frame"
)

// lasting is how long a connection must hold to count as a success, so that a
// client whose requests break the connection does not come back at full speed.
const lasting = 5 * time.Second

// run connects again and again until the client is closed or thrown out.
func (c *Client) run() {
	defer close(c.done)
	for {
		begun := time.Now()
		err := c.session()
		if time.Since(begun) > lasting {
			c.attempts = 0
		}
		c.lose(err)
		if c.ctx.Err() != nil {
			c.end(ErrClosed)
			return
		}
		pause, final := c.judge(err)
		if final {
			c.end(fmt.Errorf("%w: %w", ErrClosed, err))
			return
		}
		if !c.sleep(pause) {
			c.end(ErrClosed)
			return
		}
	}
}

// judge decides what to do after a connection ended with err.
func (c *Client) judge(err error) (pause time.Duration, final bool) {
	backoff := c.backoff()
	var bye *goodbye
	if !errors.As(err, &bye) {
		if c.token == "" || c.attempts > 1 {
			c.ticket = Ticket{} // this gate may be gone: ask for another
		}
		return backoff, false
	}
	retry := time.Duration(bye.RetryMillis) * time.Millisecond
	switch bye.Reason {
	case frame.ReasonMove:
		c.addr = bye.Addr
		c.attempts = 0
		return 0, false
	case frame.ReasonReload:
		c.forget()
		return 0, false
	case frame.ReasonProtocol: // sending the same again would end the same way
		c.forget()
		return backoff, false
	case frame.ReasonDenied:
		if c.token != "" {
			c.forget()
			return backoff, false
		}
		return 0, true
	case frame.ReasonReplaced, frame.ReasonKicked, frame.ReasonVersion, frame.ReasonDuplicate:
		return 0, true
	}
	if bye.Reason == frame.ReasonShutdown || bye.Reason == frame.ReasonBusy {
		c.ticket = Ticket{}
	}
	return max(backoff, retry), false
}

// forget gives the session up: what is unanswered is in doubt.
func (c *Client) forget() {
	c.token, c.ticket = "", Ticket{}
	c.mu.Lock()
	pending := c.pending
	c.pending, c.next, c.lastSeq, c.acked = nil, 1, 0, 0
	c.stats.Reloads++
	c.mu.Unlock()
	fail(pending, ErrInDoubt)
	c.report(Event{State: Reload})
}

func fail(pending []*request, err error) {
	for _, p := range pending {
		if p.done != nil {
			p.done <- result{err: err}
		}
	}
}

// lose forgets the connection.
func (c *Client) lose(err error) {
	c.mu.Lock()
	was := c.ready
	if c.conn != nil {
		_ = c.conn.Close()
	}
	c.conn, c.ready = nil, false
	c.mu.Unlock()
	if was {
		c.report(Event{State: Disconnected, Err: err})
	}
}

// end is the last thing a client does.
func (c *Client) end(err error) {
	c.mu.Lock()
	c.ended = err
	pending := c.pending
	c.pending = nil
	c.mu.Unlock()
	c.cancel()
	fail(pending, err)
	c.report(Event{State: Ended, Err: err})
}

func (c *Client) report(e Event) {
	if c.cfg.OnState != nil {
		c.cfg.OnState(e)
	}
}

// backoff doubles with every attempt since the last welcome, with jitter so
// that the clients of a dead gate do not come back all at once.
func (c *Client) backoff() time.Duration {
	d := c.cfg.BackoffMin << min(c.attempts, 16)
	if d > c.cfg.BackoffMax || d <= 0 {
		d = c.cfg.BackoffMax
	}
	c.attempts++
	return d/2 + rand.N(d/2+1)
}

func (c *Client) sleep(d time.Duration) bool {
	if d <= 0 {
		return c.ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.ctx.Done():
		return false
	}
}

// session runs one connection to its end.
func (c *Client) session() error {
	ctx, cancel := context.WithTimeout(c.ctx, 10*time.Second)
	conn, err := c.connect(ctx)
	cancel()
	if err != nil {
		return err
	}
	stop := context.AfterFunc(c.ctx, func() { _ = conn.Close() })
	defer stop()
	r := frame.Reader{Src: conn, MaxBytes: c.cfg.MaxFrameBytes}
	_ = conn.SetReadDeadline(time.Now().Add(15 * time.Second))
	payload, err := r.Next()
	if err != nil {
		return err
	}
	if err := c.welcome(payload); err != nil {
		return err
	}
	beat := c.beat()
	defer beat.Stop()
	var until time.Time
	r.BeforeRead = func(bool) { // three heartbeats, or an eighth less
		if now := time.Now(); until.Sub(now) < 3*c.heartbeat-3*c.heartbeat/8 {
			until = now.Add(3 * c.heartbeat)
			_ = conn.SetReadDeadline(until)
		}
	}
	for {
		payload, err := r.Next()
		if err != nil {
			return err
		}
		if err := c.handle(payload); err != nil {
			return err
		}
	}
}

// beat pings every heartbeat until it is stopped.
func (c *Client) beat() *time.Timer {
	var t *time.Timer
	t = time.AfterFunc(time.Hour, func() {
		c.mu.Lock()
		if c.ready {
			c.pingLocked()
			t.Reset(c.heartbeat)
		}
		c.mu.Unlock()
	})
	t.Reset(c.heartbeat)
	return t
}

// connect opens a connection and says hello.
func (c *Client) connect(ctx context.Context) (stream, error) {
	if c.ticket.Token == "" {
		ticket, err := c.cfg.Login(ctx)
		if err != nil {
			return nil, fmt.Errorf("client: login: %w", err)
		}
		c.ticket, c.addr = ticket, ticket.Addr
	}
	conn, err := c.open(ctx, c.addr)
	if err != nil {
		c.ticket = Ticket{}
		return nil, err
	}
	hello := frame.Hello{MinVersion: frame.Version, MaxVersion: frame.Version, Device: c.cfg.Device, Client: c.cfg.Name, Token: c.ticket.Token}
	c.mu.Lock()
	if c.token != "" {
		hello.Resume, hello.Token, hello.LastSeq = true, c.token, c.lastSeq
	}
	c.conn, c.writeUntil = conn, time.Time{}
	c.writeLocked(hello.Append(nil))
	c.mu.Unlock()
	return conn, nil
}

// welcome handles the first frame.
func (c *Client) welcome(payload []byte) error {
	kind, body, err := frame.Split(payload)
	if err != nil {
		return err
	}
	if kind == frame.KindGoodbye {
		return parseGoodbye(body)
	}
	if kind != frame.KindWelcome {
		return frame.ErrMalformed
	}
	w, err := frame.ParseWelcome(body)
	if err != nil {
		return err
	}
	c.token = w.Token
	if ms := time.Duration(w.HeartbeatMillis) * time.Millisecond; ms > 0 {
		c.heartbeat = ms
	}
	c.mu.Lock()
	c.ready = true
	if w.MaxFrameBytes > 0 {
		c.maxFrame = int(w.MaxFrameBytes)
	}
	c.stats.Connects++
	state := Connected
	if w.Resumed {
		state = Resumed
		c.stats.Resumes++
	}
	c.acceptedLocked(w.LastRequest)
	c.resendLocked(w.LastRequest)
	c.mu.Unlock()
	select {
	case <-c.welcomed:
	default:
		close(c.welcomed)
	}
	c.report(Event{State: state, Gate: w.Gate})
	return nil
}

// resendLocked sends everything that the gate has not accepted, after an
// acknowledgement that also retires the older resume token. A write is at most
// one frame over resendBytes, which stays under the gate's cap on messages.
func (c *Client) resendLocked(last uint64) {
	ack := frame.Ack{Seq: c.lastSeq}
	out := ack.Append(nil)
	for _, p := range c.pending {
		if p.seq <= last {
			continue
		}
		if len(out)+len(p.raw) > resendBytes {
			c.writeLocked(out)
			out = out[:0]
		}
		out = append(out, p.raw...)
	}
	if len(out) > 0 {
		c.writeLocked(out)
	}
}

const resendBytes = 16 << 10

// acceptedLocked forgets one-way requests that the gate has.
func (c *Client) acceptedLocked(last uint64) {
	kept := c.pending[:0]
	for _, p := range c.pending {
		if p.done != nil || p.seq > last {
			kept = append(kept, p)
		}
	}
	clear(c.pending[len(kept):])
	c.pending = kept
}

// goodbye is the error of a connection that the gate ended.
type goodbye struct{ frame.Goodbye }

func (g *goodbye) Error() string { return "client: goodbye: " + g.Reason.String() + " " + g.Text }

// As lets callers see a GoodbyeError.
func (g *goodbye) As(target any) bool {
	if e, ok := target.(**GoodbyeError); ok {
		*e = &GoodbyeError{Reason: g.Reason.String(), Text: g.Text, reason: g.Reason}
		return true
	}
	return false
}

func parseGoodbye(body []byte) error {
	g, err := frame.ParseGoodbye(body)
	if err != nil {
		return err
	}
	return &goodbye{g}
}
