// SPDX-License-Identifier: MIT

package troupe

import (
	"runtime"
	"time"
)

// An actor that a handler wakes runs next on the handler's own worker, when the
// turn is over: there its message is in the cache, and no goroutine has to be
// woken. Each worker has one place for that, worker.next.
//
// The cell that waits there must not wait for long, so it is given to another
// worker
//
//   - when the actor that runs has another message to handle (run),
//   - when its handler waits for a call or for room in a mailbox,
//   - when the handler takes its time, or waits for something else: look finds
//     out within two lookPeriods. Looking costs nothing while no place is used.
//
// N1: whoever swaps a cell out of a place is its consumer, and runs it or hands
// it on. N2: a place is looked at while a cell is in it: keep stores the cell
// before it reads watching, and look stores watching before it reads the places.
const (
	// lookPeriod is how often cells that wait for a turn to end are looked at.
	lookPeriod = 500 * time.Microsecond
	// hopsInRow is after how many cells from its own place a worker lets other
	// goroutines run.
	hopsInRow = 64
)

// keep puts c, of which the caller is the consumer, into the worker's place. It
// reports false if the place is taken. It is called by the handler that runs on
// the worker.
func (w *worker) keep(c *cell) bool {
	if !w.next.CompareAndSwap(nil, c) {
		return false
	}
	w.hops.Add(1)
	s := &c.kind.node.sched
	if !w.listed.Load() || !s.watching.Load() {
		s.watch(w)
	}
	return true
}

// take returns the cell in the worker's place, or nil.
func (w *worker) take() *cell {
	if w.next.Load() == nil {
		return nil
	}
	return w.next.Swap(nil)
}

// runNext makes woken run after the turn of c, which has woken it. It reports
// false if woken needs another worker. It is called on c's turn; c may be nil.
func (c *cell) runNext(woken *cell) bool {
	if c == nil || c.turn == nil || c.turn.worker == nil {
		return false
	}
	return c.turn.worker.keep(woken)
}

// handOn gives the cell that waits for the end of the turn to another worker.
func (t *turn) handOn() {
	if t == nil || t.worker == nil {
		return
	}
	if c := t.worker.take(); c != nil {
		c.schedule()
	}
}

// yieldEvery lets other goroutines run now and then.
func (w *worker) yieldEvery() {
	if w.row++; w.row%hopsInRow == 0 {
		runtime.Gosched()
	}
}

// watch sees to it that look runs and knows w.
func (s *scheduler) watch(w *worker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !w.listed.Load() {
		w.listed.Store(true)
		s.users = append(s.users, w)
	}
	if s.watching.Load() || s.closed {
		return
	}
	s.watching.Store(true)
	if s.lookTimer == nil {
		s.lookTimer = time.AfterFunc(lookPeriod, s.look)
	} else {
		s.lookTimer.Reset(lookPeriod)
	}
}

// unlist forgets a worker that ends, and hands on what is in its place.
func (s *scheduler) unlist(w *worker) {
	s.mu.Lock()
	for i, u := range s.users {
		if u == w {
			last := len(s.users) - 1
			s.users[i] = s.users[last]
			s.users[last] = nil
			s.users = s.users[:last]
			break
		}
	}
	s.mu.Unlock()
	if c := w.take(); c != nil {
		c.schedule()
	}
}

// look hands on the cells that have waited for a turn to end since the last
// look. It runs on the goroutine of lookTimer.
func (s *scheduler) look() {
	s.mu.Lock()
	defer s.mu.Unlock()
	var late []*cell
	used := false
	for _, w := range s.users {
		hops := w.hops.Load()
		if hops != w.seen {
			w.seen, used = hops, true
			continue
		}
		if c := w.take(); c != nil {
			late = append(late, c)
		}
	}
	for _, c := range late {
		s.giveLocked(job{cell: c})
	}
	if used && !s.closed {
		s.lookTimer.Reset(lookPeriod)
		return
	}
	s.watching.Store(false) // N2
	for _, w := range s.users {
		if w.next.Load() != nil && !s.closed {
			s.watching.Store(true)
			s.lookTimer.Reset(lookPeriod)
			return
		}
	}
}
