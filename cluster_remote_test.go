// SPDX-License-Identifier: MIT

package troupe_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/transport/memory"
	"github.com/troupe-go/troupe/troupetest"
)

// remote is an actor to be called from another node.
type remote struct {
	troupe.Actor
	gate chan struct{}
}

type codeError struct{ code int32 }

func (e *codeError) Error() string    { return "not enough gold" }
func (e *codeError) ErrorCode() int32 { return e.code }

func (r *remote) Where(context.Context) (string, error) { return r.Node().Name(), nil }
func (r *remote) Key2(context.Context) (string, error)  { return r.Key(), nil }

func (r *remote) Fail(_ context.Context, how string) error {
	switch how {
	case "code":
		return &codeError{7}
	case "plain":
		return errors.New("something else")
	case "sentinel":
		return troupe.ErrNoActor
	case "panic":
		panic("as asked")
	}
	return nil
}

func (r *remote) Echo(_ context.Context, s string) (string, error) { return s, nil }
func (r *remote) Bytes(_ context.Context, n int) ([]byte, error)   { return make([]byte, n), nil }

func (r *remote) Deadline(ctx context.Context) (int64, error) {
	d, _ := ctx.Deadline()
	return int64(time.Until(d)), nil
}

func (r *remote) Block(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func (r *remote) Sleep(_ context.Context, millis int64) error {
	time.Sleep(time.Duration(millis) * time.Millisecond)
	return nil
}

// Relay calls the next in a list of actors of its kind, until one repeats.
func (r *remote) Relay(ctx context.Context, ids []int64) (string, error) {
	if len(ids) == 0 {
		return r.Node().Name(), nil
	}
	var rest string
	err := troupe.CallFrom(ctx, r, troupe.ID(r.Ref().Kind, ids[0]), "Relay", &rest, ids[1:])
	return r.Node().Name() + " " + rest, err
}

func onNode(node string) troupe.Option {
	return troupe.PlaceBy(func(_ troupe.Ref, hosts []troupe.Host, _ int) int {
		for i, h := range hosts {
			if h.Node == node {
				return i
			}
		}
		return 0
	})
}

// byID places id 10+i on node i.
func byID(id troupe.Ref, hosts []troupe.Host, _ int) int { return int(id.ID) % 10 % len(hosts) }

func remoteKinds(node int) []troupe.Kind {
	kinds := []troupe.Kind{
		troupe.Virtual[remote]("remote", onNode("n1")),
		troupe.Virtual[remote]("small", onNode("n1"), troupe.MailboxLimit(4)),
		troupe.Virtual[remote]("spread", troupe.PlaceBy(byID)),
		troupe.Virtual[remote]("again", troupe.PlaceBy(byID), troupe.Reentrant()),
		troupe.Virtual[remote]("gm", troupe.Role("gm")),
		troupe.Virtual[remote]("nobody", troupe.Role("nobody")),
		troupe.Singleton[remote]("single"),
	}
	if node == 0 { // only n0 knows it
		kinds = append(kinds, troupe.Virtual[remote]("only0", onNode("n1")))
	}
	return kinds
}

// TestClusterErrors: errors keep their identity from another node.
func TestClusterErrors(t *testing.T) {
	cfg := troupetest.Config{Kinds: remoteKinds, Roles: func(i int) []string {
		if i == 2 {
			return []string{"gm"}
		}
		return nil
	}}
	inCluster(t, cfg, func(t *testing.T, c *troupetest.Cluster, w *world) {
		n, ref := c.Node(0), troupe.ID("remote", 1)
		at, err := where(n, ref)
		require.NoError(t, err)
		require.Equal(t, "n1", at)
		fail := func(ref troupe.Ref, method string, args ...any) *troupe.CallError {
			t.Helper()
			err := n.Call(bg, ref, method, nil, args...)
			var ce *troupe.CallError
			require.ErrorAs(t, err, &ce)
			return ce
		}
		err = fail(ref, "Fail", "code")
		var ue *troupe.UserError
		require.ErrorAs(t, err, &ue)
		require.EqualValues(t, 7, ue.Code)
		require.Equal(t, "not enough gold", ue.Text)
		require.False(t, fail(ref, "Fail", "code").SafeToRetry())
		require.ErrorAs(t, fail(ref, "Fail", "plain"), &ue)
		require.ErrorIs(t, fail(ref, "Fail", "sentinel"), troupe.ErrNoActor)
		require.ErrorIs(t, fail(ref, "Fail", "panic"), troupe.ErrPanic)
		require.ErrorIs(t, fail(ref, "Echo", strings.Repeat("x", 2<<20)), troupe.ErrTooLarge)
		require.True(t, fail(ref, "Echo", strings.Repeat("x", 2<<20)).SafeToRetry())
		require.ErrorIs(t, fail(ref, "Bytes", 3<<20), troupe.ErrTooLarge)
		require.ErrorIs(t, fail(troupe.ID("nobody", 1), "Where"), troupe.ErrNoHost)
		at, err = where(n, troupe.ID("gm", 5))
		require.NoError(t, err)
		require.Equal(t, "n2", at)

		ctx, cancel := context.WithTimeout(bg, 300*time.Millisecond)
		defer cancel()
		var left int64
		require.NoError(t, n.Call(ctx, ref, "Deadline", &left))
		require.InDelta(t, 300*time.Millisecond, left, float64(20*time.Millisecond))
		err2 := n.Call(ctx, ref, "Block", nil)
		require.ErrorIs(t, err2, troupe.ErrTimeout)
		require.ErrorIs(t, err2, context.DeadlineExceeded)
	})
}

// TestClusterMailboxFull: the bound of a mailbox on another node.
func TestClusterMailboxFull(t *testing.T) {
	inCluster(t, troupetest.Config{Kinds: remoteKinds}, func(t *testing.T, c *troupetest.Cluster, w *world) {
		ref := troupe.ID("small", 1)
		_, err := where(c.Node(0), ref)
		require.NoError(t, err)
		for range 20 {
			require.NoError(t, c.Node(0).Send(ref, "Sleep", 1000))
		}
		err = c.Node(0).Call(bg, ref, "Where", nil)
		require.ErrorIs(t, err, troupe.ErrMailboxFull)
		var ce *troupe.CallError
		require.ErrorAs(t, err, &ce)
		require.True(t, ce.SafeToRetry())
		time.Sleep(10 * time.Second)
		_, err = where(c.Node(0), ref)
		require.NoError(t, err)
	})
}

// TestClusterCycles: a call that comes back is refused, or handled beside the
// one that waits if the kind is reentrant, however many nodes lie between.
func TestClusterCycles(t *testing.T) {
	inCluster(t, troupetest.Config{Kinds: remoteKinds}, func(t *testing.T, c *troupetest.Cluster, w *world) {
		for _, ids := range [][]int64{{10, 11, 10}, {10, 11, 12, 10}, {10, 20, 11, 10}, {10, 11, 20, 21, 20}} {
			begin := time.Now()
			err := c.Node(0).Call(bg, troupe.ID("spread", ids[0]), "Relay", nil, ids[1:])
			require.ErrorIs(t, err, troupe.ErrCallCycle, "%v", ids)
			var got string
			require.NoError(t, c.Node(0).Call(bg, troupe.ID("again", ids[0]), "Relay", &got, ids[1:]), "%v", ids)
			require.Len(t, strings.Fields(got), len(ids))
			require.Less(t, time.Since(begin), time.Second)
		}
	})
}

// TestClusterNames: string keys travel.
func TestClusterNames(t *testing.T) {
	inCluster(t, troupetest.Config{Kinds: remoteKinds}, func(t *testing.T, c *troupetest.Cluster, w *world) {
		for _, key := range []string{"a", "Größe/1", strings.Repeat("k", 200)} {
			for i := range 3 {
				var got string
				require.NoError(t, c.Node(i).Call(bg, troupe.Name("remote", key), "Key2", &got))
				require.Equal(t, key, got)
			}
		}
	})
}

// TestClusterSingleton: one in the cluster, and again one after a crash.
func TestClusterSingleton(t *testing.T) {
	inCluster(t, troupetest.Config{Nodes: 4, Kinds: remoteKinds}, func(t *testing.T, c *troupetest.Cluster, w *world) {
		time.Sleep(5 * time.Second)
		at := map[string]bool{}
		victim := -1
		for i := range 4 {
			node, err := where(c.Node(i), troupe.ID("single", 0))
			require.NoError(t, err)
			at[node] = true
			for j := range 4 {
				if c.Name(j) == node {
					victim = j
				}
			}
		}
		require.Len(t, at, 1)
		c.Crash(victim)
		awayFor(t, c.Node((victim+1)%4), troupe.ID("single", 0), 3*ttl)
	})
}

// TestClusterFrameFaults: frames that are lost, doubled or out of order make
// calls fail, never hang or answer the wrong caller.
func TestClusterFrameFaults(t *testing.T) {
	for _, f := range []memory.Faults{{Drop: .05}, {Duplicate: .3}, {Reorder: .3}, {Drop: .02, Duplicate: .1, Reorder: .1}} {
		inCluster(t, troupetest.Config{Kinds: remoteKinds}, func(t *testing.T, c *troupetest.Cluster, w *world) {
			c.Network().SetAll(f)
			var wg sync.WaitGroup
			for caller := range 12 {
				wg.Go(func() {
					for i := range 40 {
						want := strings.Repeat("x", caller*100+i)
						ctx, cancel := context.WithTimeout(bg, time.Second)
						var got string
						err := c.Node(caller%3).Call(ctx, troupe.ID("spread", int64(10+i%7)), "Echo", &got, want)
						cancel()
						if err == nil && got != want {
							t.Errorf("asked for %d bytes, got %d", len(want), len(got))
						}
						if err != nil && f.Drop == 0 {
							t.Error(err)
						}
					}
				})
			}
			wg.Wait()
			c.Network().SetAll(memory.Faults{})
			_, err := where(c.Node(0), troupe.ID("spread", 11))
			require.NoError(t, err)
		})
	}
}
