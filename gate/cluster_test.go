// SPDX-License-Identifier: MIT

package gate

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/gate/client"
	"github.com/troupe-go/troupe/troupetest"
)

var handOff = flag.Bool("hand-off", false, "run the story of a node that stops under calls")

// Stories on a cluster of three nodes with a gate each, in virtual time.

type clusterWorld struct {
	t     *testing.T
	c     *troupetest.Cluster
	gates map[string]*Gate
	joins map[string]*Cluster
}

func startCluster(t *testing.T) *clusterWorld {
	w := &clusterWorld{t: t, gates: map[string]*Gate{}, joins: map[string]*Cluster{}}
	w.c = troupetest.Start(t, troupetest.Config{
		Kinds: func(int) []troupe.Kind { return []troupe.Kind{troupe.Virtual[nodePlayer]("player")} },
		Setup: func(i int, n *troupe.Node) {
			joined, err := Join(n)
			require.NoError(t, err)
			g, err := joined.NewGate(Config{Keys: testKeys, Logger: quietLog(), TCPAddr: n.Name(), Limits: Limits{MessagesPerSecond: -1}})
			require.NoError(t, err)
			w.joins[n.Name()], w.gates[n.Name()] = joined, g
		},
	})
	t.Cleanup(func() {
		for _, g := range w.gates {
			require.NoError(t, g.Stop(context.Background()))
		}
	})
	time.Sleep(3 * time.Second) // virtual: the gates hear of each other
	return w
}

func (w *clusterWorld) dial(_ context.Context, addr string) (net.Conn, error) {
	g := w.gates[addr]
	if g == nil {
		return nil, errors.New("connection refused")
	}
	near, far := net.Pipe()
	go g.ServeConn(far)
	return near, nil
}

// inbox collects what a client hears.
type inbox struct {
	mu  sync.Mutex
	got []string
}

func (in *inbox) add(s string) { in.mu.Lock(); in.got = append(in.got, s); in.mu.Unlock() }

func (in *inbox) all() []string { in.mu.Lock(); defer in.mu.Unlock(); return slices.Clone(in.got) }

func (w *clusterWorld) client(player troupe.Ref, gate string) (*client.Client, *inbox) {
	in := new(inbox)
	c, err := client.Dial(w.t.Context(), client.Config{
		Login: func(context.Context) (client.Ticket, error) {
			return client.Ticket{Addr: gate, Token: loginToken(player)}, nil
		},
		Dial:   w.dial,
		OnPush: func(p client.Push) { in.add(string(p.Data)) },
	})
	require.NoError(w.t, err)
	w.t.Cleanup(func() { _ = c.Close() })
	return c, in
}

// where returns the node that has the player.
func (w *clusterWorld) where(from int, player troupe.Ref) string {
	var name string
	require.NoError(w.t, w.c.Node(from).Call(context.Background(), player, "Where", &name))
	return name
}

// playerOn returns a player that lives on that node.
func (w *clusterWorld) playerOn(node string) troupe.Ref {
	for id := int64(1); ; id++ {
		if ref := troupe.ID("player", id); w.where(0, ref) == node {
			return ref
		}
	}
}

func TestClusterPushesFromAnyNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := startCluster(t)
		player := w.playerOn("n2")
		c, in := w.client(player, "n0")
		for i := range 10 {
			reply, err := c.Call(t.Context(), 1, encodedText(fmt.Sprint(i)))
			require.NoError(t, err)
			require.Equal(t, encodedText(fmt.Sprint(i)), reply)
			require.NoError(t, w.c.Node(i%3).Call(t.Context(), player, "Tell", nil, fmt.Sprint("tell ", i)))
		}
		synctest.Wait()
		time.Sleep(time.Second) // virtual
		require.Len(t, in.all(), 20)
		infos, err := w.joins["n1"].Gates(t.Context())
		require.NoError(t, err)
		require.Len(t, infos, 3)
	})
}

// TestClusterDrain moves clients to another gate with pushes and calls under
// way: nothing is lost, nothing fails.
func TestClusterDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := startCluster(t)
		player := w.playerOn("n2")
		c, in := w.client(player, "n0")
		drained := make(chan error, 1)
		var want []string
		for i := range 40 {
			if i == 10 {
				go func() { drained <- w.gates["n0"].Drain(t.Context()) }()
			}
			_, err := c.Call(t.Context(), 1, encodedText(fmt.Sprint(i)))
			require.NoError(t, err)
			want = append(want, fmt.Sprint("echoed ", i))
			time.Sleep(10 * time.Millisecond) // virtual
		}
		require.NoError(t, <-drained)
		time.Sleep(time.Second) // virtual
		require.Equal(t, want, in.all())
		require.Equal(t, client.Stats{Connects: 2, Resumes: 1}, c.Stats())
		require.Zero(t, w.gates["n0"].Sessions())
	})
}

