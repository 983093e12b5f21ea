// SPDX-License-Identifier: MIT

package metastore

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"
)

// stuckPipeline returns a pipeline to a peer that takes requests and never
// answers, with nobody who takes responses: as it is when the goroutine of raft
// that does has left.
func stuckPipeline(t *testing.T) (*netTransport, raft.AppendPipeline) {
	t.Helper()
	m := newMemNet()
	here, there := m.stream("n1"), m.stream("n2")
	taken := make(chan struct{})
	go func() {
		defer close(taken)
		conn, err := there.Accept()
		if err != nil {
			return
		}
		buf := make([]byte, 1<<10)
		for err == nil {
			_, err = conn.Read(buf)
		}
		_ = conn.Close()
	}()
	trans := newNetTransport(&raft.NetworkTransportConfig{
		Stream: dialOnly{here}, MaxPool: 1, Timeout: time.Second, Logger: hclog.NewNullLogger(),
	})
	t.Cleanup(func() {
		trans.shut()
		_ = trans.Close()
		_ = there.Close()
		<-taken
	})
	p, err := trans.AppendEntriesPipeline("n2", "n2")
	require.NoError(t, err)
	return trans, p
}

type dialOnly struct{ *memListener }

func (d dialOnly) Dial(addr raft.ServerAddress, _ time.Duration) (net.Conn, error) {
	return d.memListener.Dial(context.Background(), string(addr))
}

// fill sends until a request fails, and returns how long that took.
func fill(p raft.AppendPipeline) time.Duration {
	begin := time.Now()
	for range 10 {
		if _, err := p.AppendEntries(&raft.AppendEntriesRequest{}, &raft.AppendEntriesResponse{}); err != nil {
			break
		}
	}
	return time.Since(begin)
}

// TestPipelineStuck: a request that nobody will ever read the response of fails
// in bounded time, and at once when the node closes.
func TestPipelineStuck(t *testing.T) {
	t.Run("by itself", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			_, p := stuckPipeline(t)
			require.LessOrEqual(t, fill(p), 5*time.Second)
			require.NoError(t, p.Close())
		})
	})
	t.Run("at the end", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			trans, p := stuckPipeline(t)
			time.AfterFunc(10*time.Millisecond, trans.shut)
			require.LessOrEqual(t, fill(p), 20*time.Millisecond)
			require.NoError(t, p.Close())
		})
	})
}
