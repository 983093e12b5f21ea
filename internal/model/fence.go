// SPDX-License-Identifier: MIT

package model

import (
	"fmt"
	"slices"
	"strings"

	"github.com/troupe-go/troupe/internal/metastore/core"
)

// fenceRules is the protocol between owner and database; the zero value is the
// full one, each field leaves one rule out.
type fenceRules struct {
	noFlushSeq    bool // B: the token has no flush sequence
	noFenceOnLoad bool // D: loading does not install the token
	noFence       bool // E: writes are unconditional
	entityEpochs  bool // F: epochs count per entity and restart with the record
}

// Bounds of the search.
const (
	maxEpochs  = 3
	maxAppends = 3
	maxFlights = 2
)

// fenceWorld is one state: the metastore, two nodes, the document, and the
// writes on their way to it.
type fenceWorld struct {
	rules   fenceRules
	state   *core.State
	index   uint64
	owners  [2]owner
	flights []flight // sorted
	doc     document
	acked   string // letters whose append was acknowledged as durable
	appends int
	epochs  int
	counter uint64 // F: the entity's own epoch, gone with its record
}

// owner is one node's view.
type owner struct {
	session uint64
	epoch   uint64
	loaded  bool
	dirty   bool
	data    string
	seq     uint64
}

type token struct{ epoch, seq uint64 }

func (t token) less(o token) bool {
	return t.epoch < o.epoch || t.epoch == o.epoch && t.seq < o.seq
}

type document struct {
	token token
	data  string
}

type flight struct {
	node  int
	token token
	data  string
	twice bool // already arrived once
}

var entity = core.ID{Kind: "player", Key: 1}

func newFenceWorld(rules fenceRules) *fenceWorld {
	return &fenceWorld{rules: rules, state: core.NewSmallState()}
}

func (w *fenceWorld) key() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v|%v|%v|%v|%d|%d|%d", w.owners, w.flights, w.doc, w.acked, w.appends, w.epochs, w.counter)
	// The log index only grows; what matters of the metastore is who owns and
	// which sessions live.
	o, ok := w.state.LookupClaim(entity)
	fmt.Fprintf(&b, "|%v%v", o, ok)
	for _, s := range w.state.Sessions() {
		fmt.Fprintf(&b, "|%d", s.Epoch)
	}
	return b.String()
}

func (w *fenceWorld) clone() *fenceWorld {
	c := *w
	c.flights = slices.Clone(w.flights)
	return &c
}

func (w *fenceWorld) apply(cmd core.Command) core.Result {
	w.index++
	w.state = w.state.Clone() // shared with the worlds that did not apply
	done, err := w.state.Apply(w.index, 1, core.EncodeEntry(cmd))
	if err != nil {
		panic("model: the core refused an entry: " + err.Error())
	}
	return done.Results[0]
}

func (w *fenceWorld) next() []step {
	var steps []step
	do := func(name string, f func(*fenceWorld) error) {
		c := w.clone()
		err := f(c)
		if err == nil {
			err = c.check()
		}
		steps = append(steps, step{name, c, err})
	}
	for i := range w.owners {
		w.nodeSteps(i, do)
	}
	for i, f := range w.flights {
		do(fmt.Sprintf("flush %v of node %d arrives", f.token, f.node), func(c *fenceWorld) error { return c.arrive(i, false) })
		if !f.twice {
			do(fmt.Sprintf("flush %v of node %d arrives and is sent again", f.token, f.node),
				func(c *fenceWorld) error { return c.arrive(i, true) })
		}
	}
	return steps
}

