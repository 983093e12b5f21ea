// SPDX-License-Identifier: MIT

package gate

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/gate/client"
)

// nodePlayer is a virtual actor with one method of each sort.
type nodePlayer struct {
	troupe.Actor
	client Presence
	calls  int
}

type textArgs struct {
	A0 string
}

type textReply struct {
	R0 string
}

type sessionArgs struct {
	A0 SessionEvent
}

func (p *nodePlayer) Session(_ context.Context, e SessionEvent) error { return p.client.Handle(p, e) }

// clientMethods are what //troupe:client marks; the rest is server-only.
var nodePlayerMethods = []troupe.AnyMethod{
	&troupe.Method[textArgs, textReply]{
		MethodInfo: troupe.MethodInfo{Name: "Echo", Number: 1, Access: troupe.AccessClient, MaxBytes: 1 << 10},
		Invoke: func(_ context.Context, self any, a *textArgs, r *textReply) error {
			p := self.(*nodePlayer)
			p.calls++
			r.R0 = a.A0
			return p.client.Push(p, 1, []byte("echoed "+a.A0))
		},
	},
	&troupe.Method[struct{}, struct{}]{
		MethodInfo: troupe.MethodInfo{Name: "Poor", Number: 2, Access: troupe.AccessClient},
		Invoke: func(context.Context, any, *struct{}, *struct{}) error {
			return &troupe.UserError{Code: 7, Text: "not enough gold"}
		},
	},
	&troupe.Method[struct{}, struct{}]{
		MethodInfo: troupe.MethodInfo{Name: "Leaky", Number: 3, Access: troupe.AccessClient},
		Invoke: func(context.Context, any, *struct{}, *struct{}) error {
			return errors.New("dial db-1.internal: refused")
		},
	},
	&troupe.Method[struct{}, struct{}]{
		MethodInfo: troupe.MethodInfo{Name: "Panic", Number: 4, Access: troupe.AccessClient},
		Invoke:     func(context.Context, any, *struct{}, *struct{}) error { panic("boom") },
	},
	&troupe.Method[struct{}, struct{}]{
		MethodInfo: troupe.MethodInfo{Name: "GiveGold", Number: 5},
		Invoke:     func(context.Context, any, *struct{}, *struct{}) error { return nil },
	},
	&troupe.Method[struct{}, struct{}]{
		MethodInfo: troupe.MethodInfo{Name: "Ban", Number: 6, Access: troupe.AccessSystem},
		Invoke:     func(context.Context, any, *struct{}, *struct{}) error { return nil },
	},
	&troupe.Method[struct{}, textReply]{
		MethodInfo: troupe.MethodInfo{Name: "Where", Number: 9},
		Invoke: func(_ context.Context, self any, _ *struct{}, r *textReply) error {
			r.R0 = self.(*nodePlayer).Node().Name()
			return nil
		},
	},
	&troupe.Method[textArgs, struct{}]{
		MethodInfo: troupe.MethodInfo{Name: "Tell", Number: 10},
		Invoke: func(_ context.Context, self any, a *textArgs, _ *struct{}) error {
			p := self.(*nodePlayer)
			return p.client.Push(p, 2, []byte(a.A0))
		},
	},
	&troupe.Method[sessionArgs, struct{}]{
		MethodInfo: troupe.MethodInfo{Name: SessionMethod, Number: 8},
		Invoke: func(ctx context.Context, self any, a *sessionArgs, _ *struct{}) error {
			return self.(*nodePlayer).Session(ctx, a.A0)
		},
	},
}

func (*nodePlayer) TroupeMethods() []troupe.AnyMethod { return nodePlayerMethods }

// nodeServer has methods by reflection: none is for clients.
type nodeServer struct{ troupe.Actor }

func (*nodeServer) Reset(context.Context) error           { return nil }
func (*nodeServer) Set(context.Context, string) error     { return nil }
func (*nodeServer) Stats(context.Context) (string, error) { return "", nil }

