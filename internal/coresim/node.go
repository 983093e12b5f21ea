// SPDX-License-Identifier: MIT

package coresim

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/troupe-go/troupe/internal/metastore/core"
)

// The lease and the size of the world.
const (
	ttl      = 5 * second
	entities = 8
	slots    = 6

	nodeTick   = 100 * millisecond
	askTimeout = second
	askLimit   = 5 * second
	flushEvery = 500 * millisecond
)

// node is a worker: its session's Holder, and what it owns.
type node struct {
	*process
	number      int
	proof       [32]byte // of the secret in its data directory
	incarnation uint64
	h           *core.Holder
	opening     bool
	stops       int // clock.stops when the lease began
	replaces    uint64
	draining    bool
	round       uint64 // counts sessions; answers for an older one are dropped
	hint        int    // who leads
	owned       map[int]*activation
	slots       map[int]uint64
	placing     [slots]bool // asked, not answered yet
	routes      [entities]route
	claiming    map[int][]call
	freeing     map[int]bool // a release or transfer is not answered yet
	ids         idSource
	writing     bool
	requests    uint64 // of writeKey
	version     uint64 // of its key
}

// route is where an entity was last seen.
type route struct {
	node  int // -1: unknown
	epoch uint64
}

func newNode(w *world, number int) *node {
	name := nodeName(number)
	return &node{process: &process{w: w, name: name, place: voters + number}, number: number, proof: sha256.Sum256([]byte(name))}
}

func nodeName(number int) string { return fmt.Sprintf("node%d", number) }

func nodeNumber(name string) int { return int(name[len("node")] - '0') }

// boot starts the process: a new incarnation without memory, but with its data
// directory, whose secret lets it replace its predecessor's session.
func (n *node) boot() {
	n.begin()
	n.h = core.NewHolder(core.Timing{})
	n.writing = false
	n.opening, n.draining, n.hint = false, false, n.w.random.IntN(voters)
	n.forget()
	n.w.every(n.process, nodeTick, n.tick)
	n.w.every(n.process, second, n.placeSlots)
	n.w.every(n.process, 2*second, n.writeKey)
	n.w.every(n.process, second, n.ids.renew(n))
	n.w.every(n.process, 300*millisecond, n.ids.mint(n))
}

func (n *node) crash() {
	n.kill()
}

// forget drops everything in memory without writing (self-fence).
func (n *node) forget() {
	n.round++
	for _, a := range sorted(n.owned) {
		a.gone = true
	}
	n.owned, n.slots = make(map[int]*activation), make(map[int]uint64)
	n.claiming, n.freeing = make(map[int][]call), make(map[int]bool)
	n.routes, n.placing = [entities]route{}, [slots]bool{}
	for i := range n.routes {
		n.routes[i].node = -1
	}
}

func (n *node) gate() core.Gate {
	if n.w.plan.Rules.NoGate && n.h.Session() != 0 {
		return core.GateLive
	}
	return n.h.Gate(n.local())
}

func (n *node) tick() {
	n.step(core.HolderTick{Nonce: n.w.random.Uint64()})
	if n.h.Gate(n.local()) == core.GateFenced {
		if !n.opening && !n.draining {
			n.open()
		}
		return
	}
	for _, a := range sorted(n.owned) {
		a.tick()
	}
}

// step advances the holder and does what it says.
func (n *node) step(ev core.HolderEvent) {
	fx := n.h.Step(ev, n.local())
	if fx.Fence {
		n.w.note("fence", uint64(n.number), n.h.Session(), 0)
		n.w.stats.Fenced++
		if !n.w.plan.Rules.NoGate {
			n.forget()
		}
	}
	if fx.Renew != nil {
		n.renew(*fx.Renew)
	}
}

// open starts a session. The lease counts from the first attempt of an
// incarnation.
func (n *node) open() {
	n.opening = true
	n.incarnation = n.w.random.Uint64() | 1
	n.stops = n.clock.stops
	n.openAttempt(n.local())
}

