// SPDX-License-Identifier: MIT

package troupe_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/transport"
	"github.com/troupe-go/troupe/troupetest"
)

// newer is a handler of a node that runs a newer program.
type newer struct{ remote }

// Added is not there in the older one.
func (*newer) Added(context.Context) error { return nil }

// changed is a handler whose argument has another type in the newer program.
type changed struct{ troupe.Actor }

// Set takes text here.
func (*changed) Set(context.Context, string) error { return nil }

type changedTo struct{ troupe.Actor }

// Set takes a number here.
func (*changedTo) Set(context.Context, int64) error { return nil }

// TestClusterOtherProgram: messages to a node that runs another version of the
// program, which does not know the kind, the method or the arguments, are
// refused with a reason.
func TestClusterOtherProgram(t *testing.T) {
	kinds := func(node int) []troupe.Kind {
		if node == 1 {
			return []troupe.Kind{
				troupe.Virtual[remote]("actor", onNode("n1")), troupe.Virtual[changedTo]("changed", onNode("n1")),
			}
		}
		return []troupe.Kind{
			troupe.Virtual[newer]("actor", onNode("n1")), troupe.Virtual[changed]("changed", onNode("n1")),
			troupe.Virtual[remote]("unknown", troupe.PlaceBy(byID)),
		}
	}
	inCluster(t, troupetest.Config{Kinds: kinds}, func(t *testing.T, c *troupetest.Cluster, w *world) {
		n := c.Node(0)
		at, err := where(n, troupe.ID("actor", 1))
		require.NoError(t, err)
		require.Equal(t, "n1", at)
		for _, test := range []struct {
			ref    troupe.Ref
			method string
			args   []any
			want   error
		}{
			{troupe.ID("actor", 1), "Added", nil, troupe.ErrUnknownMethod},
			{troupe.ID("changed", 1), "Set", []any{"not a number"}, troupe.ErrBadArguments},
		} {
			err := n.Call(bg, test.ref, test.method, nil, test.args...)
			require.ErrorIs(t, err, test.want)
			var ce *troupe.CallError
			require.ErrorAs(t, err, &ce)
			require.True(t, ce.SafeToRetry(), "it did not run: %v", err)
		}
		// A kind that a node does not know is not placed there.
		for id := range int64(20) {
			at, err := where(n, troupe.ID("unknown", id))
			require.NoError(t, err)
			require.NotEqual(t, "n1", at)
		}
		require.ErrorIs(t, c.Node(1).Call(bg, troupe.ID("unknown", 1), "Where", nil), troupe.ErrUnknownKind)
	})
}

// TestClusterLeastLoaded: new actors go to the node with the fewest, as far as
// the reports tell.
func TestClusterLeastLoaded(t *testing.T) {
	kinds := func(int) []troupe.Kind {
		return []troupe.Kind{
			troupe.Virtual[remote]("heavy", onNode("n0")),
			troupe.Virtual[remote]("light", troupe.PlaceBy(troupe.PlaceLeastLoaded)),
		}
	}
	inCluster(t, troupetest.Config{Kinds: kinds}, func(t *testing.T, c *troupetest.Cluster, w *world) {
		for id := range int64(60) {
			_, err := where(c.Node(1), troupe.ID("heavy", id))
			require.NoError(t, err)
		}
		time.Sleep(10 * time.Second) // the reports
		on := map[string]int{}
		for id := range int64(40) {
			at, err := where(c.Node(int(id%3)), troupe.ID("light", id))
			require.NoError(t, err)
			on[at]++
			if id%10 == 9 {
				time.Sleep(10 * time.Second)
			}
		}
		require.Zero(t, on["n0"], "the node with the most actors got more: %v", on)
		require.Positive(t, on["n1"])
		require.Positive(t, on["n2"])
	})
}

// TestClusterBackpressure: a node that is cut off takes a bounded number of
// messages from this one; the rest is refused, and what was accepted and did
// not get there is reported.
func TestClusterBackpressure(t *testing.T) {
	inCluster(t, troupetest.Config{Kinds: remoteKinds}, func(t *testing.T, c *troupetest.Cluster, w *world) {
		ref := troupe.ID("remote", 1)
		_, err := where(c.Node(0), ref)
		require.NoError(t, err)
		c.Network().CutBoth("n0", "n1")
		text := string(make([]byte, 512<<10))
		refused := error(nil)
		sent := 0
		for refused == nil && sent < 10_000 {
			if refused = c.Node(0).Send(ref, "Echo", text); refused == nil {
				sent++
			}
		}
		require.ErrorIs(t, refused, troupe.ErrBackpressure, "%d were sent", sent)
		require.Less(t, sent, 1000)
		c.Heal()
		time.Sleep(10 * time.Second)
		_, err = where(c.Node(0), ref)
		require.NoError(t, err)
	})
}

// TestClusterStopDuringStart: a node that is told to stop while it still waits
// for a cluster that is not there ends, in bounded time, with an error from
// Start.
func TestClusterStopDuringStart(t *testing.T) {
	inCluster(t, troupetest.Config{}, func(t *testing.T, c *troupetest.Cluster, w *world) {
		n, err := troupe.New(troupe.Config{Name: "late", Cluster: &troupe.ClusterConfig{
			Name: "test", Listen: "late", Dev: true, TTL: ttl, Join: []string{"n0"}, StartTimeout: time.Minute,
			Clock:     func() int64 { return time.Now().UnixNano() },
			Transport: func(tc transport.Config) transport.Config { return c.Network().Config("late", tc) },
		}})
		require.NoError(t, err)
		c.Network().CutBoth("late", "n0")
		ctx, cancel := context.WithCancel(bg)
		started := make(chan error, 1)
		go func() { started <- n.Start(ctx) }()
		time.Sleep(time.Second)
		begin := time.Now()
		cancel()
		require.Error(t, <-started)
		require.NoError(t, n.Stop(bg))
		require.Less(t, time.Since(begin), 10*time.Second)
		require.Len(t, c.Node(0).Members(), 3)
	})
}

// TestClusterForgets: a node that has talked to many actors elsewhere forgets
// them when it does not any more, and finds them again.
func TestClusterForgets(t *testing.T) {
	inCluster(t, troupetest.Config{}, func(t *testing.T, c *troupetest.Cluster, w *world) {
		there := int64(0)
		for id := range int64(60) {
			require.NoError(t, c.Node(0).Send(troupe.ID("notes", id), "Note", int64(1), int64(1)))
			at, err := where(c.Node(0), troupe.ID("notes", id))
			require.NoError(t, err)
			if at != "n0" {
				there++
			}
		}
		require.EqualValues(t, 60-there, c.Node(0).Active("notes"), "actors elsewhere are counted")
		cells := troupe.Cells(c.Node(0), "notes")
		require.EqualValues(t, 60, cells)
		time.Sleep(5 * time.Minute)
		require.EqualValues(t, 60-there, troupe.Cells(c.Node(0), "notes"))
		for id := range int64(60) {
			require.NoError(t, c.Node(0).Send(troupe.ID("notes", id), "Note", int64(1), int64(2)))
		}
		time.Sleep(time.Second)
		w.checkOrder(true)
	})
}
