// SPDX-License-Identifier: MIT

package gate

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/gate/client"
	"github.com/troupe-go/troupe/gate/internal/frame"
)

// The methods of the fake player.
const (
	methodEcho   = 1 // returns its arguments
	methodFail   = 2 // a user error
	methodPanic  = 3 // panics
	methodMove   = 4 // one-way, recorded
	methodBlock  = 5 // waits for release
	methodSecret = 9 // AccessServer
)

var player7 = troupe.ID("player", 7)

// fakeBackend plays the cluster: it records what it executes.
type fakeBackend struct {
	mu       sync.Mutex
	executed []string // "kind/key method args"
	events   []SessionEvent
	refuse   error
	release  chan struct{}
	onCall   func(target troupe.Ref, method int32, args []byte)
}

func newFakeBackend() *fakeBackend { return &fakeBackend{release: make(chan struct{})} }

func (b *fakeBackend) Describe(kind string, method int32) (troupe.MethodInfo, bool) {
	names := map[int32]string{methodEcho: "Echo", methodFail: "Fail", methodPanic: "Panic", methodMove: "Move", methodBlock: "Block", methodSecret: "Secret"}
	name, ok := names[method]
	info := troupe.MethodInfo{Name: name, Number: method, Access: troupe.AccessClient, MaxBytes: 32 << 10}
	if method == methodSecret {
		info.Access = troupe.AccessServer
	}
	return info, ok
}

func (b *fakeBackend) record(target troupe.Ref, args []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.executed = append(b.executed, target.String()+" "+string(args))
}

func (b *fakeBackend) log() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.executed...)
}

func (b *fakeBackend) Call(ctx context.Context, target troupe.Ref, method int32, args []byte) ([]byte, error) {
	b.record(target, args)
	if b.onCall != nil {
		b.onCall(target, method, args)
	}
	switch method {
	case methodFail:
		return nil, &StatusError{Code: uint32(troupe.CodeUser), User: 42, Text: "not enough gold"}
	case methodPanic:
		panic("boom\nwith a newline")
	case methodBlock:
		select {
		case <-b.release:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return args, nil
}

func (b *fakeBackend) Send(target troupe.Ref, _ int32, args []byte) error {
	b.record(target, args)
	return nil
}

func (b *fakeBackend) SessionChanged(_ context.Context, e SessionEvent) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events = append(b.events, e)
	if e.Change == Opened {
		return b.refuse
	}
	return nil
}

func (b *fakeBackend) last(t testing.TB, change Change) SessionEvent {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := len(b.events) - 1; i >= 0; i-- {
		if b.events[i].Change == change {
			return b.events[i]
		}
	}
	t.Fatalf("no event %v among %v", change, b.events)
	return SessionEvent{}
}

// fakePeers joins gates of one process.
type fakePeers struct {
	self  string
	gates map[string]*Gate
	addrs map[string]string
}

func (p *fakePeers) Release(ctx context.Context, name string, r ReleaseRequest) (SessionState, error) {
	g := p.gates[name]
	if g == nil {
		return SessionState{}, ErrReload
	}
	return g.Release(ctx, r)
}

func (p *fakePeers) Forward(name string, ids []uint64, push Push) error {
	g := p.gates[name]
	if g == nil {
		return ErrNoSession
	}
	_, err := g.Deliver(push, ids...)
	return err
}

func (p *fakePeers) Elsewhere() (Info, bool) {
	var all []Info
	for _, g := range p.gates {
		all = append(all, g.Info())
	}
	return LeastLoaded(all, p.self)
}

func quietLog() *slog.Logger { return slog.New(slog.DiscardHandler) }

// newTestGate starts a gate that ends with the test.
func newTestGate(t testing.TB, b Backend, change func(*Config)) *Gate {
	t.Helper()
	cfg := Config{Name: "gate-1", Backend: b, Keys: testKeys, Logger: quietLog(), Metrics: new(Counters)}
	cfg.Timeouts.Linger = 100 * time.Millisecond
	if change != nil {
		change(&cfg)
	}
	g, err := New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { stopGate(t, g) })
	return g
}

func stopGate(t testing.TB, g *Gate) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	require.NoError(t, g.Stop(ctx))
}

var testKeys = &Keys{Active: "k1", Secrets: map[string][]byte{"k1": []byte("0123456789abcdef0123456789abcdef"), "k0": []byte("an older key, still good for verify")}}

// listenTCP serves TCP on loopback and returns the address.
func listenTCP(t testing.TB, g *Gate) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	serve(t, g, func() error { return g.ServeTCP(l) })
	return l.Addr().String()
}