func (n *node) openAttempt(t0 int64) {
	cmd := core.OpenSession{
		Node: n.name, TTL: ttl, Proof: n.proof, Secret: []byte(n.name), Replaces: n.replaces,
	}
	binary.LittleEndian.PutUint64(cmd.Incarnation[:], n.incarnation)
	n.ask([]core.Command{cmd}, func(res []core.Result) {
		switch {
		case res == nil: // in doubt: another incarnation next time
			n.opening = false
		case res[0].Code == core.CodeOK:
			n.opening = false
			n.forget()
			n.w.note("session", uint64(n.number), res[0].Epoch, res[0].Index)
			n.step(core.Opened{Session: res[0].Epoch, TTL: ttl, T0: t0})
			n.clock.broken = n.stops != n.clock.stops || n.clock.stopped
		case res[0].Code == core.CodeBusy:
			n.replaces = res[0].Session
			n.w.after(n.process, 50*millisecond, func() {
				n.stops = n.clock.stops
				n.openAttempt(n.local())
			})
		default:
			n.opening = false
		}
	})
}

func (n *node) renew(r core.Renewal) {
	answered := false
	life := n.round
	fail := func() {
		if !answered && n.round == life {
			answered = true
			n.step(core.RenewFailed{Seq: r.Seq})
		}
	}
	s := n.w.servers[n.hint]
	n.w.net.send(n.place, s.process, func() {
		s.onRenew(r, func(code core.Code, ok bool, leader int) {
			n.w.net.send(s.place, n.process, func() {
				if answered || n.round != life {
					return
				}
				if !ok {
					n.redirect(leader)
					fail()
					return
				}
				answered = true
				n.step(core.Renewed{Seq: r.Seq, Code: code})
			})
		})
	})
	n.w.after(n.process, ttl/4, func() {
		if !answered {
			n.redirect(-1)
			fail()
		}
	})
}

func (n *node) redirect(leader int) {
	if leader < 0 {
		leader = n.w.random.IntN(voters)
	}
	n.hint = leader
}

// ask gets commands committed, trying again until there is an answer; done gets
// nothing after askLimit. All commands are idempotent.
func (n *node) ask(cmds []core.Command, done func([]core.Result)) {
	a := &request{n: n, cmds: cmds, done: done, until: n.local() + askLimit}
	a.try()
}

// request is one call to the metastore.
type request struct {
	n       *node
	cmds    []core.Command
	done    func([]core.Result)
	until   int64
	attempt int
	over    bool
}

func (a *request) try() {
	n := a.n
	if a.over {
		return
	}
	if n.local() >= a.until {
		a.over = true
		a.done(nil)
		return
	}
	a.attempt++
	now := a.attempt
	s := n.w.servers[n.hint]
	again := func(leader int, wait int64) {
		if a.over || a.attempt != now {
			return
		}
		n.redirect(leader)
		a.attempt++ // this attempt is over
		n.w.after(n.process, wait, a.try)
	}
	n.w.net.send(n.place, s.process, func() {
		s.onPropose(a.cmds, func(res []core.Result, leader int) {
			n.w.net.send(s.place, n.process, func() {
				if res == nil {
					again(leader, 20*millisecond)
				} else if !a.over {
					a.over = true
					a.done(res)
				}
			})
		})
	})
	n.w.after(n.process, askTimeout, func() { again(-1, millisecond) })
}

// writeKey does a compare-and-set under a request number: a retry, perhaps at
// another leader that started from a snapshot, must get the first answer (R6).
func (n *node) writeKey() {
	if n.writing || n.h.Gate(n.local()) != core.GateLive {
		return
	}
	n.writing = true
	n.requests++
	round, key := n.round, n.name
	cmd := core.KVWrite{Session: n.h.Session(), Req: n.requests, AckBelow: max(n.requests, 3) - 2, Mode: core.KVCAS, Key: key, Version: n.version, Value: []byte{1}}
	n.ask([]core.Command{cmd}, func(res []core.Result) {
		n.writing = false
		if res == nil || n.round != round {
			return
		}
		n.version = res[0].Epoch // also of a refusal: the present version
	})
}
