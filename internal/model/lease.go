// SPDX-License-Identifier: MIT

package model

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/troupe-go/troupe/internal/metastore/core"
)

// Time goes in seconds; the lease lasts four.
const (
	second     = int64(1e9)
	leaseTTL   = 4 * second
	maxNow     = 10 * second
	maxChanges = 2 // of the leader
)

// leaseWorld is one owner with its Holder, a challenger that claims whenever
// it can, and two servers with their Grantors, of which one leads.
//
// Every message may take any time: renewals and their answers are delivered,
// or lost, at any later step, and an expiry that was proposed may be committed
// much later, even in another term.
type leaseWorld struct {
	now     int64
	state   *core.State
	index   uint64
	term    uint64
	leader  int
	servers [2]*core.Grantor
	changes int

	holder  *core.Holder
	epoch   uint64 // the owner's claim
	rival   uint64 // the challenger's session
	renewal *core.Renewal
	answer  *core.Renewed
	expiry  []core.Command
	done    bool // the entity changed hands
}

func newLeaseWorld() *leaseWorld {
	timing := core.Timing{StallAfter: 1000 * second, NoopEvery: 1000 * second, RetryAfter: 1000 * second}
	w := &leaseWorld{
		now: second, state: core.NewSmallState(), term: 1, holder: core.NewHolder(timing),
		servers: [2]*core.Grantor{core.NewGrantor(timing), core.NewGrantor(timing)},
	}
	w.lead(0)
	w.rival = w.apply(core.OpenSession{Node: "B", Incarnation: core.Incarnation{2}, TTL: 1000 * second}).Epoch
	session := w.apply(core.OpenSession{Node: "A", Incarnation: core.Incarnation{1}, TTL: leaseTTL}).Epoch
	w.holder.Step(core.Opened{Session: session, TTL: leaseTTL, T0: w.now}, w.now)
	w.epoch = w.apply(core.ClaimBatch{Session: session, IDs: []core.ID{entity}}).Items[0].Epoch
	return w
}

func (w *leaseWorld) key() string {
	owner := w.holder.Session()
	b := make([]byte, 0, 128)
	if w.holder.Gate(w.now) != core.GateFenced { // which is for ever
		b = w.holder.AppendKey(b)
	}
	put := func(list ...int64) {
		for _, v := range list {
			b = binary.AppendVarint(b, v)
		}
	}
	s, ok := w.state.Session(owner)
	if ok && s.Alive() {
		put(1, int64(s.RenewSeq))
	} else {
		put(0, 0)
	}
	put(w.now, int64(w.term), int64(w.leader), int64(w.changes))
	if w.renewal != nil {
		put(1, int64(w.renewal.Seq))
	}
	if w.answer != nil {
		put(2, int64(w.answer.Seq), int64(w.answer.Code))
	}
	for _, c := range w.expiry {
		if e, ok := c.(core.ExpireSession); ok {
			put(3, int64(e.SeenSeq), int64(e.LeaderTerm))
		}
	}
	for _, g := range w.servers {
		at, seq, ok := g.Deadline(owner)
		if ok {
			put(4, at, int64(seq))
		}
	}
	if w.done {
		put(5)
	}
	return string(b)
}

func (w *leaseWorld) clone() *leaseWorld {
	c := *w
	c.holder = w.holder.Clone()
	c.servers = [2]*core.Grantor{w.servers[0].Clone(), w.servers[1].Clone()}
	c.expiry = slices.Clone(w.expiry)
	return &c
}

// apply commits one entry; both servers apply it at once.
func (w *leaseWorld) apply(cmd core.Command) core.Result {
	w.index++
	w.state = w.state.Clone() // shared with the worlds that did not apply
	done, err := w.state.Apply(w.index, w.term, core.EncodeEntry(cmd))
	if err != nil {
		panic("model: the core refused an entry: " + err.Error())
	}
	for _, g := range w.servers {
		g.Step(core.Touched{List: done.Touched}, w.now)
	}
	return done.Results[0]
}

func (w *leaseWorld) lead(server int) {
	w.leader = server
	g := w.servers[server]
	g.Step(core.Led{Term: w.term}, w.now)
	var all []core.Touch
	w.state.EachTimer(func(t core.Touch) { all = append(all, t) })
	g.Step(core.BarrierApplied{Term: w.term, All: all}, w.now)
}

