// SPDX-License-Identifier: MIT

//go:build mpscmodel

package mpsc

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
)

// The model test runs the real code, but lets only one goroutine at a time go
// from one atomic operation to the next, and tries the orders in which that can
// happen: all with up to two preemptions, and random ones with any number.
// Segments have one and two slots, so that every few messages go through the
// whole life of a segment, and the generations start again after three.

// maxSteps is far above what any order of a scenario takes.
const maxSteps = 5_000

// world is one scenario in one order.
type world struct {
	t       testing.TB
	q       Queue[msg]
	pool    *Pool[msg]
	threads []*thread
	running *thread
	parked  chan struct{} // the running thread has reached its next point

	choose func(enabled []*thread, running *thread) *thread
	steps  int
	over   bool

	scheduled int // calls for a consumer that nobody has answered
	accepted  int
	refused   int
	got       []msg
	failure   string
}

type msg struct{ from, seq int }

type thread struct {
	name   string
	resume chan struct{}
	done   bool
	idle   bool        // waits for somebody else to get on
	ready  func() bool // nil: always
}

// spawn adds a thread. Its body starts when it is chosen for the first time.
func (w *world) spawn(name string, body func(*thread)) {
	t := &thread{name: name, resume: make(chan struct{})}
	w.threads = append(w.threads, t)
	go func() {
		<-t.resume
		body(t)
		t.done = true
		w.parked <- struct{}{}
	}()
}

// step is called before every atomic operation.
func (w *world) step() {
	t := w.running
	w.parked <- struct{}{}
	<-t.resume
	if w.over {
		runtime.Goexit()
	}
}

// end ends the threads that wait for ever.
func (w *world) end() {
	w.over = true
	for _, t := range w.threads {
		if !t.done {
			t.resume <- struct{}{}
		}
	}
}

// until lets others run until cond holds.
func (w *world) until(cond func() bool) {
	w.running.ready = cond
	w.step()
	w.running.ready = nil
}

// pause lets another thread take at least one step.
func (w *world) pause() {
	w.running.idle = true
	w.step()
}

// run lets the threads take steps until none can.
func (w *world) run() {
	scheduler = w.step
	defer func() { scheduler = nil }()
	for {
		var enabled []*thread
		idle := 0
		for _, t := range w.threads {
			if t.done || t.ready != nil && !t.ready() {
				continue
			}
			if t.idle {
				idle++
				continue
			}
			enabled = append(enabled, t)
		}
		if len(enabled) == 0 {
			if idle == 0 {
				return
			}
			for _, t := range w.threads {
				t.idle = false // what it waits for may have come; else no end
			}
			if w.steps++; w.steps <= maxSteps {
				continue
			}
		}
		if w.steps++; w.steps > maxSteps {
			w.fail("no end")
			return
		}
		next := w.choose(enabled, w.running)
		w.running = next
		next.resume <- struct{}{}
		<-w.parked
		for _, t := range w.threads {
			if t != next {
				t.idle = false
			}
		}
	}
}

func (w *world) fail(format string, args ...any) {
	if w.failure == "" {
		w.failure = fmt.Sprintf(format, args...)
	}
}

// producer pushes n messages; a refused one is not tried again.
func (w *world) producer(id, n int) {
	w.spawn(fmt.Sprint("producer ", id), func(*thread) {
		for i := range n {
			switch w.q.Push(&msg{id, i}) {
			case PushedFirst:
				w.scheduled++
				w.accepted++
			case Pushed, PushedAhead:
				w.accepted++
			case Full, Closed:
				w.refused++
			}
		}
	})
}

// consumer answers calls for a consumer. It ends with the test.
func (w *world) consumer(id int) {
	w.spawn(fmt.Sprint("consumer ", id), func(*thread) {
		for {
			w.until(func() bool { return w.scheduled > 0 })
			w.scheduled--
			w.consume(w.q.TryIdle)
		}
	})
}

// acquirer becomes the consumer without mail, if it can, and rests by way of
// rest.
func (w *world) acquirer(rest func() bool) {
	w.spawn("acquirer", func(*thread) {
		if w.q.TryAcquire() {
			w.consume(rest)
		}
	})
}

func (w *world) consume(rest func() bool) {
	for {
		var m msg
		switch w.q.Pop(&m) {
		case Popped:
			w.got = append(w.got, m)
		case Empty:
			if rest() {
				return
			}
		case Pending:
			w.pause()
		}
	}
}

// check looks at the end of a run.
func (w *world) check() {
	if len(w.got) != w.accepted {
		w.fail("%d messages accepted, %d arrived", w.accepted, len(w.got))
	}
	last := map[int]int{}
	for _, m := range w.got {
		if prev, ok := last[m.from]; ok && m.seq <= prev {
			w.fail("producer %d: message %d after %d", m.from, m.seq, prev)
		}
		last[m.from] = m.seq
	}
	if h := word(w.q.tail.Load()).handle(); h != handleIdle && h != handleClosed {
		w.fail("queue ends with handle %d", h)
	}
	if w.q.hint.Load() != nil {
		w.fail("queue rests with a hint")
	}
	if got, want := w.pool.Free(), int(w.pool.last-firstHandle+1)-len(w.pool.unused); got != want {
		w.fail("%d of %d segments came back", got, want)
	}
}

