// SPDX-License-Identifier: MIT

package gate

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/gate/client"
	"github.com/troupe-go/troupe/gate/internal/frame"
)

// Stories in virtual time: a real gate and a real client over pipes.

// pipeWorld has gates that a client reaches by name; a missing one is down.
type pipeWorld struct {
	b     *fakeBackend
	gates map[string]*Gate
}

func newPipeWorld(t *testing.T, names ...string) *pipeWorld {
	w := &pipeWorld{b: newFakeBackend(), gates: map[string]*Gate{}}
	for _, name := range names {
		g, err := New(Config{
			Name: name, Backend: w.b, Keys: testKeys, Logger: quietLog(), TCPAddr: name,
			Peers: &fakePeers{self: name, gates: w.gates}, Metrics: new(Counters),
		})
		require.NoError(t, err)
		w.gates[name] = g
	}
	return w
}

func (w *pipeWorld) dial(_ context.Context, addr string) (net.Conn, error) {
	g := w.gates[addr]
	if g == nil {
		return nil, errors.New("connection refused")
	}
	near, far := net.Pipe()
	go g.ServeConn(far)
	return near, nil
}

func (w *pipeWorld) client(t *testing.T, events *[]string, addrs func() string) *client.Client {
	c, err := client.Dial(t.Context(), client.Config{
		Login: func(context.Context) (client.Ticket, error) {
			return client.Ticket{Addr: addrs(), Token: loginToken(player7)}, nil
		},
		Dial:    w.dial,
		OnState: func(e client.Event) { *events = append(*events, stateName(e.State)) },
		OnPush:  func(p client.Push) { *events = append(*events, "push "+string(p.Data)) },
	})
	require.NoError(t, err)
	return c
}

func stateName(s client.State) string {
	return [...]string{"", "connected", "resumed", "disconnected", "reload", "lossy", "ended"}[s]
}

func (w *pipeWorld) stop(t *testing.T) {
	for _, g := range w.gates {
		require.NoError(t, g.Stop(context.Background()))
	}
}

func TestHeartbeatsKeepAnIdleSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newPipeWorld(t, "a")
		var events []string
		c := w.client(t, &events, func() string { return "a" })
		time.Sleep(time.Hour) // virtual
		require.Equal(t, client.Stats{Connects: 1}, c.Stats())
		require.Equal(t, []string{"connected"}, events)
		require.Equal(t, w.gates["a"].find(w.b.last(t, Alive).Session.ID).ref(), w.b.last(t, Alive).Session)
		require.NoError(t, c.Close())
		synctest.Wait()
		require.Zero(t, w.gates["a"].Sessions())
		require.Equal(t, Closed, w.b.events[len(w.b.events)-1].Change)
		w.stop(t)
	})
}

func TestOfflineSessionExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newPipeWorld(t, "a")
		near, _ := w.dial(t.Context(), "a")
		c := newRaw(t, near)
		welcome := c.login(player7)
		_ = near.Close()
		time.Sleep(59 * time.Second) // virtual
		near, _ = w.dial(t.Context(), "a")
		welcome = newRaw(t, near).resume(welcome, 0)
		_ = near.Close()
		time.Sleep(62 * time.Second) // virtual
		require.Zero(t, w.gates["a"].Sessions())
		require.Equal(t, "timeout", w.b.last(t, Closed).Reason)
		near, _ = w.dial(t.Context(), "a")
		again := newRaw(t, near)
		hello := resumeHello(welcome, 0)
		again.send(hello.Append(nil))
		again.expectGoodbye(frame.ReasonReload)
		w.stop(t)
	})
}

