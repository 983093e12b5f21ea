// SPDX-License-Identifier: MIT

package troupe

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/troupe-go/troupe/internal/metastore"
)

// IDSource mints snowflake ids that are unique in the whole cluster: the worker
// number is leased from the metadata store. Its methods may be called by any
// goroutine and cost no more than those of Snowflakes.
type IDSource struct {
	current atomic.Pointer[Snowflakes]
}

// Next returns a new id. While the node is cut off from the cluster it goes on
// for up to idWindow and then fails with ErrWorkerLeaseExpired until the node
// is back; see Snowflakes.Next for the other errors.
func (s *IDSource) Next() (int64, error) { return s.current.Load().Next() }

// NextN fills dst with new ids.
func (s *IDSource) NextN(dst []int64) error { return s.current.Load().NextN(dst) }

// Decompose splits an id.
func (s *IDSource) Decompose(id int64) (SnowflakeParts, bool) { return s.current.Load().Decompose(id) }

// idWindow is how far ahead of the clock ids may be minted before the mark in
// the metadata store is raised: one commit per half of it.
const idWindow = 10 * time.Second

// NewIDSource leases a worker number in the pool of that name and returns a
// source of ids. cfg.Worker, After and Until are set by the lease; all nodes
// must use the same Origin and bit split for one pool. On a node by itself
// cfg.Worker is used as it is. The source ends with the node.
func (n *Node) NewIDSource(ctx context.Context, pool string, cfg SnowflakeConfig) (*IDSource, error) {
	if err := n.admit(false); err != nil {
		return nil, fmt.Errorf("ids %q: %w", pool, err)
	}
	source := &IDSource{}
	if n.cluster == nil {
		g, err := NewSnowflakes(cfg)
		if err != nil {
			return nil, err
		}
		source.current.Store(g)
		return source, nil
	}
	l := &idLease{cl: n.cluster, pool: pool, cfg: cfg, source: source}
	if err := l.acquire(ctx); err != nil {
		return nil, fmt.Errorf("ids %q: %w", pool, err)
	}
	n.cluster.spawn(l.run)
	return source, nil
}

// idLease keeps the worker number of an IDSource.
type idLease struct {
	cl      *cluster
	pool    string
	cfg     SnowflakeConfig
	source  *IDSource
	session *metastore.Session
	worker  metastore.Worker
}

// acquire leases a number and mints above its mark.
func (l *idLease) acquire(ctx context.Context) error {
	probe, err := NewSnowflakes(l.cfg)
	if err != nil {
		return err
	}
	s := l.cl.session.Load()
	w, err := s.AcquireWorker(ctx, l.pool, uint32(1)<<min(probe.workerBits, 16))
	if err != nil {
		return metaError(err)
	}
	after := time.UnixMilli(w.Mark)
	until := l.ahead(after)
	if w, err = s.MarkWorker(ctx, w, until.UnixMilli(), false); err != nil {
		return metaError(err)
	}
	cfg := l.cfg
	cfg.Worker, cfg.Until = int64(w.Number), until
	if w.Mark != 0 {
		cfg.After = after
	}
	g, err := NewSnowflakes(cfg)
	if err != nil {
		return err
	}
	l.session, l.worker = s, w
	l.source.current.Store(g)
	return nil
}

// ahead is the mark to set now, never below the present one.
func (l *idLease) ahead(mark time.Time) time.Time {
	now := time.Now()
	if l.cfg.Clock != nil {
		now = l.cfg.Clock()
	}
	if mark.After(now) {
		now = mark
	}
	return now.Add(idWindow)
}

// run raises the mark before it is reached, and leases another number when the
// session was lost.
func (l *idLease) run() {
	ticker := time.NewTicker(idWindow / 4)
	defer ticker.Stop()
	for {
		select {
		case <-l.cl.ctx.Done():
			return
		case <-ticker.C:
		}
		ctx, cancel := context.WithTimeout(l.cl.ctx, l.cl.node.cfg.CallTimeout)
		if err := l.renew(ctx); err != nil {
			l.cl.log.Debug("troupe: worker number not renewed", "pool", l.pool, "err", err)
		}
		cancel()
	}
}

func (l *idLease) renew(ctx context.Context) error {
	if l.session != l.cl.session.Load() {
		return l.acquire(ctx)
	}
	until := l.ahead(time.Time{})
	w, err := l.session.MarkWorker(ctx, l.worker, until.UnixMilli(), false)
	if err != nil {
		return metaError(err)
	}
	l.worker = w
	l.source.current.Load().Extend(until)
	return nil
}
