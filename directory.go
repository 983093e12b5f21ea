// SPDX-License-Identifier: MIT

package troupe

import (
	"errors"
	"time"

	"github.com/troupe-go/troupe/internal/metastore"
	"github.com/troupe-go/troupe/internal/metastore/core"
)

// In a cluster a cell exists on every node that has something to say to its id,
// whoever owns it. It is where the messages of this node wait, in order, while
// the owner is looked up, claimed, or changes:
//
//	           locate                      claim granted
//	fresh ────────────> waiting ──────────────────────────> fresh, owned ─> active
//	  ^                    │ owned elsewhere                     │
//	  │                    v                                     │ hand-off,
//	  └── owner gone ── remote <──────────────────────────────── ┘ lease lost
//
// D1: only the owner of a live session activates. D2: a message is in one
// cell's mailbox, or sent, never both. D3: when the owner of a remote cell
// changes while the old one lives, the cell waits until what it sent the old
// way has arrived (flush).

// owned reports whether this node owns the id under its present session.
func (c *cell) owned() bool {
	x := c.ext.Load()
	return x != nil && x.session != nil && x.session == c.kind.node.cluster.session.Load()
}

// coreID is the id in the metadata store.
func (c *cell) coreID() core.ID { return core.ID{Kind: c.kind.name, Key: c.id, Name: c.name()} }

// lookup reads this node's copy of the directory.
func (c *cell) lookup() (core.Owner, bool) {
	meta := c.kind.node.cluster.meta
	if c.kind.class == classStub {
		return meta.LookupSlot(c.kind.name, uint32(c.id))
	}
	return meta.LookupClaim(c.coreID())
}

// ready prepares a cell in a cluster for the message in t.env. It reports false
// when the message was forwarded, put aside or refused.
func (c *cell) ready(t *turn) bool {
	if m := t.env.meta; m != nil {
		if err := c.late(m); err != nil {
			c.discard(&t.env, CountDropStale, err)
			return false
		}
	}
	switch c.state {
	case stateActive:
		if x := c.ext.Load(); x.session.Live() {
			return c.checkEpoch(t)
		}
		return c.passGate(t) && c.checkEpoch(t)
	case stateRemote:
		if m := t.env.meta; m != nil && m.toEpoch > c.extra().remote.Epoch {
			// Its sender knows of a later owner, maybe of us. Back to the one
			// that is known here the message would go round, and what comes
			// behind it could overtake it.
			if owner, ok := c.lookup(); ok && m.toEpoch > owner.Epoch {
				c.setAside(t)
				c.where.Store(whereUnknown)
				c.locateLater(ErrNotOwner)
				return false
			}
		}
		if err := c.forward(&t.env, Ref{}, 0); err != nil {
			c.discard(&t.env, CountDropUnreachable, err)
		}
		return false
	case stateWaiting:
		c.setAside(t)
		return false
	}
	if !c.owned() {
		c.setAside(t)
		c.locate()
		return false
	}
	return c.passGate(t) && c.activate(t)
}

// late says why a message that was held up while this node lost a session is
// not to be handled, if so.
//
// From another node, and for an activation under that session: its sender may
// have sent newer messages to the next owner. A call is answered "moved". From
// an actor that was active here under that session: its successor may have
// spoken (I2).
func (c *cell) late(m *meta) error {
	cl := c.kind.node.cluster
	if m.hops > 0 {
		if m.toEpoch != 0 && m.toEpoch < cl.session.Load().Epoch() {
			return ErrStopped
		}
		return nil
	}
	if m.fromEpoch == 0 || m.fromEpoch > cl.session.Load().Epoch() {
		return nil
	}
	if k := cl.node.kindOf(m.from.Kind); k != nil && k.clustered {
		return cl.fences.pass(cl, k, m.from, m.fromEpoch, false)
	}
	return nil
}

// outlived reports whether c was activated under a session that is over.
func (c *cell) outlived() bool {
	return c != nil && c.kind.clustered && c.epoch.Load() < c.kind.node.cluster.session.Load().Epoch()
}

// setAside keeps the message in t.env to be handled first when the cell has
// stopped waiting.
func (c *cell) setAside(t *turn) {
	x := c.extra()
	x.again = append(x.again, t.env)
	t.env = envelope{}
}

// resume handles what was set aside. It is called on the turn, when the cell
// is not waiting any more.
func (c *cell) resume() {
	x := c.extra()
	again := x.again
	x.again = nil
	for i, e := range again {
		if c.state == stateWaiting {
			x.again = append(x.again, again[i:]...)
			return
		}
		c.redeliver(e)
	}
}

// passGate reports whether the lease allows the turn of the message in t.env.
// If not, the message waits for the gate to open, or for the next owner.
func (c *cell) passGate(t *turn) bool {
	x := c.extra()
	gate := x.session.Gate()
	if gate == core.GateLive {
		return true
	}
	c.setAside(t)
	if gate == core.GateHold {
		c.holdGate()
	} else {
		c.loseOwnership()
	}
	return false
}

