// SPDX-License-Identifier: MIT

package troupe

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// scheduler runs cells on goroutines ("workers"). A cell gets a worker when its
// mailbox becomes non-empty, so a handler that blocks holds up nobody but its
// own actor. Workers without a cell park and are used again, the one that
// parked last first because its stack is still in the cache.
type scheduler struct {
	node      *Node
	maxParked int

	mu     sync.Mutex
	parked []*worker
	busy   int           // workers that run or were given a cell
	quiet  chan struct{} // closed when busy becomes 0; nil if nobody waits
	closed bool
	users  []*worker // that have used their place, see sched_next.go
	// lookTimer runs look; nil until it is needed.
	lookTimer *time.Timer
	watching  atomic.Bool // lookTimer is armed, or look runs; written under mu

	workers sync.WaitGroup
}

// worker is one parked or running goroutine.
type worker struct {
	wake  chan struct{} // capacity 1: waking a parked worker never blocks
	turn  turn
	clean bool // the goroutine ends because it was told to
	now   job  // while parked: of whoever took the worker from the list

	next   atomic.Pointer[cell] // to be run when the turn is over, see sched_next.go
	hops   atomic.Uint32        // uses of next
	listed atomic.Bool          // in scheduler.users
	seen   uint32               // hops at the last look; guarded by the scheduler
	row    uint32               // cells taken from next
}

// job is what a worker is given: a cell of which it becomes the consumer, or a
// batch.
type job struct {
	cell  *cell
	env   envelope // to be handled first, if it has a method
	batch *batch
	at    time.Duration // when it was given, 0 unless sampled
}

// schedule gives c to a worker. It reports whether a goroutine had to be made
// for it because none was parked.
func (s *scheduler) schedule(c *cell) (made bool) {
	return s.give(job{cell: c, at: s.node.sampler.stamp()})
}

func (s *scheduler) give(j job) (made bool) {
	s.mu.Lock()
	w := s.idleLocked()
	s.mu.Unlock()
	return s.start(w, j)
}

// giveLocked is give for a caller who holds the lock: what he swapped out of a
// place stays counted in busy.
func (s *scheduler) giveLocked(j job) { s.start(s.idleLocked(), j) }

// idleLocked returns a parked worker, or nil, for one more job.
func (s *scheduler) idleLocked() *worker {
	s.busy++
	n := len(s.parked)
	if n == 0 {
		return nil
	}
	w := s.parked[n-1]
	s.parked[n-1] = nil
	s.parked = s.parked[:n-1]
	return w
}

// start lets w, or a new worker, do the job.
func (s *scheduler) start(w *worker, j job) (made bool) {
	if w != nil {
		w.now = j
		w.wake <- struct{}{}
		return false
	}
	s.workers.Add(1)
	go s.work(&worker{wake: make(chan struct{}, 1), now: j})
	return true
}

// work is the goroutine of a worker. It ends when too many are parked, or at
// close.
func (s *scheduler) work(w *worker) {
	defer s.workers.Done()
	defer func() {
		if !w.clean {
			s.replace(w)
		}
	}()
	for {
		if w.now.batch != nil {
			w.turn.worker = nil // what a timer wakes does not wait for the batch
			w.now.batch.work(&w.turn)
		} else {
			w.turn.worker = w
			s.node.sampler.age(&w.now)
			w.turn.env = w.now.env
			w.now.cell.run(&w.turn)
		}
		w.now = job{}
		if c := w.take(); c != nil {
			w.now.cell = c
			w.yieldEvery()
			continue
		}
		if !s.park(w) {
			s.unlist(w)
			w.clean = true
			return
		}
		<-w.wake
		if w.now.cell == nil && w.now.batch == nil {
			s.unlist(w)
			w.clean = true
			return
		}
	}
}

// park offers the worker for the next job. It reports false when the worker is
// to end instead.
func (s *scheduler) park(w *worker) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy--
	if s.busy == 0 && s.quiet != nil {
		close(s.quiet)
		s.quiet = nil
	}
	if s.closed || len(s.parked) >= s.maxParked {
		return false
	}
	s.parked = append(s.parked, w)
	return true
}

