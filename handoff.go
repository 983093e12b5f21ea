// SPDX-License-Identifier: MIT

package troupe

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/troupe-go/troupe/internal/metastore"
	"github.com/troupe-go/troupe/internal/metastore/core"
)

// handOff moves ids to other nodes while messages keep coming:
//
//	active ─> (finish the mailbox) ─> deactivate, which flushes ─> waiting
//	   ─> transfer committed ─> remote: what has arrived meanwhile is forwarded
//
// H1: the claim moves only after the instance is gone and its documents are
// durable. H2: messages that arrive during the transfer wait in the cell and
// are forwarded in order.
type handOff struct {
	cl   *cluster
	wait sync.WaitGroup // one per cell, until it is transferred or given up

	mu    sync.Mutex
	ready map[uint64][]*cell // by target session
	ended bool
	wake  chan struct{}
}

// transferBatch is how many ids one log entry moves.
const transferBatch = 256

func newHandOff(cl *cluster) *handOff {
	return &handOff{cl: cl, ready: make(map[uint64][]*cell), wake: make(chan struct{}, 1)}
}

// add asks a cell that is owned here to move to the session target.
func (h *handOff) add(c *cell, target uint64) {
	h.wait.Add(1)
	ok := target != 0 && c.pushSystem(func(c *cell) { c.beginHandOff(h, target) })
	if !ok {
		h.wait.Done()
	}
}

// beginHandOff runs on the turn.
func (c *cell) beginHandOff(h *handOff, target uint64) {
	x := c.extra()
	if !c.owned() || x.moving != nil || c.state != stateActive && c.state != stateFresh {
		h.wait.Done()
		return
	}
	// A busy mailbox may never run empty: what is queued now is handled here,
	// the rest is forwarded.
	x.moving = &move{h: h, target: target, left: c.depth()}
}

// move is a hand-off under way.
type move struct {
	h      *handOff
	target uint64
	left   int // messages still to be handled here
}

// finishMove is called between messages while x.moving is set. It reports
// whether the cell has stopped being active here.
func (c *cell) finishMove(empty bool) bool {
	x := c.extra()
	m := x.moving
	if !empty {
		if m.left--; m.left >= 0 {
			return false
		}
	}
	if x.pending > 0 && c.state == stateActive {
		return false // off-turn work wants to come back to this instance
	}
	if !c.owned() || c.leaseOver() {
		c.endMove()
		return false // run finds out
	}
	x.moving = nil
	if c.state == stateActive {
		if err := c.runDeactivate(); err != nil {
			c.kind.node.log.Warn("troupe: actor stays, it could not be deactivated", "actor", c.ref(), "err", err)
			m.h.wait.Done()
			return false
		}
		c.dropInstance()
		c.kind.count(CountDeactivations, 1)
		if c.kind.tracked() {
			c.kind.lru.remove(c)
		}
	}
	c.state, x.locating = stateWaiting, false
	m.h.arrive(c, m.target)
	return true
}

// endMove gives a hand-off up.
func (c *cell) endMove() {
	if x := c.ext.Load(); x != nil && x.moving != nil {
		x.moving.h.wait.Done()
		x.moving = nil
	}
}

// arrive queues a cell whose instance is gone for the transfer.
func (h *handOff) arrive(c *cell, target uint64) {
	h.mu.Lock()
	ended := h.ended
	if !ended {
		h.ready[target] = append(h.ready[target], c)
	}
	h.mu.Unlock()
	if ended {
		h.giveBack(target, c)
		return
	}
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// giveBack ends the hand-off of a cell that was not transferred.
func (h *handOff) giveBack(target uint64, c *cell) {
	c.pushSystem(func(c *cell) { c.moved(target, metastore.Grant{Err: metastore.ErrClosed}) })
	h.wait.Done()
}

// end gives back what was not transferred.
func (h *handOff) end() {
	h.mu.Lock()
	left := h.ready
	h.ready, h.ended = nil, true
	h.mu.Unlock()
	for target, cells := range left {
		for _, c := range cells {
			h.giveBack(target, c)
		}
	}
}

// run transfers what arrives, in groups, until ctx ends.
func (h *handOff) run(ctx context.Context) {
	defer h.end()
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.wake:
		}
		for {
			target, cells := h.take()
			if len(cells) == 0 {
				break
			}
			h.transfer(target, cells)
		}
	}
}