func (c *cell) holdGate() {
	c.extra().gated = true
	c.state = stateWaiting
	c.kind.node.cluster.hold(c)
}

// unholdGate is called when the gate has opened, or fenced.
func (c *cell) unholdGate() {
	x := c.extra()
	if !x.gated {
		return
	}
	x.gated = false
	if c.state != stateWaiting {
		return
	}
	if c.state = stateFresh; c.actor != nil {
		c.state = stateActive
	}
	if x.session.Gate() == core.GateFenced {
		c.loseOwnership()
		return
	}
	opened := x.opened
	x.opened = nil
	for _, f := range opened {
		f(c)
	}
	c.resume()
}

// whenOpen runs f on the turn if the lease allows it, now or when the gate has
// opened, and not at all if the activation is lost before.
func (c *cell) whenOpen(f func(c *cell)) {
	if !c.kind.clustered || c.state != stateActive && c.state != stateWaiting {
		f(c)
		return
	}
	x := c.extra()
	switch {
	case x.gated:
		x.opened = append(x.opened, f)
	case c.state == stateWaiting || x.session.Live():
		f(c)
	case x.session.Gate() == core.GateFenced:
		c.loseOwnership()
	case x.session.Gate() == core.GateHold:
		x.opened = append(x.opened, f)
		c.holdGate()
	default:
		f(c)
	}
}

// leaseOver reports whether the lease under which the actor is active is over:
// it must not write anything any more.
func (c *cell) leaseOver() bool {
	if !c.kind.clustered {
		return false
	}
	s := c.extra().session
	return s == nil || s.Gate() == core.GateFenced
}

// loseOwnership drops the activation without a word: somebody else may own the
// id by now. What was not handled goes to the next owner.
func (c *cell) loseOwnership() {
	if c.state == stateGone {
		return
	}
	x := c.extra()
	if c.actor != nil {
		c.dropInstance()
		c.kind.count(CountDeactivations, 1)
		if c.kind.tracked() {
			c.kind.lru.remove(c)
		}
	}
	x.session = nil
	x.gated, x.opened = false, nil
	c.where.Store(whereUnknown)
	c.endMove()
	if c.state == stateWaiting && x.locating {
		return
	}
	c.state, x.backoff = stateFresh, false
	if len(x.again) > 0 {
		c.locate()
	}
}

// ownerChanged is called with every change of the directory. Normally a cell
// knows before: this is for outcomes that were in doubt.
func (cl *cluster) ownerChanged(change *core.Change) {
	k := cl.node.kindOf(change.ID.Kind)
	if k == nil {
		return
	}
	c := k.registry.get(change.ID.Key, change.ID.Name)
	if c == nil || c.where.Load() != whereHere || change.Epoch < c.epoch.Load() {
		return
	}
	s := cl.session.Load()
	claimed := change.Type == core.ChangeClaimed || change.Type == core.ChangeSlotClaimed
	if s == nil || claimed && change.Session == s.Epoch() {
		return
	}
	epoch := change.Epoch
	c.pushSystem(func(c *cell) {
		if c.state == stateWaiting && !c.extra().gated || !c.owned() || epoch < c.epoch.Load() {
			return // a release or transfer of its own
		}
		c.kind.node.log.Warn("troupe: activation was overtaken", "actor", c.ref(), "epoch", c.epoch.Load())
		c.loseOwnership()
	})
}

// checkEpoch looks at the epoch that a sender on another node believes the
// target to have: a newer one than ours means that our lease is in doubt.
func (c *cell) checkEpoch(t *turn) bool {
	m := t.env.meta
	if m == nil || m.toEpoch <= c.epoch.Load() {
		return true
	}
	if owner, ok := c.lookup(); ok && owner.Epoch > c.epoch.Load() {
		c.setAside(t)
		c.loseOwnership()
		return false
	}
	known := *m                           // other messages may share m
	known.toEpoch, t.env.meta = 0, &known // a renewal that commits after this proves us right
	c.extra().session.Suspect()
	return c.passGate(t)
}

// The values of cell.where, a hint for senders.
const (
	whereUnknown uint32 = iota
	whereHere
	whereRemote
)

// locate finds out who owns the id, or makes somebody its owner. It is called
// on the turn of a fresh cell that is not owned.
func (c *cell) locate() {
	cl := c.kind.node.cluster
	s := cl.session.Load()
	x := c.extra()
	c.state, x.locating = stateWaiting, true
	owner, ok := c.lookup()
	switch {
	case s.Gate() == core.GateFenced:
		c.locateLater(ErrNoQuorum) // until there is a new session
	case c.newestSeen() > max(cl.meta.Applied(), owner.Epoch):
		c.locateLater(ErrNotOwner) // a sender knows more than the directory here
	case ok && owner.Session == s.Epoch():
		c.own(s, owner.Epoch)
	case ok:
		c.goRemote(owner)
	default:
		c.place(s)
	}
}

