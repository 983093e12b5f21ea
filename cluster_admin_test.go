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

// votersFrom3 makes the nodes that are added voters too; dirs are their data
// directories.
func votersFrom3(dirs *[8]string) func(int, *troupe.Config) {
	return func(i int, cfg *troupe.Config) {
		cfg.Cluster.Voter = true
		dirs[i] = cfg.Cluster.DataDir
	}
}

func voterNames(n *troupe.Node) []string {
	var names []string
	for _, v := range n.Voters() {
		if v.Voting {
			names = append(names, v.Name)
		}
	}
	return names
}

// TestClusterReplaceVoter: a voter that crashed for good is removed and another
// one takes its place; then the cluster survives the loss of an old one.
func TestClusterReplaceVoter(t *testing.T) {
	var dirs [8]string
	inCluster(t, troupetest.Config{Disk: true, Node: votersFrom3(&dirs)}, func(t *testing.T, c *troupetest.Cluster, w *world) {
		lead := leader(t, c, 0)
		ask := (lead + 1) % 3 // not the leader: it must be found
		lost := (lead + 2) % 3
		c.Crash(lost)
		time.Sleep(2 * ttl)
		require.NoError(t, c.Node(ask).RemoveMember(bg, c.Name(lost)))
		require.NoError(t, c.Node(ask).RemoveMember(bg, c.Name(lost)), "it may be repeated")
		require.ElementsMatch(t, []string{c.Name(lead), c.Name(ask)}, voterNames(c.Node(lead)))

		added := c.Add()
		require.ElementsMatch(t, []string{c.Name(lead), c.Name(ask), c.Name(added)}, voterNames(c.Node(lead)))
		c.Crash(lead)
		time.Sleep(2 * ttl)
		for id := range int64(10) {
			_, err := where(c.Node(ask), troupe.ID("notes", id))
			require.NoError(t, err, "two of three voters are there")
		}
	})
}

// TestClusterRemoveRefused: a removal that could take the majority away, and
// one that makes no sense, change nothing.
func TestClusterRemoveRefused(t *testing.T) {
	inCluster(t, troupetest.Config{Nodes: 4}, func(t *testing.T, c *troupetest.Cluster, w *world) {
		lead := leader(t, c, 0)
		c.Crash((lead + 1) % 3)
		time.Sleep(2 * ttl)
		n := c.Node(lead)
		require.ErrorIs(t, n.RemoveMember(bg, c.Name((lead+2)%3)), troupe.ErrNoQuorum, "of the two that remain one runs")
		require.ErrorIs(t, n.RemoveMember(bg, n.Name()), troupe.ErrBadConfig, "itself")
		require.ErrorIs(t, c.Node(3).RemoveMember(bg, "n0"), troupe.ErrBadConfig, "it is no voter")
		require.NoError(t, n.RemoveMember(bg, "nobody"))
		require.Len(t, n.Voters(), 3)
		require.Nil(t, c.Node(3).Voters())

		c.Isolate(lead)
		time.Sleep(10 * ttl)
		ctx, cancel := context.WithTimeout(bg, 20*time.Second)
		defer cancel()
		require.ErrorIs(t, n.RemoveMember(ctx, c.Name((lead+1)%3)), troupe.ErrNoQuorum)
	})
}

// TestClusterRecover: two of three voters are lost for good. The last one goes
// on alone, under a new generation, and others join it under new names.
func TestClusterRecover(t *testing.T) {
	var dirs [8]string
	inCluster(t, troupetest.Config{Disk: true, Node: votersFrom3(&dirs)}, func(t *testing.T, c *troupetest.Cluster, w *world) {
		ref := troupe.ID("notes", 1)
		_, err := where(c.Node(0), ref)
		require.NoError(t, err)
		cfg := troupe.Config{Name: "n2", Cluster: &troupe.ClusterConfig{
			Name: "test", Listen: "n2", Voter: true, DataDir: dirs[2],
		}}
		_, err = troupe.Recover(cfg)
		require.Error(t, err, "it runs")
		for i := range 3 {
			c.Crash(i)
		}
		checkRecoverConfig(t, cfg)
		var ends [3]troupe.LogEnd
		for i, dir := range dirs[:3] {
			ends[i], err = troupe.ReadLogEnd(dir)
			require.NoError(t, err)
			require.Equal(t, c.Name(i), ends[i].Node)
			require.Positive(t, ends[i].Index)
		}
		require.False(t, ends[0].Less(ends[0]))
		generation, err := troupe.Recover(cfg)
		require.NoError(t, err)
		require.EqualValues(t, 2, generation, "a cluster's first is 1")

		time.Sleep(time.Minute)
		c.Restart(2)
		awayFor(t, c.Node(2), ref, 4*ttl)
		require.Equal(t, []string{"n2"}, voterNames(c.Node(2)))
		var fence uint64
		require.NoError(t, c.Node(2).Call(bg, ref, "Generation", &fence))
		require.Equal(t, generation, fence)
		require.Equal(t, 3, c.Add())
		require.Equal(t, 4, c.Add())
		require.ElementsMatch(t, []string{"n2", "n3", "n4"}, voterNames(c.Node(2)))
		c.WaitMembers(3)
		c.Crash(2)
		time.Sleep(2 * ttl)
		_, err = where(c.Node(3), ref)
		require.NoError(t, err, "it survives a loss again")
		require.NoError(t, c.Node(3).Call(bg, ref, "Generation", &fence))
		require.Equal(t, generation, fence)
	})
}

// checkRecoverConfig asserts what Recover refuses, without touching the
// directory.
func checkRecoverConfig(t *testing.T, good troupe.Config) {
	t.Helper()
	for _, test := range []struct {
		name   string
		change func(c *troupe.Config, cc *troupe.ClusterConfig)
	}{
		{"no cluster", func(c *troupe.Config, _ *troupe.ClusterConfig) { c.Cluster = nil }},
		{"no voter", func(_ *troupe.Config, cc *troupe.ClusterConfig) { cc.Voter = false }},
		{"no directory", func(_ *troupe.Config, cc *troupe.ClusterConfig) { cc.DataDir = "" }},
		{"empty directory", func(_ *troupe.Config, cc *troupe.ClusterConfig) { cc.DataDir = t.TempDir() }},
		{"address of no host", func(_ *troupe.Config, cc *troupe.ClusterConfig) { cc.Listen = ":7000" }},
		{"any port", func(_ *troupe.Config, cc *troupe.ClusterConfig) { cc.Listen = "host:0" }},
		{"another node", func(c *troupe.Config, _ *troupe.ClusterConfig) { c.Name = "n1" }},
		{"another cluster", func(_ *troupe.Config, cc *troupe.ClusterConfig) { cc.Name = "other" }},
	} {
		cfg, cc := good, *good.Cluster
		cfg.Cluster = &cc
		test.change(&cfg, &cc)
		_, err := troupe.Recover(cfg)
		require.ErrorIs(t, err, troupe.ErrBadConfig, test.name)
	}
	_, err := troupe.ReadLogEnd(t.TempDir())
	require.ErrorIs(t, err, troupe.ErrBadConfig)
}