func listenWebSocket(t testing.TB, g *Gate) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	serve(t, g, func() error { return g.ServeWebSocket(l) })
	return "ws://" + l.Addr().String() + "/"
}

// serve runs f until the gate stops, at the end of the test.
func serve(t testing.TB, g *Gate, f func() error) {
	done := make(chan error, 1)
	go func() { done <- f() }()
	t.Cleanup(func() {
		stopGate(t, g)
		select {
		case err := <-done:
			if err != nil && !errors.Is(err, net.ErrClosed) {
				t.Errorf("serve: %v", err)
			}
		case <-time.After(10 * time.Second):
			t.Error("listener did not end")
		}
	})
}

// loginToken returns a token for a player, good for an hour.
func loginToken(player troupe.Ref) string {
	return testKeys.Sign(Claims{Purpose: PurposeLogin, Expires: time.Now().Add(time.Hour), Player: player, Level: 1})
}

// dialClient connects a client that ends with the test.
func dialClient(t testing.TB, addr string, player troupe.Ref, change func(*client.Config)) *client.Client {
	t.Helper()
	cfg := client.Config{
		Login: func(context.Context) (client.Ticket, error) {
			return client.Ticket{Addr: addr, Token: loginToken(player)}, nil
		},
		BackoffMin: time.Millisecond,
	}
	if change != nil {
		change(&cfg)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := client.Dial(ctx, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// fataler is what testing.T and rapid.T share.
type fataler interface {
	require.TestingT
	Helper()
}

// rawConn speaks frames without the client's good manners.
type rawConn struct {
	t fataler
	net.Conn
	r frame.Reader
}

func dialRaw(t testing.TB, addr string) *rawConn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	return newRaw(t, conn)
}

func newRaw(t testing.TB, conn net.Conn) *rawConn {
	t.Cleanup(func() { _ = conn.Close() })
	return &rawConn{t: t, Conn: conn, r: frame.Reader{Src: conn, MaxBytes: 1 << 20}}
}

func (c *rawConn) send(b []byte) {
	c.t.Helper()
	_, err := c.Write(b)
	require.NoError(c.t, err)
}

// next returns the next frame, or the error of the connection.
func (c *rawConn) next() (frame.Kind, []byte, error) {
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	payload, err := c.r.Next()
	if err != nil {
		return 0, nil, err
	}
	kind, body, err := frame.Split(payload)
	return kind, append([]byte(nil), body...), err
}

func (c *rawConn) expect(want frame.Kind) []byte {
	c.t.Helper()
	kind, body, err := c.next()
	require.NoError(c.t, err)
	require.Equal(c.t, want, kind, "body %q", body)
	return body
}

// expectGoodbye wants a goodbye and then the end of the connection.
func (c *rawConn) expectGoodbye(want frame.Reason) frame.Goodbye {
	c.t.Helper()
	var body []byte
	for {
		kind, b, err := c.next()
		require.NoError(c.t, err, "want goodbye %v", want)
		if kind == frame.KindGoodbye {
			body = b
			break
		}
	}
	bye, err := frame.ParseGoodbye(body)
	require.NoError(c.t, err)
	require.Equal(c.t, want, bye.Reason, "%+v", bye)
	_, _, err = c.next()
	require.Error(c.t, err)
	return bye
}

// login says hello and returns the welcome.
func (c *rawConn) login(player troupe.Ref) frame.Welcome {
	c.t.Helper()
	return c.hello(frame.Hello{MinVersion: 1, MaxVersion: 1, Token: loginToken(player), Device: "dev"})
}

func (c *rawConn) resume(w frame.Welcome, last uint64) frame.Welcome {
	c.t.Helper()
	return c.hello(resumeHello(w, last))
}

func resumeHello(w frame.Welcome, last uint64) frame.Hello {
	return frame.Hello{MinVersion: 1, MaxVersion: 1, Resume: true, Token: w.Token, Device: "dev", LastSeq: last}
}

func (c *rawConn) hello(h frame.Hello) frame.Welcome {
	c.t.Helper()
	c.send(h.Append(nil))
	w, err := frame.ParseWelcome(c.expect(frame.KindWelcome))
	require.NoError(c.t, err)
	return w
}

func (c *rawConn) request(seq uint64, method uint32, args string) {
	r := frame.Request{Seq: seq, Method: method, Args: []byte(args)}
	c.send(r.Append(nil))
}

func (c *rawConn) expectReply(request uint64) frame.Reply {
	c.t.Helper()
	r, err := frame.ParseReply(c.expect(frame.KindReply))
	require.NoError(c.t, err)
	require.Equal(c.t, request, r.Request)
	return r
}