func (w *fenceWorld) nodeSteps(i int, do func(string, func(*fenceWorld) error)) {
	o := w.owners[i]
	name := func(s string) string { return fmt.Sprintf("node %d %s", i, s) }
	if o.session == 0 {
		if w.epochs < maxEpochs {
			do(name("opens a session and claims"), func(c *fenceWorld) error { return c.claim(i) })
		}
		return
	}
	if s, ok := w.state.Session(o.session); ok && s.Alive() {
		do(name("expires, without noticing"), func(c *fenceWorld) error {
			c.apply(core.ExpireSession{Session: o.session, SeenSeq: 0, LeaderTerm: 1})
			return nil
		})
	}
	do(name("fences itself"), func(c *fenceWorld) error { c.forget(i); return nil })
	if !o.loaded {
		do(name("loads"), func(c *fenceWorld) error { return c.load(i) })
		return
	}
	if w.appends < maxAppends {
		do(name("appends"), func(c *fenceWorld) error {
			c.owners[i].data += string(rune('a' + c.appends))
			c.owners[i].dirty = true
			c.appends++
			return nil
		})
	}
	if o.dirty && len(w.flights) < maxFlights {
		do(name("flushes"), func(c *fenceWorld) error {
			p := &c.owners[i]
			p.seq++
			p.dirty = false
			c.flights = append(c.flights, flight{node: i, token: token{p.epoch, p.seq}, data: p.data})
			return nil
		})
	}
	do(name("releases"), func(c *fenceWorld) error {
		c.apply(core.ReleaseBatch{Session: o.session, Items: []core.IDEpoch{{ID: entity, Epoch: c.claimEpoch()}}})
		c.counter = 0
		c.apply(core.CloseSession{Session: o.session})
		c.forget(i)
		return nil
	})
}

func (w *fenceWorld) claimEpoch() uint64 {
	o, _ := w.state.LookupClaim(entity)
	return o.Epoch
}

func (w *fenceWorld) forget(i int) {
	if s, ok := w.state.Session(w.owners[i].session); ok && s.Alive() {
		w.apply(core.CloseSession{Session: w.owners[i].session})
	}
	w.owners[i] = owner{}
}

func (w *fenceWorld) claim(i int) error {
	w.epochs++
	open := w.apply(core.OpenSession{
		Node: string(rune('A' + i)), Incarnation: core.Incarnation{byte(w.index + 1)}, TTL: 5e9,
	})
	if open.Code != core.CodeOK {
		return nil
	}
	res := w.apply(core.ClaimBatch{Session: open.Epoch, IDs: []core.ID{entity}})
	if res.Items[0].Code != core.CodeOK {
		w.apply(core.CloseSession{Session: open.Epoch})
		return nil
	}
	w.owners[i] = owner{session: open.Epoch, epoch: w.epochOf(res.Items[0].Epoch)}
	return nil
}

// epochOf is the identity, or, without that rule, a number that starts again
// when the entity's record was deleted.
func (w *fenceWorld) epochOf(claim uint64) uint64 {
	if !w.rules.entityEpochs {
		return claim
	}
	w.counter++
	return w.counter
}

// load is the one statement that reads and fences. Finding the own fence there
// already is the retry of a load whose answer was lost.
func (w *fenceWorld) load(i int) error {
	o := &w.owners[i]
	fence := token{o.epoch, 0}
	if !w.rules.noFenceOnLoad && !w.rules.noFence {
		if !w.doc.token.less(fence) && w.doc.token != fence {
			w.forget(i)
			return nil
		}
		w.doc.token = fence
	}
	o.loaded, o.data = true, w.doc.data
	return nil
}

// arrive is the conditional write. The acknowledgement reaches the caller with
// it; that a later crash eats the answer changes nothing for the document.
func (w *fenceWorld) arrive(i int, again bool) error {
	f := w.flights[i]
	if again {
		w.flights[i].twice = true
	} else {
		w.flights = slices.Delete(w.flights, i, i+1)
	}
	accept := f.token.epoch == w.doc.token.epoch && w.doc.token.seq < f.token.seq
	switch {
	case w.rules.noFence:
		accept = true
	case w.rules.noFenceOnLoad:
		accept = w.doc.token.less(f.token)
	case w.rules.noFlushSeq:
		accept = f.token.epoch == w.doc.token.epoch
	}
	repeat := f.twice && f.token == w.doc.token
	if !accept && !repeat {
		if o := w.owners[f.node]; o.epoch == f.token.epoch && w.doc.token.epoch != o.epoch {
			w.forget(f.node)
		}
		return nil
	}
	if accept { // a repeat is done already
		w.doc.token, w.doc.data = f.token, f.data
	}
	for _, letter := range f.data {
		if !strings.ContainsRune(w.acked, letter) {
			w.acked += string(letter)
		}
	}
	return nil
}

// check is I6.
func (w *fenceWorld) check() error {
	for _, letter := range w.acked {
		if !strings.ContainsRune(w.doc.data, letter) {
			return fmt.Errorf("I6: acknowledged append %q is lost, the document is %q", letter, w.doc.data)
		}
	}
	return nil
}