// place chooses a node for an id that nobody owns.
func (c *cell) place(s *metastore.Session) {
	cl := c.kind.node.cluster
	x := c.extra()
	v := cl.view.Load()
	hosts := v.hosts[c.kind.name]
	if len(hosts) == 0 {
		c.refuseLocating(ErrNoHost)
		return
	}
	self := -1
	for i, h := range hosts {
		if h.Node == cl.node.name {
			self = i
		}
	}
	if self >= 0 && (c.fromElsewhere() || x.tries > 2) {
		// Another node sent the message here: its view chose us.
		cl.claims.add(c, s)
		return
	}
	chosen := cl.choose(c, hosts, self)
	if chosen == self && self >= 0 {
		cl.claims.add(c, s)
		return
	}
	c.goRemote(core.Owner{Node: hosts[chosen].Node, Session: v.session[hosts[chosen].Node]})
}

func (cl *cluster) choose(c *cell, hosts []Host, self int) int {
	k := c.kind
	if k.class == classStub {
		return max(cl.propose(k, hosts)[c.id], 0)
	}
	place := k.placement
	if place == nil {
		place = PlaceHash
	}
	return min(max(place(c.ref(), hosts, self), 0), len(hosts)-1)
}

// propose assigns the shards of a kind to hosts, from where they are now.
func (cl *cluster) propose(k *kind, hosts []Host) []int {
	v := cl.view.Load()
	index := make(map[uint64]int, len(hosts))
	for i, h := range hosts {
		index[v.session[h.Node]] = i
	}
	owners := make([]int, k.shards)
	for shard := range owners {
		owners[shard] = -1
		if owner, ok := cl.meta.LookupSlot(k.name, uint32(shard)); ok {
			if i, ok := index[owner.Session]; ok {
				owners[shard] = i
			}
		}
	}
	return proposeShards(k.name, owners, hosts)
}

// newestSeen is the newest epoch that senders of waiting messages believe the
// target to have.
func (c *cell) newestSeen() uint64 {
	newest := uint64(0)
	for _, e := range c.extra().again {
		if e.meta != nil {
			newest = max(newest, e.meta.toEpoch)
		}
	}
	return newest
}

// fromElsewhere reports whether a message that waits came from another node.
func (c *cell) fromElsewhere() bool {
	for _, e := range c.extra().again {
		if e.meta != nil && e.meta.hops > 0 {
			return true
		}
	}
	return false
}

// own makes the cell the place of the id under session s.
func (c *cell) own(s *metastore.Session, epoch uint64) {
	x := c.extra()
	x.session, x.link, x.remote = s, nil, core.Owner{}
	x.locating, x.tries = false, 0
	c.epoch.Store(epoch)
	c.state = stateFresh
	c.where.Store(whereHere)
	if c.kind.class == classStub && len(x.again) == 0 && c.turn != nil {
		c.restart() // shards are activated without a message
		return
	}
	c.resume()
}

// goRemote makes the cell forward to the owner.
func (c *cell) goRemote(owner core.Owner) {
	cl := c.kind.node.cluster
	link, err := cl.link(owner.Session)
	if err != nil {
		c.locateLater(err)
		return
	}
	x := c.extra()
	x.session, x.link, x.remote, x.ownerAt = nil, link, owner, 0
	x.locating, x.tries = false, 0
	c.state = stateRemote
	c.where.Store(whereRemote)
	c.resume()
}

// maxLocateTries bounds the tries to find an owner for the messages that wait;
// with the growing pauses between them that is about 10 s.
const maxLocateTries = 14

// locateLater tries again after a pause, or refuses what waits.
func (c *cell) locateLater(cause error) {
	x := c.extra()
	x.tries++
	if x.tries > maxLocateTries {
		c.refuseLocating(cause)
		return
	}
	c.state, x.locating = stateWaiting, true
	pause := min(time.Millisecond<<x.tries, time.Second)
	c.kind.node.after(pause, c, func(c *cell) {
		if c.state == stateWaiting && c.extra().locating {
			c.locate()
		}
	})
}

// refuseLocating answers what waits: no owner could be found or made.
func (c *cell) refuseLocating(err error) {
	x := c.extra()
	x.locating = false
	c.terminateCell(CountDropUnreachable, err)
}

// claimed is called with the outcome of a claim.
func (c *cell) claimed(s *metastore.Session, g metastore.Grant) {
	x := c.extra()
	if c.state != stateWaiting || !x.locating {
		return
	}
	switch {
	case g.Err == nil:
		if s != c.kind.node.cluster.session.Load() {
			c.locateLater(ErrFenced)
			return
		}
		c.own(s, g.Epoch)
	case errors.Is(g.Err, metastore.ErrNoQuorum), errors.Is(g.Err, metastore.ErrClosed):
		c.refuseLocating(metaError(g.Err))
	default:
		// Somebody else was faster, the session is going, or the outcome is
		// in doubt: look again.
		c.locateLater(metaError(g.Err))
	}
}