// TestGateDies: the client logs in elsewhere, is told to reload, and what was
// under way is in doubt.
func TestGateDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newPipeWorld(t, "a", "b")
		var events []string
		addr := "a"
		c := w.client(t, &events, func() string { return addr })
		pending := make(chan error)
		go func() {
			_, err := c.Call(t.Context(), methodBlock, nil)
			pending <- err
		}()
		synctest.Wait()
		dead := w.gates["a"]
		delete(w.gates, "a")
		addr = "b"
		for _, conn := range dead.openConns() {
			_ = conn.Close()
		}
		require.ErrorIs(t, <-pending, client.ErrInDoubt)
		reply, err := c.Call(t.Context(), methodEcho, []byte("alive"))
		require.NoError(t, err)
		require.Equal(t, "alive", string(reply))
		require.Equal(t, []string{"connected", "disconnected", "reload", "connected"}, events)
		require.Equal(t, client.Stats{Connects: 2, Reloads: 1}, c.Stats())
		require.NoError(t, c.Close())
		close(w.b.release)
		require.NoError(t, dead.Stop(context.Background()))
		w.stop(t)
	})
}

// slowPeers delays a release, so that pushes arrive in between.
type slowPeers struct {
	Peers
	during func()
}

func (p *slowPeers) Release(ctx context.Context, gate string, r ReleaseRequest) (SessionState, error) {
	state, err := p.Peers.Release(ctx, gate, r)
	p.during() // the holder has let go, the new gate does not have it yet
	return state, err
}

func TestPushesBetweenTwoGatesKeepTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newPipeWorld(t, "a", "b")
		near, _ := w.dial(t.Context(), "a")
		welcome := newRaw(t, near).login(player7)
		push := func(gate, text string) {
			_, err := w.gates[gate].Deliver(Push{Event: 1, Data: []byte(text)}, welcome.Session)
			require.NoError(t, err)
		}
		w.gates["b"].cfg.Peers = &slowPeers{w.gates["b"].cfg.Peers, func() {
			push("a", "2") // forwarded
			push("b", "3") // from somebody who knows already
		}}
		_ = near.Close()
		push("a", "1")
		near, _ = w.dial(t.Context(), "b")
		c := newRaw(t, near)
		c.resume(welcome, 0)
		push("a", "4")
		for i := range 4 {
			p, err := frame.ParsePush(c.expect(frame.KindPush))
			require.NoError(t, err)
			require.EqualValues(t, i+1, p.Seq)
			require.Equal(t, string(rune('1'+i)), string(p.Data))
		}
		_ = near.Close()
		time.Sleep(2 * time.Minute) // virtual: the forwarding note and the session expire
		_, err := w.gates["a"].Deliver(Push{Event: 1}, welcome.Session)
		require.ErrorIs(t, err, ErrNoSession)
		w.stop(t)
	})
}

func TestKickBroadcastAndLimitsOfTheGoAPI(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newPipeWorld(t, "a")
		g := w.gates["a"]
		var events []string
		c := w.client(t, &events, func() string { return "a" })
		taken, err := g.Broadcast(Push{Event: 1, Data: []byte("all")})
		require.NoError(t, err)
		require.Equal(t, 1, taken)
		id := g.List()[0].Session.ID
		require.NoError(t, g.Kick(id, "banned"))
		<-c.Done()
		require.ErrorContains(t, c.Err(), "banned")
		require.Equal(t, []string{"connected", "push all", "disconnected", "ended"}, events)
		require.ErrorIs(t, g.Kick(id, ""), ErrNoSession)
		require.ErrorIs(t, g.Replace(id), ErrNoSession)
		_, err = c.Call(t.Context(), methodEcho, nil)
		require.ErrorIs(t, err, client.ErrClosed)
		require.ErrorIs(t, c.Send(methodMove, nil), client.ErrClosed)
		time.Sleep(10 * time.Second) // virtual: upkeep forgets addresses
		require.Empty(t, g.ips.m)
		counters := g.metrics.(*Counters)
		require.EqualValues(t, 0, counters.Conns.Load())
		require.EqualValues(t, 1, counters.ConnsTotal.Load())
		require.EqualValues(t, 1, counters.Pushes.Load())
		w.stop(t)
		near, far := net.Pipe()
		g.ServeConn(far) // after Stop: closed
		_, err = near.Read(make([]byte, 1))
		require.Error(t, err)
	})
}

