// SPDX-License-Identifier: MIT

package metastore

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sort"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/troupe-go/troupe/internal/metastore/core"
)

// tcpStream is a Stream on loopback.
type tcpStream struct{ net.Listener }

func (tcpStream) Dial(ctx context.Context, addr string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp", addr)
}

// localPeers calls other nodes of this process directly. It charges no network
// time; the benchmark measures log, disk and state machine.
type localPeers struct {
	mu    sync.Mutex
	nodes map[string]*Node
}

func (p *localPeers) Call(ctx context.Context, addr string, req []byte) ([]byte, error) {
	p.mu.Lock()
	n := p.nodes[addr]
	p.mu.Unlock()
	if n == nil {
		return nil, errCut
	}
	return n.Handle(ctx, Peer{}, req), nil
}

// diskCluster is three voters on TCP loopback with bolt on one disk.
func diskCluster(t testing.TB, dir string) []*Node {
	peers := &localPeers{nodes: map[string]*Node{}}
	b := &Bootstrap{Cluster: testCluster}
	var streams []tcpStream
	for i := range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		streams = append(streams, tcpStream{l})
		b.Servers = append(b.Servers, Server{fmt.Sprintf("n%d", i+1), l.Addr().String()})
	}
	var nodes []*Node
	for i, s := range b.Servers {
		n, err := Open(Config{
			ID: s.ID, Addr: s.Addr, Voter: true, Bootstrap: b, Stream: streams[i], Peers: peers,
			DataDir: filepath.Join(dir, s.ID),
		})
		require.NoError(t, err)
		peers.mu.Lock()
		peers.nodes[s.Addr] = n
		peers.mu.Unlock()
		nodes = append(nodes, n)
	}
	t.Cleanup(func() {
		for _, n := range nodes {
			_ = n.Close()
		}
	})
	for _, n := range nodes {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		require.NoError(t, n.WaitReady(ctx))
		cancel()
	}
	return nodes
}

// BenchmarkClaims measures cold activations on disk: 3 nodes in one process,
// one disk, callers spread over the nodes.
func BenchmarkClaims(b *testing.B) {
	for _, callers := range []int{1, 256} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			nodes := diskCluster(b, benchDir(b))
			var sessions []*Session
			for _, n := range nodes {
				s, err := n.OpenSession(b.Context(), core.Info{})
				require.NoError(b, err)
				sessions = append(sessions, s)
			}
			var next atomic.Int64
			lat := make([][]time.Duration, callers)
			var wg sync.WaitGroup
			b.ResetTimer()
			for c := range callers {
				wg.Go(func() {
					s := sessions[c%len(sessions)]
					for {
						k := next.Add(1)
						if k > int64(b.N) {
							return
						}
						start := time.Now()
						g, err := s.Claim(b.Context(), id(k))
						if err != nil || g[0].Err != nil {
							b.Error(err, g)
							return
						}
						lat[c] = append(lat[c], time.Since(start))
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			var all []time.Duration
			for _, l := range lat {
				all = append(all, l...)
			}
			sort.Slice(all, func(i, j int) bool { return all[i] < all[j] })
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "claims/s")
			b.ReportMetric(float64(all[len(all)/2].Microseconds()), "p50-us")
			b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "p99-us")
		})
	}
}

// benchDir is on the disk, not on a memory file system, if TROUPE_BENCH_DIR
// says where.
func benchDir(b *testing.B) string {
	dir, err := os.MkdirTemp(os.Getenv("TROUPE_BENCH_DIR"), "metastore") //nolint:usetesting // see above
	require.NoError(b, err)
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