func (h *handOff) take() (uint64, []*cell) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for target, cells := range h.ready {
		n := min(len(cells), transferBatch)
		batch := cells[:n:n]
		if n == len(cells) {
			delete(h.ready, target)
		} else {
			h.ready[target] = cells[n:]
		}
		return target, batch
	}
	return 0, nil
}

// transfer moves the claims of cells to another session.
func (h *handOff) transfer(target uint64, cells []*cell) {
	s := h.cl.session.Load()
	grants := make(map[*cell]metastore.Grant, len(cells))
	var items []core.IDEpoch
	var movable []*cell
	for _, c := range cells {
		if c.kind.class == classStub {
			g := metastore.Grant{}
			g.Err = h.cl.untilKnown(s, func(ctx context.Context) (err error) {
				g.Epoch, err = s.MoveSlot(ctx, c.kind.name, uint32(c.id), c.epoch.Load(), target)
				return err
			})
			grants[c] = g
			continue
		}
		items = append(items, core.IDEpoch{ID: c.coreID(), Epoch: c.epoch.Load()})
		movable = append(movable, c)
	}
	if len(items) > 0 {
		var gs []metastore.Grant
		err := h.cl.untilKnown(s, func(ctx context.Context) (err error) {
			gs, err = s.Transfer(ctx, target, items...)
			return err
		})
		for i, c := range movable {
			g := metastore.Grant{Err: err}
			if err == nil {
				g = gs[i]
			}
			grants[c] = g
		}
	}
	for _, c := range cells {
		g := grants[c]
		c.pushSystem(func(c *cell) { c.moved(target, g) })
		h.wait.Done()
	}
}

// moved is called on the turn with the outcome of the transfer.
func (c *cell) moved(target uint64, g metastore.Grant) {
	if c.state != stateWaiting || c.actor != nil {
		return
	}
	x := c.extra()
	x.session = nil
	c.where.Store(whereUnknown)
	if g.Err != nil {
		// Refused or in doubt: the directory knows, or will know.
		c.locateLater(metaError(g.Err))
		return
	}
	s, ok := c.kind.node.cluster.meta.SessionByEpoch(target)
	if !ok {
		c.locateLater(ErrUnreachable)
		return
	}
	c.goRemote(core.Owner{Node: s.Node, Session: target, Epoch: g.Epoch})
}

// drainPause lies between two rounds of asking what is left.
const drainPause = 5 * time.Millisecond

// drain hands everything over before the node stops. It returns when nothing is
// owned here any more, or with ctx.
func (cl *cluster) drain(ctx context.Context) error {
	cl.draining.Store(true)
	s := cl.session.Load()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cl.spawn(func() {
		select {
		case <-s.Done(): // nothing is owned any more
			cancel()
		case <-ctx.Done():
		}
	})
	if err := s.Drain(ctx); err != nil {
		return fmt.Errorf("drain: %w", metaError(err))
	}
	h := newHandOff(cl)
	run, stop := context.WithCancel(cl.ctx)
	defer stop()
	cl.wg.Go(func() { h.run(run) })
	for ctx.Err() == nil {
		left := cl.moveAll(h)
		if left == 0 {
			return nil
		}
		if !waitGroup(ctx, &h.wait) {
			break
		}
		cl.sleep(drainPause) // some may be busy otherwise, or not want to go
	}
	return fmt.Errorf("drain: %w", ctx.Err())
}

// moveAll asks every owned cell to move, and returns how many there are. With
// nobody to move to there are none: their claims end with the session.
func (cl *cluster) moveAll(h *handOff) int {
	v := cl.view.Load()
	count := 0
	for _, k := range cl.node.sortedKinds() {
		if !k.clustered {
			continue
		}
		hosts := make([]Host, 0, len(v.hosts[k.name]))
		for _, host := range v.hosts[k.name] {
			if host.Node != cl.node.name {
				hosts = append(hosts, host)
			}
		}
		if len(hosts) == 0 {
			continue
		}
		k.registry.each(func(c *cell) {
			if c.where.Load() == whereHere {
				count++
				h.add(c, v.session[hosts[cl.choose(c, hosts, -1)].Node])
			}
		})
	}
	return count
}

func waitGroup(ctx context.Context, wg *sync.WaitGroup) bool {
	done := make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}