func TestConfigIsChecked(t *testing.T) {
	b := newFakeBackend()
	allow := func(context.Context, Identity, troupe.Ref) error { return nil }
	for name, cfg := range map[string]Config{
		"no name":      {Backend: b},
		"no backend":   {Name: "g"},
		"frame cap":    {Name: "g", Backend: b, Limits: Limits{FrameBytes: -1}},
		"heartbeat":    {Name: "g", Backend: b, Timeouts: Timeouts{Heartbeat: -1}},
		"route kind":   {Name: "g", Backend: b, Routes: map[string]Route{"x": {Authorize: allow}}},
		"route hook":   {Name: "g", Backend: b, Routes: map[string]Route{"x": {Kind: "k"}}},
		"active key":   {Name: "g", Backend: b, Keys: &Keys{Active: "x"}},
		"short secret": {Name: "g", Backend: b, Keys: &Keys{Active: "x", Secrets: map[string][]byte{"x": make([]byte, 31)}}},
		"key id":       {Name: "g", Backend: b, Keys: &Keys{Active: "a.b", Secrets: map[string][]byte{"a.b": make([]byte, 32)}}},
	} {
		_, err := New(cfg)
		require.ErrorIs(t, err, ErrConfig, name)
	}
	_, err := LoginHandler(LoginConfig{})
	require.ErrorIs(t, err, ErrConfig)
}

// TestLogoutComesLast: what was sent before Close is executed before the
// session ends, even behind a slow call.
func TestLogoutComesLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newPipeWorld(t, "a")
		var events []string
		c := w.client(t, &events, func() string { return "a" })
		go func() { _, _ = c.Call(t.Context(), methodBlock, []byte("slow")) }()
		synctest.Wait()
		for range 3 {
			require.NoError(t, c.Send(methodMove, []byte("save")))
		}
		time.AfterFunc(time.Second, func() { close(w.b.release) })
		require.NoError(t, c.Close())
		time.Sleep(2 * time.Second) // virtual
		require.Equal(t, []string{"player/7 slow", "player/7 save", "player/7 save", "player/7 save"}, w.b.log())
		require.Zero(t, w.gates["a"].Sessions())
		w.stop(t)
	})
}

// TestSizesThatCannotPass: refused where they begin, without hurting the
// session.
func TestSizesThatCannotPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newPipeWorld(t, "a")
		var events []string
		c := w.client(t, &events, func() string { return "a" })
		_, err := c.Call(t.Context(), methodEcho, make([]byte, 65<<10))
		require.ErrorIs(t, err, client.ErrTooLarge)
		id := w.gates["a"].List()[0].Session.ID
		_, err = w.gates["a"].Deliver(Push{Event: 1, Data: make([]byte, 300<<10)}, id)
		require.ErrorIs(t, err, troupe.ErrTooLarge)
		_, err = c.Call(t.Context(), methodEcho, nil)
		require.NoError(t, err)
		require.NoError(t, c.Close())
		w.stop(t)
	})
}

// TestAliveAfterTrouble: when a request failed for lack of an actor, its next
// activation hears of the session within a second or so.
func TestAliveAfterTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newPipeWorld(t, "a")
		var events []string
		c := w.client(t, &events, func() string { return "a" })
		time.Sleep(7 * time.Second) // virtual
		alive := func() (n int) {
			w.b.mu.Lock()
			defer w.b.mu.Unlock()
			for _, e := range w.b.events {
				if e.Change == Alive {
					n++
				}
			}
			return n
		}
		require.Equal(t, 1, alive())
		_, err := c.Call(t.Context(), methodPanic, nil) // in doubt
		require.Error(t, err)
		time.Sleep(1500 * time.Millisecond) // virtual
		require.Equal(t, 2, alive())
		require.NoError(t, c.Close())
		w.stop(t)
	})
}
