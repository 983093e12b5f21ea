// SPDX-License-Identifier: MIT

package coresim

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
)

// Virtual time is an int64 number of nanoseconds since the begin of a run.
const (
	millisecond = int64(1e6)
	second      = int64(1e9)
)

// maxEvents, and a tenth of it more per second, is far above what a run needs.
const maxEvents = 50_000

// world is everything of one run. It has one goroutine.
type world struct {
	plan   Plan
	now    int64
	queue  eventQueue
	posted uint64 // events so far; breaks ties in the queue
	random *rand.Rand

	net     network
	servers [voters]*server
	nodes   [workers]*node
	gateway *gateway
	store   *store
	users   []*client
	check   *checker
	stats   Stats

	generation  uint64
	recoveredAt int64
	healed      bool

	digest  uint64   // running hash of all that happened
	verbose bool     // keep the trace as text
	trace   []string // if verbose
}

// event is one thing to do. It is dropped if its process has died since, and
// waits if it is paused.
type event struct {
	at, order int64
	of        *process // nil: the world itself
	life      int
	do        func()
}

type eventQueue []event

func (q eventQueue) Len() int { return len(q) }

func (q eventQueue) Less(i, j int) bool {
	if q[i].at != q[j].at {
		return q[i].at < q[j].at
	}
	return q[i].order < q[j].order
}

func (q eventQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push implements heap.Interface.
func (q *eventQueue) Push(x any) { *q = append(*q, x.(event)) }

// Pop implements heap.Interface.
func (q *eventQueue) Pop() any {
	old := *q
	e := old[len(old)-1]
	old[len(old)-1] = event{}
	*q = old[:len(old)-1]
	return e
}

// after runs do for p in delay nanoseconds.
func (w *world) after(p *process, delay int64, do func()) {
	e := event{at: w.now + delay, of: p, do: do}
	w.posted++
	e.order = int64(w.posted)
	if p != nil {
		e.life = p.life
	}
	heap.Push(&w.queue, e)
}

// every runs do for p, from now on, until p dies.
func (w *world) every(p *process, period int64, do func()) {
	var again func()
	again = func() {
		do()
		w.after(p, period, again)
	}
	w.after(p, w.random.Int64N(period), again)
}

// run lets time pass until the given moment.
func (w *world) run(until int64) {
	for len(w.queue) > 0 && w.queue[0].at <= until && !w.check.failed() {
		e := heap.Pop(&w.queue).(event)
		w.now = e.at
		p := e.of
		switch {
		case p == nil:
			e.do()
		case !p.up || p.life != e.life:
		case p.paused:
			p.backlog = append(p.backlog, e.do)
		default:
			e.do()
		}
		if w.stats.Events++; w.stats.Events > maxEvents+int(w.now/second)*maxEvents/10 {
			w.check.fail("I13: %d events so far: something goes round for ever", w.stats.Events)
		}
	}
	w.now = max(w.now, until)
}

// note records what happened: in the hash always, as text when it is wanted.
func (w *world) note(what string, a, b, c uint64) {
	h := w.digest ^ uint64(w.now)
	for _, v := range [...]uint64{uint64(len(what)), uint64(what[0]), a, b, c} {
		h = (h ^ v) * 0x100000001b3
		h ^= h >> 29
	}
	w.digest = h
	if w.verbose {
		w.trace = append(w.trace, fmt.Sprintf("%10.3fs %s %d %d %d", float64(w.now)/1e9, what, a, b, c))
	}
}

// process is something that can crash and be paused: a voter, a node or the
// gateway.
type process struct {
	w       *world
	name    string
	place   int // in the network
	up      bool
	life    int // counts starts
	paused  bool
	backlog []func() // what came while it was paused
	clock   clock
}

// clock is the clock of a machine. It goes on while a process is paused or
// down, as CLOCK_BOOTTIME does.
type clock struct {
	rate    int64 // error in parts per million
	offset  int64
	wall    int64 // how far the wall clock is off
	broken  bool  // stood still under the present lease: I4 does not hold there
	stops   int   // how often it stood still
	stopped bool
}

// local is the time on the process's clock.
func (p *process) local() int64 {
	t := p.w.now + p.clock.offset + second
	t += t / 1000 * p.clock.rate / 1000
	if p.w.plan.Rules.WallClock {
		t += p.clock.wall
	}
	return t
}

// wallMillis is what time.Now says there. The clock is coarse, so that two who
// mint ids with one worker number at a time are likely to collide.
func (p *process) wallMillis() int64 {
	return 1_800_000_000_000 + (p.w.now+p.clock.wall)/second*1000
}

func (p *process) kill() {
	p.up, p.paused, p.backlog = false, false, nil
}

func (p *process) begin() {
	p.up = true
	p.life++
}

func (p *process) pause() { p.paused = p.up }

// resume does what came meanwhile, in order.
func (p *process) resume() {
	if !p.paused {
		return
	}
	p.paused = false
	list, life := p.backlog, p.life
	p.backlog = nil
	for _, do := range list {
		if p.up && p.life == life && !p.paused {
			do()
		}
	}
}