// runShards keeps the shards of the stubs this node hosts where the proposal
// wants them: it claims those that nobody owns and moves its own, one at a
// time, when the members changed.
func (cl *cluster) runShards() {
	h := newHandOff(cl)
	cl.wg.Go(func() { h.run(cl.ctx) })
	ticker := time.NewTicker(shardPeriod)
	defer ticker.Stop()
	for {
		if !cl.draining.Load() {
			for _, k := range cl.node.sortedKinds() {
				if k.class == classStub && k.hosted.Load() {
					cl.placeShards(k, h)
				}
			}
		}
		select {
		case <-cl.ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// shardPeriod is how often stubs are looked at: a shard of a dead node waits
// this long for its next owner at most, if no message asks for it earlier.
const shardPeriod = 250 * time.Millisecond

func (cl *cluster) placeShards(k *kind, h *handOff) {
	v := cl.view.Load()
	hosts := v.hosts[k.name]
	self := -1
	for i, host := range hosts {
		if host.Node == cl.node.name {
			self = i
		}
	}
	if self < 0 {
		return
	}
	own := cl.session.Load()
	for shard, want := range cl.propose(k, hosts) {
		owner, owned := cl.meta.LookupSlot(k.name, uint32(shard))
		switch {
		case !owned && want == self:
			if c, err := k.resolve(ID(k.name, int64(shard))); err == nil {
				c.pushSystem((*cell).wakeShard)
			}
		case owned && owner.Session == own.Epoch():
			c, err := k.resolve(ID(k.name, int64(shard)))
			switch {
			case err != nil:
			case c.where.Load() != whereHere:
				c.pushSystem((*cell).wakeShard) // it was transferred to us
			case want != self:
				h.add(c, v.session[hosts[want].Node])
				if !waitGroup(cl.ctx, &h.wait) {
					return
				}
			}
		}
	}
}

// wakeShard makes an idle shard look for its owner, which is this node.
func (c *cell) wakeShard() {
	switch c.state {
	case stateFresh:
		if c.owned() {
			c.restart()
		} else {
			c.locate()
		}
	case stateRemote:
		if owner, ok := c.lookup(); !ok || owner.Session != c.extra().remote.Session {
			c.follow()
		}
	}
}

// runRebalance moves virtual actors, a few at a time, to the node that their
// placement prefers after the members changed, and reports this node's load.
func (cl *cluster) runRebalance() {
	h := newHandOff(cl)
	cl.wg.Go(func() { h.run(cl.ctx) })
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	reported := int64(-1)
	for tick := 0; ; tick++ {
		select {
		case <-cl.ctx.Done():
			return
		case <-ticker.C:
		}
		if cl.draining.Load() {
			continue
		}
		if cl.cfg.RebalanceRate > 0 {
			cl.rebalance(h, cl.cfg.RebalanceRate)
		}
		if tick%loadEvery == 0 {
			if cl.untold.Swap(false) {
				reported = -1
			}
			reported = cl.reportLoad(reported)
		}
	}
}

// loadEvery is how many seconds lie between load reports, which are only sent
// when the load has changed by a tenth.
const loadEvery = 3

func (cl *cluster) load() int64 {
	var n int64
	for _, k := range cl.node.sortedKinds() {
		if k.class == classVirtual {
			n += k.counts[CountActivations].Load() - k.counts[CountDeactivations].Load()
		}
	}
	return n
}

func (cl *cluster) reportLoad(reported int64) int64 {
	load := cl.load()
	if diff := max(load-reported, reported-load); reported >= 0 && diff*10 <= reported {
		return reported
	}
	ctx, cancel := context.WithTimeout(cl.ctx, time.Second)
	defer cancel()
	cl.telling <- struct{}{} // it waits for the network, so this is no mutex
	defer func() { <-cl.telling }()
	if err := cl.session.Load().Update(ctx, cl.info()); err != nil {
		cl.untold.Store(true)
		return reported
	}
	return load
}

// rebalance moves up to limit actors of kinds placed by hash whose preferred
// host is another node.
func (cl *cluster) rebalance(h *handOff, limit int) {
	v := cl.view.Load()
	for _, k := range cl.node.sortedKinds() {
		hosts := v.hosts[k.name]
		if k.class != classVirtual || k.placement != nil || len(hosts) < 2 {
			continue
		}
		k.registry.each(func(c *cell) {
			if limit <= 0 || c.where.Load() != whereHere {
				return
			}
			target := hosts[PlaceHash(c.ref(), hosts, -1)]
			if target.Node != cl.node.name {
				limit--
				h.add(c, v.session[target.Node])
			}
		})
	}
	waitGroup(cl.ctx, &h.wait)
}