func startNode(t *testing.T, name string, change func(*Config)) (*troupe.Node, *Gate, string) {
	t.Helper()
	node, err := troupe.New(troupe.Config{Name: name, Logger: quietLog()})
	require.NoError(t, err)
	require.NoError(t, node.Register(troupe.Virtual[nodePlayer]("player"), troupe.Virtual[nodeServer]("server")))
	cluster, err := Join(node)
	require.NoError(t, err)
	cfg := Config{Keys: testKeys, Logger: quietLog(), Limits: Limits{MessagesPerSecond: -1}, Timeouts: Timeouts{Linger: 50 * time.Millisecond}}
	if change != nil {
		change(&cfg)
	}
	g, err := cluster.NewGate(cfg)
	require.NoError(t, err)
	require.NoError(t, node.Start(t.Context()))
	t.Cleanup(func() {
		stopGate(t, g)
		require.NoError(t, node.Stop(context.Background()))
	})
	return node, g, listenTCP(t, g)
}

// encodedText is what generated client code would send for one string.
func encodedText(s string) []byte { return append([]byte{0x0a, byte(len(s))}, s...) }

func TestNodeCallsAndPushes(t *testing.T) {
	_, _, addr := startNode(t, "n1", nil)
	pushes := make(chan string, 100)
	c := dialClient(t, addr, player7, func(cfg *client.Config) { cfg.OnPush = func(p client.Push) { pushes <- string(p.Data) } })
	ctx := context.Background()
	reply, err := c.Call(ctx, 1, encodedText("hi"))
	require.NoError(t, err)
	require.Equal(t, encodedText("hi"), reply)
	require.Equal(t, "echoed hi", <-pushes)

	for _, row := range []struct {
		method int32
		want   client.StatusError
	}{
		{2, client.StatusError{Code: 1, User: 7, Text: "not enough gold"}},
		{3, client.StatusError{Code: CodeInternal, Text: "internal error"}},
		{4, client.StatusError{Code: 9, Text: troupe.ErrPanic.Error()}},
	} {
		_, err = c.Call(ctx, row.method, nil)
		var status *client.StatusError
		require.ErrorAs(t, err, &status, "method %d", row.method)
		require.Equal(t, row.want, *status)
	}
}

// TestEveryUnmarkedMethodIsRefused enumerates all methods of all kinds of a
// node, and asks for each on the player and through a route that opens every
// kind, at the gate and past it at the node.
func TestEveryUnmarkedMethodIsRefused(t *testing.T) {
	open := func(context.Context, Identity, troupe.Ref) error { return nil }
	node, g, addr := startNode(t, "n1", func(c *Config) {
		c.Limits.RoutedPerSecond = -1
		c.Routes = map[string]Route{}
		for _, kind := range []string{"player", "server", kindHear} {
			c.Routes[kind] = Route{Kind: kind, Authorize: open}
		}
	})
	c := dialClient(t, addr, player7, nil)
	ctx := context.Background()
	checked := 0
	for _, kind := range node.Kinds() {
		for _, m := range kind.Methods {
			info := m.Info()
			if info.Access == troupe.AccessClient {
				continue
			}
			checked++
			_, err := c.CallRoute(ctx, client.Route{Name: kind.Name, ID: 0}, info.Number, nil)
			var status *client.StatusError
			require.ErrorAs(t, err, &status, "%s.%s", kind.Name, info.Name)
			require.Equal(t, CodeDenied, status.Code, "%s.%s", kind.Name, info.Name)
			_, err = node.CallEncoded(ctx, troupe.ID(kind.Name, 0), info.Number, nil, troupe.AccessClient)
			require.ErrorIs(t, err, troupe.ErrAccess, "%s.%s", kind.Name, info.Name)
			err = g.cfg.Backend.Send(troupe.ID(kind.Name, 0), info.Number, nil)
			var refused *StatusError
			require.ErrorAs(t, err, &refused, "%s.%s", kind.Name, info.Name)
		}
	}
	require.GreaterOrEqual(t, checked, 5+3+1)
}

func TestNodeReplacesTheOlderLogin(t *testing.T) {
	_, _, addr := startNode(t, "n1", nil)
	first := dialClient(t, addr, player7, nil)
	second := dialClient(t, addr, player7, nil)
	<-first.Done()
	_, err := second.Call(context.Background(), 1, encodedText("x"))
	require.NoError(t, err)
}

