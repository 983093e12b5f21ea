// SPDX-License-Identifier: MIT

package coresim

import (
	"bytes"

	"github.com/troupe-go/troupe/internal/metastore/core"
)

// inject does what a fault says and undoes it later.
func (w *world) inject(f Fault) {
	w.note("fault "+f.Kind, uint64(f.A), uint64(f.B), uint64(f.For))
	w.stats.Faults++
	s, n, other := w.servers[f.A%voters], w.nodes[f.A%workers], w.nodes[f.B%workers]
	place := f.A % gatewayAt
	// later undoes the fault, unless everything was healed before.
	later := func(undo func()) {
		w.after(nil, f.For, func() {
			if !w.healed {
				undo()
			}
		})
	}
	switch f.Kind {
	case "crash-voter":
		w.restartServer(s, f.For)
	case "crash-node":
		w.restartNode(n, f.For)
	case "quick-restart":
		w.restartNode(n, f.For%second)
	case "crash-both":
		w.restartServer(s, f.For)
		w.restartNode(w.nodes[f.A%voters], f.For)
	case "crash-all":
		for i, s := range w.servers {
			w.restartServer(s, int64(i)*second)
		}
		for i, n := range w.nodes {
			w.restartNode(n, int64(i)*second)
		}
	case "storm":
		for _, n := range w.nodes {
			w.restartNode(n, second)
		}
	case "pause-voter":
		s.pause()
		later(s.resume)
	case "pause-node":
		n.pause()
		later(n.resume)
	case "pause-store":
		w.store.pause()
		later(w.store.resume)
	case "clock-stop":
		w.stopClock(n.process, later)
	case "disk-hang":
		s.hungUntil = w.now + 2*f.For
	case "wall-jump":
		if !w.plan.Calm {
			jump := int64(f.B%16) * second // or an hour
			if f.B%3 == 0 {
				jump = 3600 * second
			}
			if f.B%2 == 0 {
				jump = -jump
			}
			n.clock.wall += jump
			s.clock.wall += jump
			later(func() { n.clock.wall -= jump; s.clock.wall -= jump })
		}
	case "drain":
		n.drain(f.For)
	case "move":
		n.giveAway(other, f.B)
	case "release":
		n.giveAway(nil, f.B)
	case "new-generation":
		w.loseQuorum(f)
	default:
		w.disturb(f, place, later)
	}
}

// disturb is the faults of the network.
func (w *world) disturb(f Fault, place int, later func(func())) {
	n := &w.net
	cut := func(do func(by int)) {
		do(1)
		later(func() { do(-1) })
	}
	switch f.Kind {
	case "isolate":
		cut(func(by int) { n.isolate(place, by, true, true) })
	case "mute":
		cut(func(by int) { n.isolate(place, by, false, true) })
	case "deaf":
		cut(func(by int) { n.isolate(place, by, true, false) })
	case "pair":
		if to := f.B % gatewayAt; to != place {
			cut(func(by int) { n.pair(place, to, by) })
		}
	case "no-store":
		cut(func(by int) { n.pair(voters+f.A%workers, storeAt, by) })
	case "bridge":
		cut(w.bridge)
	case "swizzle":
		for i := range gatewayAt {
			at := (i*f.A + f.B) % gatewayAt
			w.after(nil, int64(i)*f.For/8, func() {
				if !w.healed {
					n.isolate(at, 1, true, true)
				}
			})
			w.after(nil, f.For+int64(at)*f.For/8, func() {
				if !w.healed {
					n.isolate(at, -1, true, true)
				}
			})
		}
	case "slow":
		n.delay = int64(f.B) * 2 * millisecond
		later(func() { n.delay = 0 })
	case "lossy":
		n.drop = 50 + f.B*4
		later(func() { n.drop = 0 })
	case "twice":
		n.twice = 100 + f.B*4
		later(func() { n.twice = 0 })
	case "late-flushes":
		n.flushDelay, n.flushTwice = 2*ttl, 300
		later(func() { n.flushDelay, n.flushTwice = 0, 0 })
	}
}

// bridge cuts the world in two halves that share the voter in the middle.
func (w *world) bridge(by int) {
	for a := range gatewayAt {
		for b := range a {
			if a != 1 && b != 1 && a%2 != b%2 {
				w.net.pair(a, b, by)
			}
		}
	}
	w.net.pair(0, 2, by)
}

