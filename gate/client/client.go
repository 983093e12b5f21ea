// SPDX-License-Identifier: MIT

// Package client is the Go client of a troupe gate, for bots, tools and tests.
//
// A Client survives lost connections: it reconnects, resumes its session,
// sends again what the gate has not accepted and drops what it has seen, so
// that a call runs once and a push arrives once. When the session is gone it
// logs in again and tells the application to load its state.
//
// A Client has one goroutine.
package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/troupe-go/troupe/gate/internal/frame"
)

// Ticket is what the login endpoint hands out.
type Ticket struct {
	// Addr is "host:port" or "tcp://host:port" for TCP, "tls://host:port", or
	// a ws:// or wss:// URL.
	Addr string
	// Token is the login token.
	Token string
}

// Push is an event from the server.
type Push struct {
	Event int32
	// Data belongs to the receiver.
	Data []byte
	// Volatile pushes may be dropped by a slow connection; others arrive
	// exactly once and in order.
	Volatile bool
}

// Config describes a client. Login is required.
type Config struct {
	// Login returns a gate and a token. It is called for the first connection,
	// when the session is gone, and when the gate cannot be reached.
	Login func(ctx context.Context) (Ticket, error)
	// Device names this device; a session can be resumed by the same one only.
	// Defaults to "go".
	Device string
	// Name is the client's name and version for the server's log.
	Name string
	// OnPush is called for each push, in order, on the client's goroutine: it
	// must not block and must not wait for a Call.
	OnPush func(Push)
	// OnState is called on changes, on the client's goroutine.
	OnState func(Event)
	// CallTimeout applies to calls whose context has no deadline. Defaults to
	// 10 s.
	CallTimeout time.Duration
	// BackoffMin and BackoffMax bound the pause between attempts to connect.
	// Default to 50 ms and 5 s.
	BackoffMin, BackoffMax time.Duration
	// MaxUnanswered bounds the requests in flight. Defaults to 1024.
	MaxUnanswered int
	// MaxFrameBytes caps frames from the gate. Defaults to 4 MiB.
	MaxFrameBytes int
	// TLS is used for tls:// and wss:// addresses. Defaults to TLS 1.3 with the
	// system's roots.
	TLS *tls.Config
	// Dial opens a stream to a TCP address. Defaults to net.Dialer.
	Dial func(ctx context.Context, addr string) (net.Conn, error)
}

// State is what a client is doing.
type State int

// The states reported to OnState.
const (
	Connected    State = iota + 1 // a new session: the first, or after Reload
	Resumed                       // the same session on another connection
	Disconnected                  // the connection was lost; trying again
	Reload                        // the session is gone: load your state again
	Lossy                         // the gate dropped Event.Lost pushes
	Ended                         // the client is closed or was thrown out
)

// Event is a change of state.
type Event struct {
	State State
	// Gate is the name of the gate, for Connected and Resumed.
	Gate string
	// Lost is the number of dropped pushes, for Lossy.
	Lost uint64
	// Err says why, for Disconnected and Ended.
	Err error
}

// The errors of calls.
var (
	// ErrClosed: the client is closed, or the server ended it; see GoodbyeError.
	ErrClosed = errors.New("client: closed")
	// ErrInDoubt: the session was lost with the request unanswered. It may
	// have run.
	ErrInDoubt = errors.New("client: outcome unknown, session lost")
	// ErrTooLarge: the request is over the gate's frame size.
	ErrTooLarge = errors.New("client: request too large")
	// ErrTooMany: MaxUnanswered requests are in flight.
	ErrTooMany = errors.New("client: too many unanswered requests")
)

// StatusError is the failure of a request as the gate or the handler reported
// it.
type StatusError struct {
	Code uint32
	User int32
	Text string
}

// Error returns the text with the codes.
func (e *StatusError) Error() string {
	return fmt.Sprintf("client: status %d/%d: %s", e.Code, e.User, e.Text)
}

// GoodbyeError is the reason the server gave for ending a connection.
type GoodbyeError struct {
	Reason string
	Text   string
	reason frame.Reason
}

// Error returns reason and text.
func (e *GoodbyeError) Error() string { return "client: goodbye: " + e.Reason + " " + e.Text }

// Route names an actor other than the session's own.
type Route struct {
	Name string // of the gate's route
	ID   int64
	Key  string // instead of ID, when not empty
}

// Stats counts a client's history.
type Stats struct {
	Connects, Resumes, Reloads int
}

// Client is a session with a gate. All methods may be called from any
// goroutine.
type Client struct {
	cfg    Config
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}

	mu    sync.Mutex
	conn  stream // nil while disconnected
	ready bool   // conn has had its welcome
	// writeUntil is conn's write deadline.
	writeUntil time.Time
	next       uint64 // number of the next request
	pending    []*request
	lastSeq    uint64 // last sequence number received
	acked      uint64 // last one told to the gate
	// maxFrame is the gate's cap on our frames.
	maxFrame int
	stats    Stats
	ended    error

	// Owned by the client's goroutine.
	ticket    Ticket
	addr      string
	token     string // resume token
	heartbeat time.Duration
	welcomed  chan struct{} // closed at the first welcome
	attempts  int           // since the last connection that lasted
}

// A request waits for its reply, or, when it is one-way, to be accepted.
type request struct {
	seq  uint64
	raw  []byte
	done chan result // nil for one-way
}