// TestGroup: one message per gate reaches all members, in order with the
// actor's other pushes.
func TestGroup(t *testing.T) {
	node, g, addr := startNode(t, "n1", func(c *Config) { c.Limits.ConnsPerIP = -1 })
	const n = 20
	var mu sync.Mutex
	got := map[int64][]string{}
	var all sync.WaitGroup
	for i := range int64(n) {
		all.Add(3)
		dialClient(t, addr, troupe.ID("player", i), func(cfg *client.Config) {
			cfg.OnPush = func(p client.Push) {
				mu.Lock()
				got[i] = append(got[i], string(p.Data))
				mu.Unlock()
				all.Done()
			}
		})
	}
	var room Group
	refs := map[int64]SessionRef{}
	for _, s := range g.snapshot() {
		refs[s.who.Player.ID] = s.ref()
		require.True(t, room.Add(s.ref()))
		require.False(t, room.Add(s.ref()))
	}
	require.Equal(t, n, room.Len())
	for i := range 2 {
		require.NoError(t, room.Push(node, 1, fmt.Append(nil, "room ", i)))
	}
	for _, ref := range refs {
		require.NoError(t, ref.Push(node, 1, []byte("you")))
	}
	all.Wait()
	for i := range int64(n) {
		require.Equal(t, []string{"room 0", "room 1", "you"}, got[i])
	}
	for i := range int64(n - 1) {
		require.True(t, room.Remove(refs[i]))
		require.False(t, room.Remove(refs[i]))
	}
	all.Add(2)
	require.NoError(t, room.PushVolatile(node, 1, []byte("last")))
	require.NoError(t, Multicast(node, []SessionRef{refs[n-1], {}}, Push{Event: 1, Data: []byte("cast")}))
	all.Wait()
	require.Equal(t, []string{"room 0", "room 1", "you", "last", "cast"}, got[n-1])
	require.True(t, room.Remove(refs[n-1]))
	require.Zero(t, room.Len())
	require.NoError(t, room.Push(node, 1, nil))
}

// TestPresence is the table of what a player's actor does with session events.
func TestPresence(t *testing.T) {
	a, b := SessionRef{Gate: "g1", ID: 1}, SessionRef{Gate: "g2", ID: 2}
	node, err := troupe.New(troupe.Config{Name: "n", Logger: quietLog()})
	require.NoError(t, err)
	var p Presence
	event := func(c Change, s SessionRef) error { return p.Handle(node, SessionEvent{Change: c, Session: s}) }
	require.NoError(t, event(Opened, a))
	require.True(t, p.Online())
	require.NoError(t, event(Offline, a))
	require.False(t, p.Online())
	require.NoError(t, event(Online, a))
	require.NoError(t, event(Opened, b)) // replaces a
	require.Equal(t, b, p.Session())
	require.NoError(t, event(Closed, a)) // late news of the older one
	require.Equal(t, b, p.Session())
	require.True(t, p.Online())
	moved := SessionRef{Gate: "g3", ID: 2}
	require.NoError(t, event(Moved, moved))
	require.NoError(t, event(Offline, b)) // from the gate it left
	require.NoError(t, event(Closed, b))
	require.Equal(t, moved, p.Session())
	require.True(t, p.Online())
	p.RefuseSecond = true
	require.ErrorIs(t, event(Opened, a), ErrDuplicate)
	require.NoError(t, event(Closed, moved))
	require.True(t, p.Session().IsZero())
	require.NoError(t, event(Alive, a)) // activated again
	require.Equal(t, a, p.Session())

	// Of two logins under way at once the newer wins, in whatever order they
	// arrive.
	p = Presence{}
	login := func(s SessionRef, issued int64) error {
		return p.Handle(node, SessionEvent{Change: Opened, Session: s, Identity: Identity{Issued: issued}})
	}
	const now = 1_000_000_000
	require.NoError(t, login(b, now))
	require.ErrorIs(t, login(a, now-1), ErrDuplicate)
	require.Equal(t, b, p.Session())
	require.NoError(t, login(a, now), "the same instant: the later arrival")
	require.NoError(t, login(b, now-overtaken.Milliseconds()), "clocks that disagree lock nobody out")
	require.NoError(t, login(a, 0), "not known")
	require.Equal(t, a, p.Session())
	require.NoError(t, node.Stop(context.Background()))
}