// stopClock pauses a process and its clock, as when a machine is frozen and
// not told. Only fences protect then.
func (w *world) stopClock(p *process, later func(func())) {
	if !p.up || p.paused {
		return
	}
	p.pause()
	p.clock.broken, p.clock.stopped = true, true
	p.clock.stops++
	begin := w.now
	later(func() {
		p.clock.offset -= w.now - begin
		p.clock.stopped = false
		p.clock.stops++ // what was asked for meanwhile has a wrong begin, too
		p.resume()
	})
}

func (w *world) restartServer(s *server, delay int64) {
	if !s.up {
		return
	}
	s.crash()
	w.after(nil, delay, func() {
		if !s.up && !s.lost {
			s.boot()
		}
	})
}

func (w *world) restartNode(n *node, delay int64) {
	if !n.up {
		return
	}
	n.crash()
	w.after(nil, delay, func() {
		if !n.up {
			n.boot()
		}
	})
}

// drain stops a node in good order: what it owns goes to others, flushed.
func (n *node) drain(down int64) {
	if !n.up || n.draining || n.h.Gate(n.local()) != core.GateLive {
		return
	}
	n.draining = true
	w, session := n.w, n.h.Session()
	n.ask([]core.Command{core.DrainSession{Session: session}}, func([]core.Result) {})
	for _, a := range sorted(n.owned) {
		a.leave(n.anotherSession(), nil)
	}
	begin := n.local()
	var wait func()
	wait = func() {
		if len(n.owned) > 0 && n.local()-begin < 10*second {
			w.after(n.process, 20*millisecond, wait)
			return
		}
		n.step(core.Closed{})
		n.ask([]core.Command{core.CloseSession{Session: session}}, func([]core.Result) { w.restartNode(n, down) })
	}
	wait()
}

// anotherSession is a hint: some live session that is not the node's own, or 0.
func (n *node) anotherSession() uint64 {
	for _, s := range n.w.servers[n.hint].state.Sessions() {
		if s.Epoch != n.h.Session() && s.State == core.SessionLive {
			return s.Epoch
		}
	}
	return 0
}

// giveAway hands an entity to another node, or to nobody.
func (n *node) giveAway(to *node, which int) {
	if !n.up || n.paused || n.h.Gate(n.local()) != core.GateLive {
		return
	}
	list := sorted(n.owned)
	if len(list) == 0 || to == n {
		return
	}
	session := uint64(0)
	if to != nil {
		session = to.h.Session()
	}
	list[which%len(list)].leave(session, nil)
}

// loseQuorum destroys two voters; when all leases are over, an operator recovers
// the cluster from the third one under a new generation (F14).
func (w *world) loseQuorum(f Fault) {
	survivor := w.servers[f.A%voters]
	for _, s := range w.servers {
		if s != survivor {
			s.lost = true
			s.kill()
		}
	}
	w.after(nil, ttl*5/4+f.For, func() { w.recover(survivor) })
}

func (w *world) recover(survivor *server) {
	for _, s := range w.servers {
		s.lost = true
		s.kill()
	}
	state := core.NewState()
	if survivor.snap != nil {
		restored, err := core.Restore(bytes.NewReader(survivor.snap))
		if err != nil {
			w.check.fail("I12: recovery: %v", err)
			return
		}
		state = restored
	}
	for i, e := range survivor.log { // also what was never committed
		if _, err := state.Apply(survivor.snapIndex+1+uint64(i), e.term, e.data); err != nil {
			w.check.fail("I12: recovery: %v", err)
			return
		}
	}
	state.BumpGeneration()
	var b bytes.Buffer
	if _, err := state.Snapshot().WriteTo(&b); err != nil {
		w.check.fail("I12: recovery: %v", err)
		return
	}
	index, term := survivor.last()
	w.generation++
	w.recoveredAt = w.now
	w.stats.Recoveries++
	w.check.recovered(state)
	fresh := disk{term: survivor.term + 1, vote: -1, snapIndex: index, snapTerm: term, snap: b.Bytes()}
	// Whoever had a lease that the survivor did not know of is given its time.
	w.after(nil, ttl, func() {
		for _, s := range w.servers {
			s.disk, s.lost = fresh, false
			s.boot()
		}
	})
}

// heal undoes everything.
func (w *world) heal() {
	w.healed = true
	w.note("healed", 0, 0, 0)
	w.net.cut = [places][places]int{}
	w.net.delay, w.net.drop, w.net.twice, w.net.flushDelay, w.net.flushTwice = 0, 0, 0, 0, 0
	w.store.resume()
	for _, s := range w.servers {
		s.hungUntil = 0
		s.resume()
		if !s.up && !s.lost {
			s.boot()
		}
	}
	for _, n := range w.nodes {
		n.resume()
		if !n.up {
			n.boot()
		}
	}
}