type result struct {
	data []byte
	err  error
}

// Dial logs in and returns when the session is open, or with the reason why it
// is not going to be. Close the client when done.
func Dial(ctx context.Context, cfg Config) (*Client, error) {
	if cfg.Login == nil {
		return nil, errors.New("client: Config.Login is missing")
	}
	setDefaults(&cfg)
	c := &Client{cfg: cfg, done: make(chan struct{}), next: 1, welcomed: make(chan struct{}), heartbeat: 15 * time.Second, maxFrame: 64 << 10}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	go c.run()
	select {
	case <-c.welcomed:
		return c, nil
	case <-c.done:
		return nil, c.Err()
	case <-ctx.Done():
		c.cancel()
		<-c.done
		return nil, ctx.Err()
	}
}

func setDefaults(cfg *Config) {
	if cfg.Device == "" {
		cfg.Device = "go"
	}
	if cfg.CallTimeout == 0 {
		cfg.CallTimeout = 10 * time.Second
	}
	if cfg.BackoffMin == 0 {
		cfg.BackoffMin = 50 * time.Millisecond
	}
	if cfg.BackoffMax == 0 {
		cfg.BackoffMax = 5 * time.Second
	}
	if cfg.MaxUnanswered == 0 {
		cfg.MaxUnanswered = 1024
	}
	if cfg.MaxFrameBytes == 0 {
		cfg.MaxFrameBytes = 4 << 20
	}
	if cfg.Dial == nil {
		cfg.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", addr)
		}
	}
}

// Call runs a method of the session's own actor and returns its encoded reply.
// The error is a *StatusError when the server answered; ErrInDoubt or ctx's
// error when the method may have run without us hearing of it.
func (c *Client) Call(ctx context.Context, method int32, args []byte) ([]byte, error) {
	return c.call(ctx, frame.Request{Method: uint32(method), Args: args})
}

// CallRoute is Call to an actor that a route of the gate makes addressable.
func (c *Client) CallRoute(ctx context.Context, to Route, method int32, args []byte) ([]byte, error) {
	r := frame.Request{Flags: frame.FlagRouted, Method: uint32(method), Route: to.Name, ID: to.ID, Name: to.Key, Args: args}
	if to.Key != "" {
		r.Flags |= frame.FlagNamed
	}
	return c.call(ctx, r)
}

// Send runs a method without waiting or hearing of it. It is delivered exactly
// once as long as the session lives, also when the client is disconnected now.
func (c *Client) Send(method int32, args []byte) error {
	return c.submit(frame.Request{Method: uint32(method), Flags: frame.FlagOneWay, Args: args}, nil)
}

func (c *Client) call(ctx context.Context, r frame.Request) ([]byte, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.cfg.CallTimeout)
		defer cancel()
	}
	done := make(chan result, 1)
	if err := c.submit(r, done); err != nil {
		return nil, err
	}
	select {
	case res := <-done:
		return res.data, res.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// submit numbers the request, remembers it for a resume, and writes it if
// there is a connection.
func (c *Client) submit(r frame.Request, done chan result) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended != nil {
		return c.ended
	}
	if len(c.pending) >= c.cfg.MaxUnanswered {
		return ErrTooMany
	}
	r.Seq, r.Ack = c.next, c.lastSeq
	raw := r.Append(nil)
	if len(raw)-frame.HeaderBytes > c.maxFrame {
		return ErrTooLarge
	}
	c.next++
	p := &request{seq: r.Seq, raw: raw, done: done}
	c.pending = append(c.pending, p)
	if c.ready {
		c.acked = c.lastSeq
		c.writeLocked(p.raw)
		if len(c.pending)%128 == 0 {
			c.pingLocked() // the pong says what the gate has accepted
		}
	}
	return nil
}

// writeTimeout bounds a write, or a second less: a recent deadline stays.
const writeTimeout = 10 * time.Second

// writeLocked writes whole frames. An error is seen by the reader, too.
func (c *Client) writeLocked(raw []byte) {
	if c.conn == nil {
		return
	}
	if now := time.Now(); c.writeUntil.Sub(now) < writeTimeout-time.Second {
		c.writeUntil = now.Add(writeTimeout)
		_ = c.conn.SetWriteDeadline(c.writeUntil)
	}
	if _, err := c.conn.Write(raw); err != nil {
		_ = c.conn.Close()
	}
}

func (c *Client) pingLocked() {
	p := frame.Ping{Stamp: uint64(time.Now().UnixMilli()), Ack: c.lastSeq}
	c.acked = c.lastSeq
	c.writeLocked(p.Append(nil))
}

// Break cuts the connection as a bad network would. The client reconnects.
func (c *Client) Break() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != nil {
		_ = c.conn.Close()
	}
}

// Stats returns what has happened so far.
func (c *Client) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}

// Err returns why the client ended, or nil.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}

// Done is closed when the client has ended, by Close or by the server.
func (c *Client) Done() <-chan struct{} { return c.done }

// Close logs out and waits for the client's goroutine. Unanswered requests
// fail with ErrClosed.
func (c *Client) Close() error {
	c.mu.Lock()
	if c.ready {
		bye := frame.Goodbye{Reason: frame.ReasonBye}
		c.writeLocked(bye.Append(nil))
	}
	c.mu.Unlock()
	c.cancel()
	<-c.done
	return nil
}
