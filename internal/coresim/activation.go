// SPDX-License-Identifier: MIT

package coresim

import (
	"maps"
	"slices"

	"github.com/troupe-go/troupe/internal/metastore/core"
	"github.com/troupe-go/troupe/orm"
)

// call is an operation on its way to the owner of its entity.
type call struct {
	op    *operation
	try   int
	hops  int
	reply func(list []int64, position int, epoch uint64, ok bool)
}

func (m call) fail() { m.reply(nil, 0, 0, false) }

// activation is an entity at its owner.
type activation struct {
	n       *node
	entity  int
	fence   orm.Fence
	session uint64
	ready   bool
	leaving bool
	gone    bool

	doc     []int64 // operations in order; the first saved of them are durable
	saved   int
	token   orm.Token
	started int // flushes
	flight  *flight
	waiting []waiter
	queue   []call
	flushed int64 // local time of the last flush
	left    func()
}

// flight is a write on its way; it is sent again, as it is, until answered.
type flight struct {
	token orm.Token
	data  []int64
}

// waiter is answered by the first flush that began after it.
type waiter struct {
	call
	flush    int
	position int
}

func sorted(m map[int]*activation) []*activation {
	list := make([]*activation, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		list = append(list, m[k])
	}
	return list
}

func entityID(e int) core.ID { return core.ID{Kind: "entity", Key: int64(e)} }

// handle is a call that reached this node.
func (n *node) handle(m call, seen uint64) {
	e := m.op.entity
	switch n.gate() {
	case core.GateFenced:
		m.fail()
		return
	case core.GateHold:
		if m.try++; m.try > 20 {
			m.fail()
			return
		}
		n.w.after(n.process, 50*millisecond, func() { n.handle(m, seen) })
		return
	}
	a := n.owned[e]
	switch {
	case a != nil && a.leaving:
		m.fail()
	case a != nil:
		if seen > a.fence.Epoch { // a newer epoch was seen: perhaps we lost it
			n.step(core.Suspected{})
			m.fail()
			return
		}
		a.take(m)
	case n.draining || m.hops > 3 || n.freeing[e]:
		m.fail()
	case n.routes[e].node >= 0 && n.routes[e].node != n.number && m.hops == 0:
		n.forward(m, n.routes[e])
	default:
		n.claim(m)
	}
}

// forward passes a call on to the owner, under the epoch that was seen.
func (n *node) forward(m call, to route) {
	m.hops++
	reply := m.reply
	e, round, there := m.op.entity, n.round, n.w.nodes[to.node]
	m.reply = func(list []int64, position int, epoch uint64, ok bool) {
		n.w.net.send(there.place, n.process, func() {
			if !ok && n.round == round {
				n.routes[e].node = -1
			}
			reply(list, position, epoch, ok)
		})
	}
	n.w.net.send(n.place, there.process, func() { there.handle(m, to.epoch) })
}

// claim asks for the entity; whoever has it is told in the refusal.
func (n *node) claim(m call) {
	e := m.op.entity
	list, busy := n.claiming[e]
	n.claiming[e] = append(list, m)
	if !busy {
		n.askClaim(e)
	}
}

func (n *node) askClaim(e int) {
	session, round := n.h.Session(), n.round
	n.ask([]core.Command{core.ClaimBatch{Session: session, IDs: []core.ID{entityID(e)}}}, func(res []core.Result) {
		if n.round != round {
			return
		}
		list := n.claiming[e]
		delete(n.claiming, e)
		code := core.CodeSessionDead
		var out core.Outcome
		if res != nil {
			out = res[0].Items[0]
			code = out.Code
		}
		switch code {
		case core.CodeOK:
			n.activate(e, out.Epoch, list)
		case core.CodeOwned:
			to := route{node: nodeNumber(out.Node), epoch: out.Epoch}
			n.routes[e] = to
			for _, m := range list {
				n.forward(m, to)
			}
		case core.CodeRetry:
			n.claiming[e] = list
			n.askClaim(e)
		default:
			for _, m := range list {
				m.fail()
			}
		}
	})
}

func (n *node) activate(e int, epoch uint64, list []call) {
	if n.freeing[e] {
		for _, m := range list {
			m.fail()
		}
		return
	}
	a := &activation{n: n, entity: e, session: n.h.Session(), fence: orm.Fence{Generation: n.w.generation, Epoch: epoch}, queue: list}
	n.owned[e] = a
	n.w.note("activate", uint64(n.number), uint64(e), epoch)
	n.w.stats.Activations++
	a.load()
}

// drop ends an activation without writing.
func (a *activation) drop() {
	if a.gone {
		return
	}
	a.gone = true
	if a.n.owned[a.entity] == a {
		delete(a.n.owned, a.entity)
	}
	for _, m := range a.waiting {
		m.fail()
	}
	for _, m := range a.queue {
		m.fail()
	}
}

