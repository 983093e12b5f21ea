// SPDX-License-Identifier: MIT

package metastore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/troupe-go/troupe/internal/metastore/core"
)

// Bounds of one log entry: large enough to amortise an fsync over hundreds of
// claims, small enough to keep replication smooth.
const (
	maxEntryBytes    = 60 << 10
	maxEntryCommands = 1024
)

// errNotLeader is the only failure, with an enqueue timeout, that proves that
// raft did not take the entry.
var errNotLeader = errors.New("metastore: not the leader")

// bundle is an encoded run of commands of one requester; their results go back
// together.
type bundle struct {
	cmds    []byte // framed commands, without the entry header
	count   int
	results []core.Result
	term    uint64
	err     error
	done    chan struct{}
}

// packer turns the bundles of all nodes into log entries: group commit. It has
// one entry in flight and packs everything that arrived meanwhile into the
// next, so an idle cluster answers at once and a busy one shares its fsyncs.
type packer struct {
	apply func(entry []byte) (applied, error)

	mu     sync.Mutex
	queue  []*bundle
	wake   chan struct{}
	closed bool
}

func newPacker(apply func([]byte) (applied, error)) *packer {
	return &packer{apply: apply, wake: make(chan struct{}, 1)}
}

// submit queues commands; wait on the bundle's done.
func (p *packer) submit(cmds []byte, count int) *bundle {
	b := &bundle{cmds: cmds, count: count, done: make(chan struct{})}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		b.err = ErrClosed
		close(b.done)
		return b
	}
	p.queue = append(p.queue, b)
	p.mu.Unlock()
	wakeUp(p.wake)
	return b
}

func wakeUp(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// propose is submit for commands of this node, and waits.
func (p *packer) propose(cmds ...core.Command) (*bundle, error) {
	var buf []byte
	for _, c := range cmds {
		buf = core.AppendCommand(buf, c)
	}
	b := p.submit(buf, len(cmds))
	<-b.done
	return b, b.err
}

func (p *packer) runPacker(ctx context.Context) {
	for {
		select {
		case <-p.wake:
		case <-ctx.Done():
			p.close()
			return
		}
		for {
			batch := p.take()
			if len(batch) == 0 {
				break
			}
			p.commit(batch)
		}
	}
}

// take removes the bundles of the next entry from the queue.
func (p *packer) take() []*bundle {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, size, count := 0, 0, 0
	for n < len(p.queue) {
		b := p.queue[n]
		if n > 0 && (size+len(b.cmds) > maxEntryBytes || count+b.count > maxEntryCommands) {
			break
		}
		size += len(b.cmds)
		count += b.count
		n++
	}
	batch := p.queue[:n:n]
	p.queue = p.queue[n:]
	return batch
}

func (p *packer) commit(batch []*bundle) {
	count, size := 0, 0
	for _, b := range batch {
		count += b.count
		size += len(b.cmds)
	}
	entry := core.AppendEntryHeader(make([]byte, 0, size+8), count)
	for _, b := range batch {
		entry = append(entry, b.cmds...)
	}
	res, err := p.apply(entry)
	if err == nil && len(res.results) != count {
		err = fmt.Errorf("%w: %d results for %d commands", ErrInDoubt, len(res.results), count)
	}
	for _, b := range batch {
		b.err, b.term = err, res.term
		if err == nil {
			b.results, res.results = res.results[:b.count:b.count], res.results[b.count:]
		}
		close(b.done)
	}
}

func (p *packer) close() {
	p.mu.Lock()
	queue := p.queue
	p.queue, p.closed = nil, true
	p.mu.Unlock()
	for _, b := range queue {
		b.err = ErrClosed
		close(b.done)
	}
}

// raftApply commits one entry and sorts out the errors: errNotLeader means
// that nothing happened, anything else is in doubt.
func raftApply(r *raft.Raft, entry []byte, timeout time.Duration) (applied, error) {
	f := r.Apply(entry, timeout)
	switch err := f.Error(); {
	case err == nil:
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrEnqueueTimeout),
		errors.Is(err, raft.ErrLeadershipTransferInProgress):
		return applied{}, fmt.Errorf("%w: %w", errNotLeader, err)
	default:
		return applied{}, fmt.Errorf("%w: %w", ErrInDoubt, err)
	}
	res, ok := f.Response().(applied)
	if !ok {
		return applied{}, fmt.Errorf("%w: no response", ErrInDoubt)
	}
	return res, res.err
}
