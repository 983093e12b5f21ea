// SPDX-License-Identifier: MIT

package troupe

import (
	"context"
	"errors"
	"time"

	"github.com/troupe-go/troupe/internal/metastore"
	"github.com/troupe-go/troupe/internal/metastore/core"
)

// claimQueue groups claims: while some are under way, others gather.
type claimQueue struct {
	cl *cluster
	in chan claimRequest
}

type claimRequest struct {
	cell    *cell
	session *metastore.Session
}

const (
	claimBatch    = 256
	claimInFlight = 4
)

func (q *claimQueue) init(cl *cluster) {
	q.cl, q.in = cl, make(chan claimRequest, 4096)
}

// add queues a claim; the outcome comes to the cell's claimed.
func (q *claimQueue) add(c *cell, s *metastore.Session) {
	select {
	case q.in <- claimRequest{c, s}:
	default:
		c.locateLater(ErrBackpressure)
	}
}

func (q *claimQueue) run() {
	slots := make(chan struct{}, claimInFlight)
	for {
		var batch []claimRequest
		select {
		case <-q.cl.ctx.Done():
			return
		case r := <-q.in:
			batch = append(batch, r)
		}
		slots <- struct{}{}
	gather:
		for len(batch) < claimBatch {
			select {
			case r := <-q.in:
				if r.session != batch[0].session {
					r.cell.pushSystem(func(c *cell) { c.claimed(r.session, metastore.Grant{Err: metastore.ErrSessionLost}) })
					continue
				}
				batch = append(batch, r)
			default:
				break gather
			}
		}
		q.cl.wg.Go(func() {
			q.claim(batch)
			<-slots
		})
	}
}

// claim asks for a batch and tells the cells.
func (q *claimQueue) claim(batch []claimRequest) {
	s := batch[0].session
	ctx, cancel := context.WithTimeout(q.cl.ctx, q.cl.node.cfg.CallTimeout)
	defer cancel()
	var ids []core.ID
	slots := map[string][]uint32{}
	for _, r := range batch {
		if r.cell.kind.class == classStub {
			slots[r.cell.kind.name] = append(slots[r.cell.kind.name], uint32(r.cell.id))
		} else {
			ids = append(ids, r.cell.coreID())
		}
	}
	grants := make(map[core.ID]metastore.Grant, len(batch))
	note := func(gs []metastore.Grant, asked []core.ID, err error) {
		for i, id := range asked {
			g := metastore.Grant{ID: id, Err: err}
			if err == nil {
				g = gs[i]
			}
			grants[id] = g
		}
	}
	if len(ids) > 0 {
		gs, err := s.Claim(ctx, ids...)
		note(gs, ids, err)
	}
	for kind, shards := range slots {
		asked := make([]core.ID, len(shards))
		for i, shard := range shards {
			asked[i] = core.ID{Kind: kind, Key: int64(shard)}
		}
		gs, err := s.ClaimSlots(ctx, kind, shards...)
		note(gs, asked, err)
	}
	for _, r := range batch {
		g := grants[r.cell.coreID()]
		r.cell.pushSystem(func(c *cell) { c.claimed(s, g) })
	}
}

// releaseQueue gives up the claims of passivated actors, in groups. The cell
// stays, waiting, until the outcome is known: otherwise the next message could
// claim the id again before the release takes that claim away.
type releaseQueue struct {
	cl *cluster
	in chan claimRequest
}

func (q *releaseQueue) init(cl *cluster) {
	q.cl, q.in = cl, make(chan claimRequest, 4096)
}

// add queues a release; released of the cell follows. It reports false when
// too many wait; the claim is then kept.
func (q *releaseQueue) add(c *cell, s *metastore.Session) bool {
	select {
	case q.in <- claimRequest{c, s}:
		return true
	default:
		return false
	}
}

func (q *releaseQueue) run() {
	for {
		var batch []claimRequest
		select {
		case <-q.cl.ctx.Done():
			return
		case r := <-q.in:
			batch = append(batch, r)
		}
		for more := true; more && len(batch) < claimBatch; {
			select {
			case r := <-q.in:
				batch = append(batch, r)
			default:
				more = false
			}
		}
		q.release(batch)
	}
}

func (q *releaseQueue) release(batch []claimRequest) {
	bySession := map[*metastore.Session][]core.IDEpoch{}
	for _, r := range batch {
		item := core.IDEpoch{ID: r.cell.coreID(), Epoch: r.cell.epoch.Load()}
		bySession[r.session] = append(bySession[r.session], item)
	}
	for s, items := range bySession {
		err := q.cl.untilKnown(s, func(ctx context.Context) error {
			_, err := s.Release(ctx, items...)
			return err
		})
		if err != nil && q.cl.ctx.Err() == nil {
			q.cl.log.Debug("troupe: release failed", "ids", len(items), "err", err)
		}
		for _, r := range batch {
			if r.session == s {
				r.cell.pushSystem(func(c *cell) { c.released() })
			}
		}
	}
}

// untilKnown repeats a request that gives ownership away until its outcome is
// known: an actor must not go on here while its claim may still leave. It ends
// with the session, which ends the doubt too.
func (cl *cluster) untilKnown(s *metastore.Session, request func(ctx context.Context) error) error {
	for {
		ctx, cancel := context.WithTimeout(cl.ctx, cl.node.cfg.CallTimeout)
		err := request(ctx)
		cancel()
		var refused *metastore.RefusedError
		if err == nil || errors.As(err, &refused) || errors.Is(err, metastore.ErrClosed) || cl.ctx.Err() != nil {
			return err
		}
		select {
		case <-s.Done():
			return err
		default:
			cl.sleep(10 * time.Millisecond)
		}
	}
}

// startRelease begins to leave: the instance is gone, the claim is still ours.
func (c *cell) startRelease() {
	x := c.extra()
	c.state, x.locating = stateWaiting, false
	if !c.kind.node.cluster.releases.add(c, x.session) {
		c.state = stateFresh // keep the claim: the next message uses it
		c.leave()
	}
}

// released is called when the claim was given up, or that is in doubt.
func (c *cell) released() {
	if c.state != stateWaiting || c.actor != nil {
		return
	}
	x := c.extra()
	x.session = nil
	c.where.Store(whereUnknown)
	c.state = stateFresh
	if len(x.again) > 0 {
		c.resume()
		return
	}
	c.leave()
}
