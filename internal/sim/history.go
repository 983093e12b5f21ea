// SPDX-License-Identifier: MIT

package sim

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/orm"
)

// history records what happened, and checks at once what can be checked at
// once. Any goroutine may use it.
type history struct {
	begin time.Time
	// twice: the network doubles frames, so that messages may be heard again out
	// of order (I11). Epochs have to grow all the same (I2).
	twice bool

	sent atomic.Int64 // numbers messages

	mu         sync.Mutex
	events     []string
	violations []string
	tokens     map[string]orm.Token
	running    map[string]runningAt
	said       map[heardAt]lastSaid
	ops        []*operation
	stats      Stats
}

// Stats count what a run did.
type Stats struct {
	Runs, Handlers, Moves, Overlaps int
	Writes, Loads, Refused          int // at the database
	Heard                           int
	Again                           int // messages heard out of order while the network doubled some
	Acked, Unknown                  int // operations
	LostNotes                       int
	Faults                          int
	Virtual                         time.Duration
	Worst                           time.Duration // an entity's longest time without an answer
	ByFault                         map[string]int
}

// runningAt is who handles an entity's messages.
type runningAt struct {
	epoch uint64
	node  string
	count int // handlers of that epoch under way
	older int // of earlier epochs
}

// heardAt is one activation of a witness, and an entity that it hears.
type heardAt struct {
	witness int64
	epoch   uint64
	entity  int64
}

type lastSaid struct {
	epoch uint64
	said  int64
}

func newHistory() *history {
	return &history{
		begin: time.Now(), tokens: make(map[string]orm.Token), running: make(map[string]runningAt),
		said: make(map[heardAt]lastSaid), stats: Stats{Runs: 1, ByFault: make(map[string]int)},
	}
}

func (h *history) noteLocked(format string, args ...any) {
	h.events = append(h.events, fmt.Sprintf("%9.3fs  ", time.Since(h.begin).Seconds())+fmt.Sprintf(format, args...))
}

// next numbers a message that is about to be sent.
func (h *history) next() int64 { return h.sent.Add(1) }

// note adds a line to the trace.
func (h *history) note(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.noteLocked(format, args...)
}

func (h *history) violatedLocked(format string, args ...any) {
	v := fmt.Sprintf(format, args...)
	h.noteLocked("VIOLATION %s", v)
	h.violations = append(h.violations, v)
}

func (h *history) violated(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.violatedLocked(format, args...)
}

// accepted checks I2 and I3 at the database: tokens only grow, and nothing of
// an older epoch comes after a newer one.
func (h *history) accepted(key string, token orm.Token, fence orm.Fence, load bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	last := h.tokens[key]
	what := "write"
	if load {
		what = "load"
		h.stats.Loads++
		h.noteLocked("%s loaded with %v", key, token)
	} else {
		h.stats.Writes++
	}
	if fence.Less(last.Fence()) {
		h.violatedLocked("I2: %s of %s with %v accepted after %v", what, key, fence, last)
	}
	if token.Compare(last) <= 0 {
		h.violatedLocked("I3: %s of %s with token %v accepted after %v", what, key, token, last)
	} else {
		h.tokens[key] = token
	}
}

func (h *history) refused() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stats.Refused++
}

// loaded records an activation. Its document must carry its fence.
func (h *history) loaded(id int64, fence troupe.Fence, token orm.Token, j journal) {
	if token.Epoch != fence.Epoch {
		h.violated("I3: entity/%d loaded with token %v under epoch %d", id, token, fence.Epoch)
	}
	h.note("entity/%d active with epoch %d: %d ops, %d notes", id, fence.Epoch, len(j.Ops), len(j.Notes))
}

// acting is what handlers know about themselves.
type acting interface {
	Ref() troupe.Ref
	Fence() troupe.Fence
	Node() *troupe.Node
}

// handler is called when a handler begins, and the result when it ends. It
// checks I1, I4 and I14: no process stands still here, so that no handler of an
// older epoch may begin after one of a newer epoch began.
func (h *history) handler(a acting, kind string) func() {
	epoch, node := a.Fence().Epoch, a.Node().Name()
	key := a.Ref().String()
	inv := "I4"
	if kind == "slot" {
		inv = "I14"
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stats.Handlers++
	r := h.running[key]
	switch {
	case epoch < r.epoch:
		h.violatedLocked("%s: a handler of %s began on %s under epoch %d after epoch %d (%s)", inv, key, node, epoch, r.epoch, r.node)
	case epoch == r.epoch && r.node != node:
		h.violatedLocked("I1: %s has epoch %d on %s and on %s", key, epoch, r.node, node)
	case epoch == r.epoch && r.count > 0:
		h.violatedLocked("%s: two handlers of %s at a time under epoch %d", inv, key, epoch)
	case epoch > r.epoch:
		if r.count+r.older > 0 {
			h.stats.Overlaps++ // it began earlier: its effects are fenced
		}
		if r.epoch != 0 {
			h.stats.Moves++
		}
		r = runningAt{epoch: epoch, node: node, older: r.count + r.older}
	}
	if epoch == r.epoch {
		r.count++
	}
	h.running[key] = r
	return func() { h.ended(key, epoch) }
}

func (h *history) ended(key string, epoch uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.running[key]
	if r.epoch == epoch {
		r.count--
	} else if r.older > 0 {
		r.older--
	}
	h.running[key] = r
}

// heard checks I2 and I11 at a receiver: nothing of an older activation after
// a newer one, and the messages of one activation in order.
func (h *history) heard(at heardAt, epoch uint64, said int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stats.Heard++
	last := h.said[at]
	switch {
	case epoch < last.epoch:
		h.violatedLocked("I2: witness/%d heard entity/%d under epoch %d after epoch %d", at.witness, at.entity, epoch, last.epoch)
	case epoch == last.epoch && said <= last.said && h.twice:
		h.stats.Again++
	case epoch == last.epoch && said <= last.said:
		h.violatedLocked("I11: witness/%d heard message %d of entity/%d (epoch %d) after %d", at.witness, said, at.entity, epoch, last.said)
	default:
		h.said[at] = lastSaid{epoch, said}
	}
}
