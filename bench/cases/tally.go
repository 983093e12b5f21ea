// SPDX-License-Identifier: MIT

package cases

import (
	"runtime"
	"sync/atomic"
)

// Tally is the receiving side of all cases that send: it adds up the values and
// wakes the waiter when the expected number has arrived. The sum proves that
// each message arrived once.
//
// Add is called by one goroutine at a time; the mailbox under test orders the
// calls, as it orders the turns of an actor.
type Tally struct {
	sum, left int64
	done      chan int64
}

// NewTally returns a tally that expects nothing yet.
func NewTally() *Tally { return &Tally{done: make(chan int64, 1)} }

// Expect is called before the first message of a run is sent.
func (t *Tally) Expect(count int) { t.sum, t.left = 0, int64(count) }

// Add counts one message.
func (t *Tally) Add(value int64) {
	t.sum += value
	if t.left--; t.left == 0 {
		t.done <- t.sum
	}
}

// Wait returns the sum of the expected messages.
func (t *Tally) Wait() int64 { return <-t.done }

// Budget is the number of messages after which an on-demand consumer yields;
// the peers' own schedulers use the same figure.
const Budget = 300

// OnDemand runs the consumer of a bare queue in the way of the libraries that
// such queues come from: a goroutine starts when a message arrives at an idle
// queue, and ends when the queue is empty.
type OnDemand struct {
	Pop   func() bool // takes one message to the tally, if there is one
	Empty func() bool

	running atomic.Bool
}

// Schedule is called after each push.
func (o *OnDemand) Schedule() {
	// The load keeps the line shared while the consumer runs.
	if !o.running.Load() && o.running.CompareAndSwap(false, true) {
		go o.run()
	}
}

func (o *OnDemand) run() {
	for i := 1; ; i++ {
		if o.Pop() {
			if i%Budget == 0 {
				runtime.Gosched()
			}
			continue
		}
		o.running.Store(false)
		// A message may have come between the last pop and the store: its
		// sender saw a running consumer and left it to us.
		if o.Empty() || !o.running.CompareAndSwap(false, true) {
			return
		}
	}
}
