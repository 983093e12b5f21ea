// SPDX-License-Identifier: MIT

package gate

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/gate/client"
)

// TestHammer lets many clients call, lose their connections and be moved to
// and fro between two gates, while others push to them. Every call must run
// exactly once and every push arrive exactly once, in order.
func TestHammer(t *testing.T) {
	const clients, calls = 24, 60
	b := newFakeBackend()
	gates := map[string]*Gate{}
	for _, name := range []string{"a", "b"} {
		gates[name] = newTestGate(t, b, func(c *Config) {
			c.Name = name
			c.Peers = &fakePeers{self: name, gates: gates}
			c.Limits = Limits{MessagesPerSecond: -1, ConnsPerIP: -1, HandshakesPerIP: -1}
			c.Timeouts.Linger = 20 * time.Millisecond
		})
	}
	tcp := map[string]string{"a": listenTCP(t, gates["a"]), "b": listenTCP(t, gates["b"])}
	ws := map[string]string{"a": listenWebSocket(t, gates["a"]), "b": listenWebSocket(t, gates["b"])}
	for name, g := range gates {
		g.cfg.TCPAddr, g.cfg.WebSocketURL = tcp[name], ws[name]
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var all sync.WaitGroup
	for i := range clients {
		player := troupe.ID("player", int64(i))
		addr := tcp["a"]
		if i%2 == 1 {
			addr = ws["a"]
		}
		var mu sync.Mutex
		var got []string
		c := dialClient(t, addr, player, func(cfg *client.Config) {
			cfg.OnPush = func(p client.Push) { mu.Lock(); got = append(got, string(p.Data)); mu.Unlock() }
		})
		session := b.last(t, Opened).Session
		all.Go(func() {
			var pushed []string
			for n := range calls {
				text := fmt.Sprint(n)
				if _, err := gates["a"].Deliver(Push{Event: 1, Data: []byte(text)}, session.ID); err == nil {
					pushed = append(pushed, text)
				} else if _, err := gates["b"].Deliver(Push{Event: 1, Data: []byte(text)}, session.ID); err == nil {
					pushed = append(pushed, text)
				} else {
					t.Errorf("player %d: push %d: %v", i, n, err)
				}
				if n%7 == i%7 {
					c.Break()
				}
				reply, err := c.Call(ctx, methodEcho, []byte(text))
				if err != nil || string(reply) != text {
					t.Errorf("player %d: call %d: %q, %v", i, n, reply, err)
					return
				}
			}
			if _, err := c.Call(ctx, methodEcho, []byte("end")); err != nil {
				t.Errorf("player %d: %v", i, err)
			}
			mu.Lock()
			defer mu.Unlock()
			if want := strings.Join(pushed, " "); strings.Join(got, " ") != want {
				t.Errorf("player %d: got %v want %v", i, got, pushed)
			}
		})
	}
	moving := make(chan struct{})
	stop := make(chan struct{})
	go func() { // gates are drained and opened again in turn
		defer close(moving)
		for from := "a"; ; {
			select {
			case <-stop:
				return
			case <-time.After(time.Duration(50+rand.IntN(50)) * time.Millisecond):
			}
			part, done := context.WithTimeout(ctx, 300*time.Millisecond)
			_ = gates[from].Drain(part)
			done()
			gates[from].draining.Store(false)
			from = map[string]string{"a": "b", "b": "a"}[from]
		}
	}()
	all.Wait()
	close(stop)
	<-moving
	next := map[string]int{}
	for _, line := range b.log() {
		who, text, _ := strings.Cut(line, " ")
		if want := fmt.Sprint(next[who]); text != want && text != "end" {
			t.Fatalf("%s executed %s, want %s", who, text, want)
		}
		next[who]++
	}
	for who, n := range next {
		require.Equal(t, calls+1, n, who)
	}
	require.Len(t, gates["a"].List(), gates["a"].Sessions())
}

// TestLargeResend: more unanswered bytes than fit into one message are sent
// again after a reconnect.
func TestLargeResend(t *testing.T) {
	eachTransport(t, func(t *testing.T, listen func(testing.TB, *Gate) string) {
		b := newFakeBackend()
		g := newTestGate(t, b, func(c *Config) { c.Limits = Limits{MessagesPerSecond: -1, BytesPerSecond: -1} })
		var down atomic.Bool
		c := dialClient(t, listen(t, g), player7, func(cfg *client.Config) {
			cfg.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
				if down.Load() {
					return nil, errors.New("network is down")
				}
				return new(net.Dialer).DialContext(ctx, "tcp", addr)
			}
		})
		down.Store(true)
		c.Break()
		require.Eventually(t, func() bool { return !g.List()[0].Online }, 5*time.Second, time.Millisecond)
		for range 100 {
			require.NoError(t, c.Send(methodMove, make([]byte, 20<<10)))
		}
		down.Store(false)
		_, err := c.Call(context.Background(), methodEcho, nil)
		require.NoError(t, err)
		require.Len(t, b.log(), 101)
		require.Equal(t, 1, c.Stats().Resumes)
	})
}