func (w *leaseWorld) next() []step {
	if w.done {
		return nil
	}
	var steps []step
	do := func(name string, f func(*leaseWorld) error) {
		c := w.clone()
		steps = append(steps, step{fmt.Sprintf("%ds: %s", w.now/second, name), c, f(c)})
	}
	if w.now < maxNow {
		do("a second passes", func(c *leaseWorld) error { return c.pass(false) })
		do("a second passes, the owner is paused", func(c *leaseWorld) error { return c.pass(true) })
	}
	if w.changes < maxChanges {
		do("the leader changes", (*leaseWorld).change)
	}
	if w.renewal != nil {
		do("the renewal commits", (*leaseWorld).renew)
		do("the renewal is lost", (*leaseWorld).loseRenewal)
	}
	if w.answer != nil {
		do("the answer arrives", (*leaseWorld).answered)
		do("the answer is lost", (*leaseWorld).loseAnswer)
	}
	for i := range w.expiry {
		do("an expiry commits", func(c *leaseWorld) error { return c.expire(i) })
	}
	do("the challenger claims", (*leaseWorld).challenge)
	if w.holder.Gate(w.now) == core.GateLive {
		do("the owner hands over", (*leaseWorld).transfer)
	}
	return steps
}

func (w *leaseWorld) pass(paused bool) error {
	w.now += second
	fx := w.servers[w.leader].Step(core.GrantorTick{}, w.now)
	for _, c := range fx.Expire {
		if len(w.expiry) < 2 {
			w.expiry = append(w.expiry, c)
		}
	}
	if paused {
		return nil
	}
	if r := w.holder.Step(core.HolderTick{Nonce: 1}, w.now).Renew; r != nil {
		w.renewal = r
	}
	return nil
}

func (w *leaseWorld) change() error {
	w.changes++
	w.servers[w.leader].Step(core.Deposed{}, w.now)
	w.term++
	w.lead(1 - w.leader)
	return nil
}

func (w *leaseWorld) renew() error {
	res := w.apply(core.RenewBatch{Items: []core.Renewal{*w.renewal}})
	w.answer = &core.Renewed{Seq: w.renewal.Seq, Code: res.Items[0].Code}
	w.renewal = nil
	return nil
}

func (w *leaseWorld) loseRenewal() error {
	w.holder.Step(core.RenewFailed{Seq: w.renewal.Seq}, w.now)
	w.renewal = nil
	return nil
}

func (w *leaseWorld) answered() error {
	w.holder.Step(*w.answer, w.now)
	w.answer = nil
	return nil
}

func (w *leaseWorld) loseAnswer() error {
	w.holder.Step(core.RenewFailed{Seq: w.answer.Seq}, w.now)
	w.answer = nil
	return nil
}

// expire checks R3 where it takes effect: neither a renewal nor another term
// may lie between the proposal and the commit.
func (w *leaseWorld) expire(i int) error {
	e, ok := w.expiry[i].(core.ExpireSession)
	w.expiry = slices.Delete(w.expiry, i, i+1)
	if !ok {
		return nil
	}
	s, ok := w.state.Session(e.Session)
	if out := w.apply(e); out.Code == core.CodeOK && ok && (s.RenewSeq != e.SeenSeq || e.LeaderTerm != w.term) {
		return errR3
	}
	return nil
}

var (
	errR3 = errors.New("R3: an outdated expiry took effect")
	errI1 = errors.New("I1: the new epoch is not larger")
	errI4 = errors.New("I4: granted to another while the holder's gate is open")
)

// challenge is where I4 is checked: a grant that nobody gave away needs a
// holder that stopped.
func (w *leaseWorld) challenge() error {
	out := w.apply(core.ClaimBatch{Session: w.rival, IDs: []core.ID{entity}}).Items[0]
	if out.Code != core.CodeOK {
		return nil
	}
	w.done = true
	switch {
	case out.Epoch <= w.epoch:
		return errI1
	case w.holder.Gate(w.now) != core.GateFenced:
		return errI4
	}
	return nil
}

func (w *leaseWorld) transfer() error {
	out := w.apply(core.TransferBatch{
		Session: w.holder.Session(), To: w.rival, Items: []core.IDEpoch{{ID: entity, Epoch: w.epoch}},
	}).Items[0]
	if out.Code != core.CodeOK {
		return nil
	}
	w.done = true
	if out.Epoch <= w.epoch {
		return errI1
	}
	return nil
}
