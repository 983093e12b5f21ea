// SPDX-License-Identifier: MIT

package coresim

import "github.com/troupe-go/troupe/orm"

// store is the document database, with the fencing rules of package orm.
type store struct {
	*process
	rows [entities]row
}

type row struct {
	token orm.Token
	data  []int64
}

// load returns a document and installs the fence with it (O1).
func (s *store) load(entity int, fence orm.Fence) (row, error) {
	r := &s.rows[entity]
	if !orm.CanLoad(r.token, fence) {
		return row{}, orm.ErrFenced
	}
	loaded := row{orm.LoadToken(r.token, fence), r.data}
	if !s.w.plan.Rules.NoFenceOnLoad {
		r.token = loaded.token
	}
	s.w.stats.Loads++
	s.w.note("load", uint64(entity), fence.Epoch, uint64(len(r.data)))
	s.w.check.loaded(entity, fence, loaded)
	return loaded, nil
}

// save writes a document if the token allows it (O2). A repetition is answered
// as the original was.
func (s *store) save(entity int, token orm.Token, data []int64) bool {
	r := &s.rows[entity]
	rules := s.w.plan.Rules
	accept := token.CanWrite(r.token)
	switch {
	case rules.NoFenceOnLoad:
		accept = r.token.Compare(token) < 0
	case rules.NoFlushSeq:
		accept = token.Fence() == r.token.Fence() && token != r.token
	}
	if !accept {
		return token == r.token
	}
	r.token, r.data = token, data
	s.w.stats.Writes++
	s.w.note("save", uint64(entity), token.Epoch, token.Seq)
	s.w.check.saved(entity, token, data)
	return true
}

// flush sends a write of a document: it may come very late, or twice.
func (n *network) flush(from int, to *process, do func()) {
	if n.flushTwice > 0 && n.w.random.IntN(1000) < n.flushTwice {
		n.deliver(from, to, do, n.w.random.Int64N(n.flushDelay+millisecond))
	}
	if n.flushDelay > 0 && n.w.random.IntN(4) == 0 {
		n.deliver(from, to, do, n.w.random.Int64N(n.flushDelay))
		return
	}
	n.send(from, to, do)
}

// gateway passes on what owners push to clients, unless a newer owner has
// spoken.
type gateway struct {
	*process
	newest [entities]orm.Fence
}

func (g *gateway) push(entity int, fence orm.Fence) {
	if less(fence, g.newest[entity]) && !g.w.plan.Rules.GatewayIgnoresEpochs {
		g.w.stats.ZombiesDropped++
		return
	}
	if less(g.newest[entity], fence) {
		g.newest[entity] = fence
	}
	g.w.check.pushed(entity, fence)
}

func less(a, b orm.Fence) bool {
	return a.Generation < b.Generation || a.Generation == b.Generation && a.Epoch < b.Epoch
}
