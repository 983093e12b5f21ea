// SPDX-License-Identifier: MIT

package troupe_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/troupetest"
)

func someRefs(n int) []troupe.Ref {
	var refs []troupe.Ref
	for i := range n {
		refs = append(refs, troupe.ID("notes", int64(i+1)))
	}
	return refs
}

func requireNoErrors(t *testing.T, errs []error) {
	t.Helper()
	for i, err := range errs {
		if i == 10 {
			break
		}
		t.Error(err)
	}
	if len(errs) > 0 {
		t.Fatalf("%d errors", len(errs))
	}
}

// TestClusterStopUnderLoad stops nodes gracefully while the others send: every
// message runs once, in order, and no call fails.
func TestClusterStopUnderLoad(t *testing.T) {
	inCluster(t, troupetest.Config{Nodes: 4}, func(t *testing.T, c *troupetest.Cluster, w *world) {
		l := startLoad(c, []int{0, 1, 2}, someRefs(12), true)
		time.Sleep(300 * time.Millisecond)
		c.Stop(3)
		time.Sleep(300 * time.Millisecond)
		requireNoErrors(t, l.end())
		time.Sleep(time.Second)
		w.checkOrder(true)
		l.checkAll(w)
		for _, r := range w.snapshot()[max(0, w.count()-36):] {
			require.NotEqual(t, "n3", r.node)
		}
	})
}

// TestClusterJoinUnderLoad adds two nodes: actors move to them, nothing is lost.
func TestClusterJoinUnderLoad(t *testing.T) {
	inCluster(t, troupetest.Config{}, func(t *testing.T, c *troupetest.Cluster, w *world) {
		refs := someRefs(20)
		for shard := range 16 {
			refs = append(refs, troupe.ID("shard", int64(shard)))
		}
		time.Sleep(10 * time.Second) // the shards are where they belong
		l := startLoad(c, []int{0, 1, 2}, refs, true)
		time.Sleep(300 * time.Millisecond)
		moved := shardMoves(t, c, func() { c.Add() })
		require.LessOrEqual(t, moved, 16/4*5/4+1)
		require.Positive(t, moved)
		moved = shardMoves(t, c, func() { c.Add() })
		require.LessOrEqual(t, moved, 16/5*5/4+2)
		require.Positive(t, moved)
		requireNoErrors(t, l.end())
		time.Sleep(time.Second)
		w.checkOrder(true)
		l.checkAll(w)
		on := map[string]int{}
		for _, ref := range refs[:20] {
			at, err := where(c.Node(0), ref)
			require.NoError(t, err)
			on[at]++
		}
		require.Greater(t, on["n3"]+on["n4"], 2, "nothing moved to the new nodes: %v", on)
	})
}

// shardMoves counts the shards that change their node because of f.
func shardMoves(t *testing.T, c *troupetest.Cluster, f func()) int {
	t.Helper()
	before := shardNodes(t, c, 0)
	f()
	time.Sleep(10 * time.Second)
	after := shardNodes(t, c, 1)
	moves := 0
	for i := range before {
		if before[i] != after[i] {
			moves++
		}
	}
	return moves
}

func shardNodes(t *testing.T, c *troupetest.Cluster, from int) [16]string {
	t.Helper()
	var at [16]string
	for shard := range at {
		var err error
		at[shard], err = where(c.Node(from), troupe.ID("shard", int64(shard)))
		require.NoError(t, err)
	}
	return at
}

// TestClusterRollingRestart restarts all nodes one by one under load from the
// ones that run.
func TestClusterRollingRestart(t *testing.T) {
	inCluster(t, troupetest.Config{Nodes: 4, Disk: true}, func(t *testing.T, c *troupetest.Cluster, w *world) {
		l := startLoad(c, []int{3}, someRefs(15), true)
		time.Sleep(200 * time.Millisecond)
		for i := range 3 {
			c.Stop(i)
			time.Sleep(200 * time.Millisecond)
			c.Restart(i)
			c.WaitMembers(4)
			time.Sleep(time.Second)
		}
		requireNoErrors(t, l.end())
		time.Sleep(time.Second)
		w.checkOrder(true)
		l.checkAll(w)
		// The state went from hand to hand.
		var n int64
		require.NoError(t, c.Node(0).Call(bg, troupe.ID("notes", 1), "Count", &n))
		require.Equal(t, l.sent[4001], n)
	})
}
