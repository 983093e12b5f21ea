// SPDX-License-Identifier: MIT

package troupe_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/troupetest"
)

// disabledOn3 has a stub that node 3 starts without, and one that no node has.
func disabledOn3(node int) []troupe.Kind {
	shard := []troupe.Option{troupe.Shards(16)}
	if node == 3 {
		shard = append(shard, troupe.Disabled())
	}
	return []troupe.Kind{
		troupe.Stub[notes]("shard", shard...),
		troupe.Stub[notes]("event", troupe.Shards(4), troupe.Disabled()),
		troupe.Stub[notes]("gm", troupe.Shards(4), troupe.Role("gm"), troupe.Disabled()),
		troupe.Virtual[notes]("notes"),
	}
}

// shardsOn counts the shards of a stub that live on a node.
func shardsOn(t *testing.T, c *troupetest.Cluster, from int, kind string, shards int, node string) int {
	t.Helper()
	count := 0
	for shard := range int64(shards) {
		at, err := where(c.Node(from), troupe.ID(kind, shard))
		require.NoError(t, err)
		if at == node {
			count++
		}
	}
	return count
}

// TestClusterEnable: a node that starts without a stub kind takes its share of
// the shards when it is told to, and no message is lost on their way.
func TestClusterEnable(t *testing.T) {
	inCluster(t, troupetest.Config{Nodes: 4, Kinds: disabledOn3}, func(t *testing.T, c *troupetest.Cluster, w *world) {
		time.Sleep(10 * time.Second)
		require.Zero(t, shardsOn(t, c, 3, "shard", 16, "n3"))
		_, err := where(c.Node(3), troupe.ID("event", 1))
		require.ErrorIs(t, err, troupe.ErrNoHost)

		var refs []troupe.Ref
		for shard := range int64(16) {
			refs = append(refs, troupe.ID("shard", shard))
		}
		l := startLoad(c, []int{0, 3}, refs, true)
		time.Sleep(time.Second)
		require.NoError(t, c.Node(3).Enable(bg, "shard"))
		require.NoError(t, c.Node(3).Enable(bg, "shard"), "it may be repeated")
		require.NoError(t, c.Node(3).Enable(bg, "event"))
		time.Sleep(20 * time.Second)
		requireNoErrors(t, l.end())
		time.Sleep(time.Second)
		w.checkOrder(true)
		l.checkAll(w)
		require.Equal(t, 4, shardsOn(t, c, 0, "shard", 16, "n3"), "its share")
		require.Equal(t, 4, shardsOn(t, c, 0, "event", 4, "n3"), "all of them")

		// It is the node's for good, also under its next session.
		c.Isolate(3)
		time.Sleep(3 * ttl)
		c.Heal()
		c.WaitMembers(4)
		time.Sleep(10 * time.Second)
		require.Equal(t, 4, shardsOn(t, c, 0, "shard", 16, "n3"))
		require.Equal(t, 4, shardsOn(t, c, 0, "event", 4, "n3"))
	})
}

// TestClusterEnableRefused: what cannot be enabled, with the reason.
func TestClusterEnableRefused(t *testing.T) {
	roles := func(node int) []string {
		if node == 0 {
			return []string{"gm"}
		}
		return nil
	}
	inCluster(t, troupetest.Config{Nodes: 4, Kinds: disabledOn3, Roles: roles}, func(t *testing.T, c *troupetest.Cluster, w *world) {
		n := c.Node(3)
		require.ErrorIs(t, n.Enable(bg, "nothing"), troupe.ErrUnknownKind)
		require.ErrorIs(t, n.Enable(bg, "notes"), troupe.ErrBadConfig)
		require.ErrorIs(t, n.Enable(bg, "gm"), troupe.ErrBadConfig, "another role's")
		require.NoError(t, c.Node(0).Enable(bg, "gm"))
		time.Sleep(time.Second) // until the others have heard
		require.Equal(t, 4, shardsOn(t, c, 3, "gm", 4, "n0"))

		// Alone it cannot tell the cluster, and stays without.
		c.Isolate(3)
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		require.ErrorIs(t, n.Enable(ctx, "event"), troupe.ErrNoQuorum)
		c.Heal()
		c.WaitMembers(4)
		time.Sleep(10 * time.Second)
		for _, m := range c.Node(0).Members() {
			require.NotContains(t, m.Kinds, "event", m.Name)
		}
		require.NoError(t, n.Enable(bg, "event"))
		time.Sleep(time.Second)
		require.Equal(t, 4, shardsOn(t, c, 0, "event", 4, "n3"))
		require.NoError(t, n.Stop(bg))
		require.ErrorIs(t, n.Enable(bg, "event"), troupe.ErrStopped)
	})
}

// TestEnableAlone: a node without a cluster hosts everything anyway.
func TestEnableAlone(t *testing.T) {
	n, err := troupe.New(troupe.Config{})
	require.NoError(t, err)
	troupe.Provide(n, &world{t: t, kv: map[string]int64{}})
	require.NoError(t, n.Register(disabledOn3(3)...))
	require.ErrorIs(t, n.Enable(bg, "event"), troupe.ErrStopped)
	require.NoError(t, n.Start(bg))
	defer func() { require.NoError(t, n.Stop(bg)) }()
	require.NoError(t, n.Enable(bg, "event"))
	_, err = where(n, troupe.ID("event", 1))
	require.NoError(t, err)
	require.ErrorIs(t, n.Register(troupe.Virtual[notes]("v", troupe.Disabled())), troupe.ErrStarted)
}