// load reads the document and installs the fence, in one step at the store.
func (a *activation) load() {
	n, answered := a.n, false
	n.w.net.send(n.place, n.w.store.process, func() {
		row, err := n.w.store.load(a.entity, a.fence)
		n.w.net.send(storeAt, n.process, func() {
			if answered || a.gone || a.ready {
				return
			}
			answered = true
			if err != nil {
				a.refused()
				return
			}
			a.doc, a.saved, a.token, a.ready = row.data, len(row.data), row.token, true
			list := a.queue
			a.queue = nil
			for _, m := range list {
				n.handle(m, 0)
			}
		})
	})
	n.w.after(n.process, second, func() {
		if !answered && !a.gone {
			answered = true
			a.load()
		}
	})
}

// refused: a newer owner has been at the document.
func (a *activation) refused() {
	a.n.w.stats.Refused++
	a.drop()
	a.n.step(core.Suspected{})
}

// take runs a call, the gate being open.
func (a *activation) take(m call) {
	if !a.ready {
		a.queue = append(a.queue, m)
		return
	}
	w := a.n.w
	w.check.handles(a)
	position := len(a.doc)
	if m.op.kind != opRead {
		again := -1
		if !w.plan.Rules.RetryAsNew {
			again = slices.Index(a.doc, m.op.id)
		}
		if again >= 0 {
			position = again
		} else {
			a.doc = append(a.doc, m.op.id)
		}
	}
	epoch := a.fence.Epoch
	if m.op.kind == opNote {
		w.check.noted(a, m.op.id, position)
		m.reply(nil, position, epoch, true)
		return
	}
	fence, entity := a.fence, a.entity
	w.net.send(a.n.place, w.gateway.process, func() { w.gateway.push(entity, fence) })
	a.waiting = append(a.waiting, waiter{m, a.started + 1, position})
	a.flush()
}

// tick flushes what is dirty for a while.
func (a *activation) tick() {
	if a.ready && len(a.doc) > a.saved && a.n.local()-a.flushed >= flushEvery {
		a.flush()
	}
}

func (a *activation) flush() {
	if a.flight != nil || a.gone {
		return
	}
	a.started++
	a.flushed = a.n.local()
	next := a.token
	next.Seq++
	a.flight = &flight{next, a.doc[:len(a.doc):len(a.doc)]}
	a.write(a.flight)
}

func (a *activation) write(f *flight) {
	n, answered := a.n, false
	n.w.net.flush(n.place, n.w.store.process, func() {
		saved := n.w.store.save(a.entity, f.token, f.data)
		n.w.net.send(storeAt, n.process, func() {
			if answered || a.gone || a.flight != f {
				return
			}
			answered = true
			if !saved {
				a.refused()
				return
			}
			a.landed(f)
		})
	})
	n.w.after(n.process, second, func() {
		if !answered && !a.gone && a.flight == f {
			answered = true
			a.write(f)
		}
	})
}

// landed answers who waited for a flush.
func (a *activation) landed(f *flight) {
	a.flight, a.token, a.saved = nil, f.token, len(f.data)
	later := a.waiting[:0:0]
	for _, m := range a.waiting {
		switch {
		case m.flush > a.started:
			later = append(later, m)
		case m.op.kind == opRead:
			m.reply(f.data, len(f.data), a.fence.Epoch, true)
		default:
			m.reply(f.data[:m.position+1], m.position, a.fence.Epoch, true)
		}
	}
	a.waiting = later
	if len(a.waiting) > 0 || a.leaving && len(a.doc) > a.saved {
		a.flush()
	} else if a.leaving && a.left != nil {
		a.left()
	}
}

// leave flushes, then gives the claim up, to a session if to is not 0. done is
// called when the metastore has answered.
func (a *activation) leave(to uint64, done func()) {
	n := a.n
	if a.leaving || a.gone || !a.ready {
		return
	}
	a.leaving = true
	item := []core.IDEpoch{{ID: entityID(a.entity), Epoch: a.fence.Epoch}}
	var cmd core.Command = core.ReleaseBatch{Session: a.session, Items: item}
	if to != 0 {
		cmd = core.TransferBatch{Session: a.session, To: to, Items: item}
	}
	a.left = func() {
		a.left = nil
		n.freeing[a.entity] = true
		n.w.check.leaves(a)
		a.drop()
		n.free(a.entity, n.round, cmd, done)
	}
	switch {
	case n.w.plan.Rules.ReleaseBeforeFlush:
		a.left()
	case a.flight == nil && len(a.doc) == a.saved:
		a.left()
	case a.flight == nil:
		a.flush()
	}
}

// free insists until there is an answer: a release in doubt may still come, and
// must not meet a new activation under the same epoch.
func (n *node) free(e int, round uint64, cmd core.Command, done func()) {
	n.ask([]core.Command{cmd}, func(res []core.Result) {
		switch {
		case n.round != round:
		case res == nil:
			n.free(e, round, cmd, done)
		default:
			delete(n.freeing, e)
			n.routes[e].node = -1
			if done != nil {
				done()
			}
		}
	})
}
