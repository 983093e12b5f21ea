// SPDX-License-Identifier: MIT

package gate

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/gate/client"
)

func eachTransport(t *testing.T, f func(t *testing.T, listen func(testing.TB, *Gate) string)) {
	t.Run("tcp", func(t *testing.T) { f(t, listenTCP) })
	t.Run("websocket", func(t *testing.T) { f(t, listenWebSocket) })
}

func TestCallAndPush(t *testing.T) {
	eachTransport(t, func(t *testing.T, listen func(testing.TB, *Gate) string) {
		b := newFakeBackend()
		g := newTestGate(t, b, nil)
		pushes := make(chan client.Push, 10)
		c := dialClient(t, listen(t, g), player7, func(cfg *client.Config) {
			cfg.OnPush = func(p client.Push) { pushes <- p }
		})
		ctx := context.Background()
		reply, err := c.Call(ctx, methodEcho, []byte("hello"))
		require.NoError(t, err)
		require.Equal(t, "hello", string(reply))
		require.Equal(t, []string{"player/7 hello"}, b.log())

		_, err = c.Call(ctx, methodFail, nil)
		var status *client.StatusError
		require.ErrorAs(t, err, &status)
		require.Equal(t, client.StatusError{Code: 1, User: 42, Text: "not enough gold"}, *status)

		session := b.last(t, Opened).Session
		taken, err := g.Deliver(Push{Event: 3, Data: []byte("ding")}, session.ID)
		require.NoError(t, err)
		require.Equal(t, 1, taken)
		require.Equal(t, client.Push{Event: 3, Data: []byte("ding")}, <-pushes)
	})
}

func TestRequestsKeepTheirOrder(t *testing.T) {
	eachTransport(t, func(t *testing.T, listen func(testing.TB, *Gate) string) {
		b := newFakeBackend()
		g := newTestGate(t, b, func(c *Config) { c.Limits.MessagesPerSecond = -1 })
		c := dialClient(t, listen(t, g), player7, nil)
		var want []string
		for i := range 300 {
			text := fmt.Sprint(i)
			want = append(want, "player/7 "+text)
			if i%3 == 0 {
				_, err := c.Call(context.Background(), methodEcho, []byte(text))
				require.NoError(t, err)
			} else {
				require.NoError(t, c.Send(methodMove, []byte(text)))
			}
			if i%50 == 20 {
				c.Break()
			}
		}
		_, err := c.Call(context.Background(), methodEcho, []byte("end"))
		require.NoError(t, err)
		require.Equal(t, append(want, "player/7 end"), b.log())
	})
}

func TestDrainMovesClients(t *testing.T) {
	eachTransport(t, func(t *testing.T, listen func(testing.TB, *Gate) string) {
		b := newFakeBackend()
		gates := map[string]*Gate{}
		addrs := map[string]string{}
		for _, name := range []string{"a", "b"} {
			gates[name] = newTestGate(t, b, func(c *Config) {
				c.Name = name
				c.Peers = &fakePeers{self: name, gates: gates}
				c.Limits.MessagesPerSecond = -1
			})
			addrs[name] = listen(t, gates[name])
			gates[name].cfg.TCPAddr, gates[name].cfg.WebSocketURL = addrs[name], addrs[name]
		}
		var got []string
		last := make(chan struct{})
		c := dialClient(t, addrs["a"], player7, func(cfg *client.Config) {
			cfg.OnPush = func(p client.Push) {
				got = append(got, string(p.Data))
				if string(p.Data) == "last" {
					close(last)
				}
			}
		})
		session := b.last(t, Opened).Session
		stop, stopped := make(chan struct{}), make(chan struct{})
		var sent []string
		go func() { // pushes keep coming through the old gate
			defer close(stopped)
			for i := 0; ; i++ {
				text := fmt.Sprint(i)
				if _, err := gates["a"].Deliver(Push{Event: 1, Data: []byte(text)}, session.ID); err != nil {
					t.Errorf("push %d: %v", i, err)
				}
				sent = append(sent, text)
				select {
				case <-stop:
					return
				case <-time.After(200 * time.Microsecond):
				}
			}
		}()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		drained := make(chan error, 1)
		for i := range 200 {
			if i == 100 {
				go func() { drained <- gates["a"].Drain(ctx) }()
			}
			_, err := c.Call(ctx, methodEcho, []byte(fmt.Sprint(i)))
			require.NoError(t, err)
		}
		require.NoError(t, <-drained)
		close(stop)
		<-stopped
		_, err := gates["a"].Deliver(Push{Event: 1, Data: []byte("last")}, session.ID)
		require.NoError(t, err)
		<-last
		require.Equal(t, append(sent, "last"), got)
		require.Len(t, b.log(), 200)
		require.Equal(t, SessionRef{Gate: "b", ID: session.ID}, b.last(t, Moved).Session)
		require.Equal(t, client.Stats{Connects: 2, Resumes: 1}, c.Stats())
		require.Zero(t, gates["a"].Sessions())
	})
}

func TestDuplicateLogin(t *testing.T) {
	b := newFakeBackend()
	t.Run("replace", func(t *testing.T) {
		g := newTestGate(t, b, nil)
		addr := listenTCP(t, g)
		first := dialClient(t, addr, player7, nil)
		second := dialClient(t, addr, player7, nil)
		<-first.Done()
		var bye *client.GoodbyeError
		require.ErrorAs(t, first.Err(), &bye)
		require.Equal(t, "replaced", bye.Reason)
		_, err := second.Call(context.Background(), methodEcho, nil)
		require.NoError(t, err)
	})
	t.Run("refuse", func(t *testing.T) {
		g := newTestGate(t, b, func(c *Config) { c.OnDuplicate = RefuseNew })
		addr := listenTCP(t, g)
		first := dialClient(t, addr, player7, nil)
		_, err := client.Dial(context.Background(), client.Config{Login: func(context.Context) (client.Ticket, error) {
			return client.Ticket{Addr: addr, Token: loginToken(player7)}, nil
		}})
		var bye *client.GoodbyeError
		require.ErrorAs(t, err, &bye)
		require.Equal(t, "duplicate", bye.Reason)
		_, err = first.Call(context.Background(), methodEcho, nil)
		require.NoError(t, err)
	})
}

func TestRoutes(t *testing.T) {
	b := newFakeBackend()
	g := newTestGate(t, b, func(c *Config) {
		c.Routes = map[string]Route{"zone": {Kind: "zone", Authorize: func(_ context.Context, who Identity, to troupe.Ref) error {
			if who.Player != player7 || to.ID > 10 {
				return ErrNoSession
			}
			return nil
		}}}
	})
	c := dialClient(t, listenTCP(t, g), player7, nil)
	ctx := context.Background()
	_, err := c.CallRoute(ctx, client.Route{Name: "zone", ID: 3}, methodEcho, []byte("x"))
	require.NoError(t, err)
	_, err = c.CallRoute(ctx, client.Route{Name: "zone", Key: "north"}, methodEcho, []byte("y"))
	require.NoError(t, err)
	require.Equal(t, []string{"zone/3 x", "zone/north y"}, b.log())
	for _, to := range []client.Route{{Name: "zone", ID: 11}, {Name: "player", ID: 8}, {Name: "", ID: 8}} {
		_, err = c.CallRoute(ctx, to, methodEcho, nil)
		var status *client.StatusError
		require.ErrorAs(t, err, &status, "%+v", to)
	}
	require.Len(t, b.log(), 2)
}