// replace continues after a handler that ended its goroutine with
// runtime.Goexit (testing.T.FailNow does that): its message fails like one that
// panicked, and another goroutine takes over.
func (s *scheduler) replace(w *worker) {
	next := &worker{wake: make(chan struct{}, 1), now: w.now}
	next.now.env = envelope{}
	s.unlist(w)
	t := &w.turn
	c := t.running
	if c != nil && t.exited != nil {
		if m := t.meta; m != nil {
			answer(t.env.m, m, nil, t.exited)
		}
		p := t.exited
		c.pushSystemOwned(func(c *cell) { c.fail(p) })
		if w.now.batch != nil {
			s.schedule(c) // the batch goes on without this cell
		}
	}
	s.workers.Add(1)
	go s.work(next)
}

// waitQuiet returns a channel that is closed once no cell runs.
func (s *scheduler) waitQuiet() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.quiet == nil {
		s.quiet = make(chan struct{})
	}
	ch := s.quiet
	if s.busy == 0 {
		close(s.quiet)
		s.quiet = nil
	}
	return ch
}

// close ends the parked workers; the others end after their job.
func (s *scheduler) close() {
	s.mu.Lock()
	s.closed = true
	for _, w := range s.parked {
		w.wake <- struct{}{}
	}
	s.parked = nil
	if s.lookTimer != nil {
		s.lookTimer.Stop()
	}
	s.mu.Unlock()
}

// wait waits for the workers to end; one whose handler does not return is left
// behind when ctx and stopGrace are over.
func (s *scheduler) wait(ctx context.Context) error {
	if waitGroup(ctx, &s.workers) {
		return nil
	}
	grace, cancel := context.WithTimeout(context.Background(), stopGrace)
	defer cancel()
	if waitGroup(grace, &s.workers) {
		return nil
	}
	return fmt.Errorf("stop node %q: a handler does not return: %w", s.node.name, ctx.Err())
}

// batch is many cells, each with one thing to do, that one worker works off:
// much cheaper than to wake a worker for each. If a handler blocks, stalled
// notices and another worker goes on with the rest.
type batch struct {
	items []timerFiring
	next  atomic.Int64
	seen  int64 // next at the last look; owned by the one who calls stalled
}

// work takes items until none is left.
func (b *batch) work(t *turn) {
	for {
		i := b.next.Add(1) - 1
		if i >= int64(len(b.items)) {
			return
		}
		fireTimer(t, b.items[i])
	}
}

// stalled reports whether nothing was taken since the last call though there is
// something left.
func (b *batch) stalled() bool {
	next := b.next.Load()
	stalled := next == b.seen && next < int64(len(b.items))
	b.seen = next
	return stalled
}

func (b *batch) done() bool { return b.next.Load() >= int64(len(b.items)) }

// sampler decides which runs are measured. Without Metrics it does nothing.
type sampler struct {
	on    bool
	runs  atomic.Uint32
	wakes atomic.Uint32
	now   func() time.Duration
}

// sampleEvery is one in how many runs is measured: two clock readings cost
// more than a short turn.
const sampleEvery = 16

// runSample measures one run.
type runSample struct {
	start time.Duration
	on    bool
}

func (s *sampler) begin(c *cell) runSample {
	if !s.on || s.runs.Add(1)%sampleEvery != 0 {
		return runSample{}
	}
	c.kind.node.metrics.Observe(SampleMailboxDepth, c.kind.name, float64(c.depth()))
	return runSample{s.now(), true}
}

func (r *runSample) end(k *kind, turns int) {
	if r.on && turns > 0 {
		spent := k.node.sampler.now() - r.start
		k.node.metrics.Observe(SampleTurnSeconds, k.name, spent.Seconds()/float64(turns))
	}
}

// stamp returns the time at which a cell was scheduled, if it is to be sampled.
func (s *sampler) stamp() time.Duration {
	if !s.on || s.wakes.Add(1)%sampleEvery != 0 {
		return 0
	}
	return s.now()
}

func (s *sampler) age(j *job) {
	if j.at != 0 {
		k := j.cell.kind
		k.node.metrics.Observe(SampleMailboxAgeSeconds, k.name, (s.now() - j.at).Seconds())
	}
}
