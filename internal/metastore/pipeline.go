// SPDX-License-Identifier: MIT

package metastore

import (
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// netTransport is raft's network transport with pipelines that always end.
//
// A pipeline of raft v1.7.3 has three goroutines in a row: one sends requests,
// one reads the responses, one takes them. When a response says no, or its
// connection broke, the last one leaves; the reader then waits for somebody to
// take the next response and the sender for the reader, for ever. The sender is
// the one that would close the pipeline. So that follower gets no more entries
// from a leader that keeps its lease by heartbeats, and Raft never shuts down.
type netTransport struct {
	*raft.NetworkTransport
	limit time.Duration // a request that waits longer is stuck

	mu   sync.Mutex
	open map[*pipeline]struct{} // nil once shut
}

func newNetTransport(c *raft.NetworkTransportConfig) *netTransport {
	return &netTransport{
		NetworkTransport: raft.NewNetworkTransportWithConfig(c),
		limit:            2 * c.Timeout, // to write, and to read the response before
		open:             make(map[*pipeline]struct{}),
	}
}

// AppendEntriesPipeline implements raft.Transport.
func (t *netTransport) AppendEntriesPipeline(id raft.ServerID, target raft.ServerAddress) (raft.AppendPipeline, error) {
	inner, err := t.NetworkTransport.AppendEntriesPipeline(id, target)
	if err != nil {
		return nil, err
	}
	p := &pipeline{AppendPipeline: inner, t: t}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open == nil {
		_ = inner.Close()
		return nil, raft.ErrTransportShutdown
	}
	t.open[p] = struct{}{}
	return p, nil
}

// shut ends all pipelines and refuses new ones.
func (t *netTransport) shut() {
	t.mu.Lock()
	open := t.open
	t.open = nil
	t.mu.Unlock()
	for p := range open {
		_ = p.AppendPipeline.Close()
	}
}

// pipeline ends itself when a request is stuck in it.
type pipeline struct {
	raft.AppendPipeline
	t *netTransport
}

// AppendEntries implements raft.AppendPipeline.
func (p *pipeline) AppendEntries(args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) (raft.AppendFuture, error) {
	stuck := time.AfterFunc(p.t.limit, func() { _ = p.AppendPipeline.Close() })
	defer stuck.Stop()
	return p.AppendPipeline.AppendEntries(args, resp)
}

// Close implements raft.AppendPipeline.
func (p *pipeline) Close() error {
	p.t.mu.Lock()
	delete(p.t.open, p)
	p.t.mu.Unlock()
	return p.AppendPipeline.Close()
}