var preemptions = flag.Int("preemptions", 1, "preemptions in an order that TestAllOrders tries; 2 takes minutes")

type scenario struct {
	name  string
	limit uint32
	keep  int
	build func(*world)
	check func(*world)
}

var scenarios = []scenario{
	{name: "two producers", build: func(w *world) {
		w.producer(1, 3)
		w.producer(2, 2)
		w.consumer(1)
		w.consumer(2)
	}},
	{name: "long and short", build: func(w *world) {
		w.producer(1, 7)
		w.producer(2, 1)
		w.consumer(1)
		w.consumer(2)
	}},
	{name: "nothing retained", keep: -1, build: func(w *world) {
		w.producer(1, 3)
		w.producer(2, 2)
		w.consumer(1)
	}},
	{name: "nothing retained, long", keep: -1, build: func(w *world) {
		w.producer(1, 7)
		w.producer(2, 1)
		w.consumer(1)
		w.consumer(2)
	}},
	{name: "acquire", build: func(w *world) {
		w.producer(1, 2)
		w.producer(2, 2)
		w.consumer(1)
		w.acquirer(w.q.TryIdle)
	}},
	{name: "close", build: func(w *world) {
		w.producer(1, 2)
		w.producer(2, 2)
		w.consumer(1)
		w.acquirer(w.q.TryClose)
	}},
	{name: "limit", limit: 2, build: func(w *world) {
		w.producer(1, 3)
		w.producer(2, 3)
		w.consumer(1)
	}},
	{name: "limit without consumer", limit: 3, build: func(w *world) {
		w.producer(1, 3)
		w.producer(2, 3)
		w.producer(3, 1)
	}, check: func(w *world) {
		if w.accepted != 3 || w.q.Len() != 3 {
			w.fail("limit 3: %d accepted, length %d", w.accepted, w.q.Len())
		}
		w.consumer(1)
		w.run()
	}},
}

// try runs a scenario in the order that choose decides.
func (s scenario) try(t testing.TB, choose func([]*thread, *thread) *thread) *world {
	w := &world{t: t, parked: make(chan struct{}), pool: NewPool[msg](s.keep), choose: choose}
	w.q.Init(w.pool, s.limit)
	s.build(w)
	w.run()
	if s.check != nil {
		s.check(w)
	}
	w.check()
	w.end()
	return w
}

// TestAllOrders tries all orders with a bounded number of preemptions: changes
// of thread where the running one could have gone on.
func TestAllOrders(t *testing.T) {
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			orders := 0
			var path []branch
			for more := true; more && !t.Failed(); orders++ {
				at, spent := 0, 0
				w := s.try(t, func(enabled []*thread, running *thread) *thread {
					if at == len(path) {
						path = append(path, branch{})
					}
					b := &path[at]
					at++
					free := !contains(enabled, running)
					b.last = len(enabled) - 1
					if !free && spent == *preemptions {
						b.last = 0
					}
					next := order(enabled, running)[b.taken]
					if !free && next != running {
						spent++
					}
					return next
				})
				if w.failure != "" {
					t.Errorf("order %d: %s", orders, w.failure)
				}
				path, more = advance(path[:at])
			}
			t.Logf("%d orders", orders)
		})
	}
}

// branch is a choice of a run: which of the enabled threads, of how many.
type branch struct{ taken, last int }

// advance moves to the next path in depth-first order.
func advance(path []branch) ([]branch, bool) {
	for len(path) > 0 {
		b := &path[len(path)-1]
		if b.taken < b.last {
			b.taken++
			return path, true
		}
		path = path[:len(path)-1]
	}
	return path, false
}

// order puts the running thread first, so that choice 0 is no preemption.
func order(enabled []*thread, running *thread) []*thread {
	for i, t := range enabled {
		if t == running {
			enabled[0], enabled[i] = enabled[i], enabled[0]
		}
	}
	return enabled
}

func contains(threads []*thread, t *thread) bool {
	for _, x := range threads {
		if x == t {
			return true
		}
	}
	return false
}

// TestRandomOrders tries random orders, half of them with long undisturbed
// stretches.
func TestRandomOrders(t *testing.T) {
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			for seed := range uint64(5_000) {
				r := rand.New(rand.NewPCG(seed, 0))
				w := s.try(t, func(enabled []*thread, running *thread) *thread {
					if seed%2 == 0 && r.IntN(8) != 0 {
						return order(enabled, running)[0]
					}
					return enabled[r.IntN(len(enabled))]
				})
				if w.failure != "" {
					t.Fatalf("seed %d: %s", seed, w.failure)
				}
			}
		})
	}
}