// TestClusterOwnerCrashes: the client's gate stays, its player's node dies.
// Calls work again within the lease, and the new activation finds the session.
func TestClusterOwnerCrashes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := startCluster(t)
		player := w.playerOn("n2")
		c, in := w.client(player, "n0")
		_, err := c.Call(t.Context(), 1, encodedText("before"))
		require.NoError(t, err)
		crashed := time.Now()
		w.c.Crash(2)
		require.NoError(t, w.gates["n2"].Stop(context.Background()))
		delete(w.gates, "n2")
		for {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, err = c.Call(ctx, 1, encodedText("again"))
			cancel()
			if err == nil {
				break
			}
			time.Sleep(10 * time.Millisecond) // virtual
			require.Less(t, time.Since(crashed), 10*time.Second)
		}
		for {
			time.Sleep(100 * time.Millisecond) // virtual
			_ = w.c.Node(1).Call(t.Context(), player, "Tell", nil, "found")
			if got := in.all(); got[len(got)-1] == "found" {
				break
			}
			require.Less(t, time.Since(crashed), 15*time.Second)
		}
		t.Log("playing again after", time.Since(crashed))
		require.Equal(t, 1, c.Stats().Connects)
	})
}

// TestClusterStopHandsOver: a game node stops gracefully under calls.
func TestClusterStopHandsOver(t *testing.T) {
	if !*handOff {
		t.Skip("needs -hand-off: two nodes that each take the other for the owner can pass a flush to and fro without end (cell.forward)")
	}
	synctest.Test(t, func(t *testing.T) {
		w := startCluster(t)
		player := w.playerOn("n2")
		c, in := w.client(player, "n0")
		var want []string
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			time.Sleep(50 * time.Millisecond) // virtual
			_ = w.gates["n2"].Stop(context.Background())
			w.c.Stop(2)
		}()
		for i := range 100 {
			_, err := c.Call(t.Context(), 1, encodedText(fmt.Sprint(i)))
			require.NoError(t, err, "call %d", i)
			want = append(want, fmt.Sprint("echoed ", i))
			time.Sleep(10 * time.Millisecond) // virtual
		}
		<-stopped
		time.Sleep(time.Second) // virtual
		require.Equal(t, want, in.all())
		require.NotEqual(t, "n2", w.where(0, player))
	})
}

func TestClusterReplacesTheOlderLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := startCluster(t)
		player := w.playerOn("n2")
		first, _ := w.client(player, "n0")
		second, in := w.client(player, "n1")
		select {
		case <-first.Done():
		case <-time.After(time.Minute): // virtual
			t.Fatal("the older session was not told")
		}
		var bye *client.GoodbyeError
		require.ErrorAs(t, first.Err(), &bye)
		require.Equal(t, "replaced", bye.Reason)
		_, err := second.Call(t.Context(), 1, encodedText("x"))
		require.NoError(t, err)
		time.Sleep(time.Second) // virtual
		require.Equal(t, []string{"echoed x"}, in.all())
	})
}

// TestClusterGateCrashes: the client's gate dies with its node. The client
// comes back at another gate and is told to reload, long before the lease of the
// dead node runs out.
func TestClusterGateCrashes(t *testing.T) {
	synctest.Test(t, gateCrashes)
}

func gateCrashes(t *testing.T) {
	w := startCluster(t)
	player := w.playerOn("n1")
	reloads := 0
	addr := "n2"
	c, err := client.Dial(t.Context(), client.Config{
		Login: func(context.Context) (client.Ticket, error) {
			return client.Ticket{Addr: addr, Token: loginToken(player)}, nil
		},
		Dial: w.dial,
		OnState: func(e client.Event) {
			if e.State == client.Reload {
				reloads++
			}
		},
	})
	require.NoError(t, err)
	defer c.Close()
	crashed := time.Now()
	addr = "n0"
	dead := w.gates["n2"]
	delete(w.gates, "n2")
	w.c.Crash(2)
	for _, conn := range dead.openConns() {
		_ = conn.Close()
	}
	for {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		_, err = c.Call(ctx, 1, encodedText("again"))
		cancel()
		if err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond) // virtual
		require.Less(t, time.Since(crashed), 10*time.Second, "%v", err)
	}
	t.Log("playing again after", time.Since(crashed))
	require.Less(t, time.Since(crashed), 3*time.Second, "nobody waits for the lease of a gate that cannot be reached")
	require.Equal(t, 1, reloads)
	require.NoError(t, dead.Stop(context.Background()))
}
