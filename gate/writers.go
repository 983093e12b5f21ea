// SPDX-License-Identifier: MIT

package gate

import (
	"runtime"
	"sync"
	"time"
)

// A writerPool runs the writers of a gate's connections. A push to a thousand
// sessions wakes as many goroutines as there are processors, not a thousand,
// and their stacks are warm.
//
// Links wait in one queue. As a rule GOMAXPROCS workers take from it; a write
// may block for as long as Timeouts.Write, so when nothing was taken for
// stuckAfter there is one more, until the queue moves.
//
// Invariants: W1 a link is in the queue or with one worker, never both (its
// writing flag). W2 while the queue is not empty there is a worker that is
// awake, or the timer is set.
type writerPool struct {
	g *Gate

	mu      sync.Mutex
	wake    sync.Cond
	queue   []*link
	idle    int // workers that wait
	workers int
	taken   time.Time // when a worker last took a link
	timer   bool      // checkStuck will run
	ended   bool      // idle workers leave
}

// stuckAfter is how long the queue may stand still before another worker comes.
const stuckAfter = 3 * time.Millisecond

func (p *writerPool) init(g *Gate) {
	p.g = g
	p.wake.L = &p.mu
}

// add queues a link whose writing flag the caller has just set.
func (p *writerPool) add(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue = append(p.queue, l)
	switch {
	case p.idle > 0:
		p.wake.Signal()
	case p.workers < runtime.GOMAXPROCS(0):
		p.startLocked()
	case !p.timer:
		p.timer = true
		time.AfterFunc(stuckAfter, p.checkStuck)
	}
}

func (p *writerPool) startLocked() {
	p.workers++
	p.taken = time.Now()
	p.g.wg.Go(p.run)
}

// checkStuck adds a worker when all others are blocked.
func (p *writerPool) checkStuck() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer = false
	if len(p.queue) == 0 {
		return
	}
	if p.idle == 0 && time.Since(p.taken) >= stuckAfter {
		p.startLocked()
	}
	p.timer = true
	time.AfterFunc(stuckAfter, p.checkStuck)
}

// run is a worker. It leaves when there is nothing to do and it is one too many.
func (p *writerPool) run() {
	buf := make([]byte, 0, writeBatchBytes)
	p.mu.Lock()
	defer p.mu.Unlock()
	defer func() { p.workers-- }()
	for {
		for len(p.queue) == 0 {
			if p.ended || p.workers > runtime.GOMAXPROCS(0) {
				return
			}
			p.idle++
			p.wake.Wait()
			p.idle--
		}
		l := p.queue[0]
		p.queue[0] = nil
		if p.queue = p.queue[1:]; len(p.queue) == 0 {
			p.queue = nil
		}
		p.taken = time.Now()
		p.mu.Unlock()
		if buf = l.write(buf[:0]); cap(buf) > 2*writeBatchBytes {
			buf = make([]byte, 0, writeBatchBytes)
		}
		p.mu.Lock()
	}
}

// end lets idle workers go; others follow when the queue is empty.
func (p *writerPool) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	p.wake.Broadcast()
}
