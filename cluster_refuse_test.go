// SPDX-License-Identifier: MIT

package troupe_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/transport"
	"github.com/troupe-go/troupe/transport/certs"
	"github.com/troupe-go/troupe/transport/memory"
	"github.com/troupe-go/troupe/troupetest"
)

// single returns a node that is a cluster by itself.
func single(t *testing.T, net *memory.Network, name, cluster, dir string) *troupe.Node {
	t.Helper()
	begin := time.Now()
	n, err := troupe.New(troupe.Config{Name: name, Logger: slog.New(slog.DiscardHandler), Cluster: &troupe.ClusterConfig{
		Name: cluster, Listen: name, Voter: true, DataDir: dir, Dev: true, TTL: ttl, StartTimeout: 5 * time.Second,
		Bootstrap: []troupe.Server{{Name: name, Addr: name}},
		Clock:     func() int64 { return int64(time.Since(begin)) },
		Transport: func(tc transport.Config) transport.Config { return net.Config(name, tc) },
	}})
	require.NoError(t, err)
	return n
}

// TestClusterForeignDataDir: a data directory of another cluster, or of another
// node, or one that is in use, is refused at the start.
func TestClusterForeignDataDir(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, dir := memory.New(1), t.TempDir()
		n := single(t, net, "a", "one", dir)
		require.NoError(t, n.Start(bg))
		second := single(t, net, "b", "one", dir)
		err := second.Start(bg)
		require.ErrorContains(t, err, "locked")
		t.Log(err)
		require.NoError(t, n.Stop(bg))
		err = single(t, net, "a", "two", dir).Start(bg)
		require.ErrorContains(t, err, "cluster")
		t.Log(err)
		err = single(t, net, "b", "one", dir).Start(bg)
		require.Error(t, err)
		t.Log(err)
		again := single(t, net, "a", "one", dir)
		require.NoError(t, again.Start(bg))
		require.NoError(t, again.Stop(bg))
	})
}

// TestClusterTwins: two processes with one name. The second waits for the
// first's lease and gives up; the first goes on.
func TestClusterTwins(t *testing.T) {
	inCluster(t, troupetest.Config{Nodes: 4}, func(t *testing.T, c *troupetest.Cluster, w *world) {
		ref := ownedBy(t, c, 0, "n3", 1)[0]
		begin := time.Now()
		twin, err := troupe.New(troupe.Config{Name: "n3", Logger: slog.New(slog.DiscardHandler), Cluster: &troupe.ClusterConfig{
			Name: "test", Listen: "n3b", Dev: true, TTL: ttl, StartTimeout: 4 * ttl, Join: []string{"n0", "n1", "n2"},
			Clock:     func() int64 { return int64(time.Since(begin)) },
			Transport: func(tc transport.Config) transport.Config { return c.Network().Config("n3b", tc) },
		}})
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(bg, 4*ttl)
		defer cancel()
		require.Error(t, twin.Start(ctx))
		at, err := where(c.Node(0), ref)
		require.NoError(t, err)
		require.Equal(t, "n3", at)
		require.Len(t, c.Node(0).Members(), 4)
	})
}

// TestClusterTLS runs three nodes over TCP with certificates, and refuses a
// peer without one and one of another authority.
func TestClusterTLS(t *testing.T) {
	ca, err := certs.NewCA("secure", time.Hour)
	require.NoError(t, err)
	var servers []troupe.Server
	for i := range 3 {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		servers = append(servers, troupe.Server{Name: fmt.Sprintf("n%d", i), Addr: ln.Addr().String()})
		require.NoError(t, ln.Close())
	}
	var nodes []*troupe.Node
	errs := make(chan error, 3)
	for _, s := range servers {
		creds, err := ca.Credentials(s.Name, []string{"voter"}, time.Hour)
		require.NoError(t, err)
		n, err := troupe.New(troupe.Config{Name: s.Name, Logger: slog.New(slog.DiscardHandler), Cluster: &troupe.ClusterConfig{
			Name: "secure", Listen: s.Addr, Voter: true, Bootstrap: servers, Credentials: creds, TTL: 2 * time.Second,
		}})
		require.NoError(t, err)
		require.NoError(t, n.Register(troupe.Virtual[remote]("remote", onNode("n1"))))
		nodes = append(nodes, n)
		go func() { errs <- n.Start(bg) }()
	}
	for range nodes {
		require.NoError(t, <-errs)
	}
	defer func() {
		for _, n := range nodes {
			ctx, cancel := context.WithTimeout(bg, time.Second)
			_ = n.Stop(ctx)
			cancel()
		}
	}()
	require.Eventually(t, func() bool { return len(nodes[0].Members()) == len(nodes) }, 10*time.Second, 10*time.Millisecond)
	at, err := where(nodes[0], troupe.ID("remote", 1))
	require.NoError(t, err)
	require.Equal(t, "n1", at)

	plain, err := net.Dial("tcp", servers[0].Addr)
	require.NoError(t, err)
	_, _ = plain.Write(make([]byte, 100))
	_ = plain.SetReadDeadline(time.Now().Add(5 * time.Second))
	buf := make([]byte, 1000)
	for err == nil {
		_, err = plain.Read(buf)
	}
	require.NotErrorIs(t, err, context.DeadlineExceeded, "plaintext was not refused")
	_ = plain.Close()

	other, err := certs.NewCA("secure", time.Hour)
	require.NoError(t, err)
	pair, err := other.Pair("n9", nil, time.Hour)
	require.NoError(t, err)
	conn, err := tls.Dial("tcp", servers[0].Addr, &tls.Config{
		Certificates: []tls.Certificate{pair}, InsecureSkipVerify: true, MinVersion: tls.VersionTLS13,
	})
	if err == nil { // the refusal comes with the first read
		_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		_, err = conn.Read(buf)
		_ = conn.Close()
	}
	require.Error(t, err)
	require.NotErrorIs(t, err, context.DeadlineExceeded, "a foreign certificate was not refused")
}
