// SPDX-License-Identifier: MIT

//go:build !mpscmodel

package mpsc

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"
)

type msg struct{ from, seq int }

// consumer checks what it takes out of a queue. It runs only when the queue
// says so: a lost call leaves messages in the queue and the test hangs.
type consumer struct {
	t interface{ Errorf(string, ...any) }
	q interface {
		Pop(*msg) PopResult
		TryIdle() bool
	}
	next    []int  // by producer, owned by whoever consumes
	gaps    bool   // messages may be missing
	taken   func() // called for each message
	running atomic.Int32
}

func (c *consumer) run() {
	if c.running.Add(1) != 1 {
		c.t.Errorf("two consumers")
	}
	for {
		var m msg
		switch c.q.Pop(&m) {
		case Popped:
			if m.seq < c.next[m.from] || m.seq > c.next[m.from] && !c.gaps {
				c.t.Errorf("producer %d: got message %d, want %d", m.from, m.seq, c.next[m.from])
			}
			c.next[m.from] = m.seq + 1
			c.taken()
		case Empty:
			c.running.Add(-1) // before the next consumer can come
			if c.q.TryIdle() {
				return
			}
			c.running.Add(1)
		case Pending:
			runtime.Gosched()
		}
	}
}

// TestQueueHammer checks order, loss and duplication for each producer, while
// others take the queue without mail whenever it rests.
func TestQueueHammer(t *testing.T) {
	for _, producers := range []int{1, 2, 4, 8, 16} {
		for _, limit := range []uint32{0, 1, 5, 100} {
			t.Run(fmt.Sprintf("%d producers limit %d", producers, limit), func(t *testing.T) {
				hammer(t, producers, 2000, limit)
			})
		}
	}
}

func hammer(t *testing.T, producers, each int, limit uint32) {
	pool := NewPool[msg](0)
	var q Queue[msg]
	q.Init(pool, limit)
	var all, work sync.WaitGroup
	all.Add(producers * each)
	var over atomic.Bool
	c := &consumer{t: t, q: &q, next: make([]int, producers), taken: all.Done}
	for p := range producers {
		work.Go(func() {
			for i := 0; i < each; {
				switch q.Push(&msg{p, i}) {
				case PushedFirst:
					work.Go(c.run)
					i++
				case Pushed, PushedAhead:
					i++
				case Full:
					runtime.Gosched()
				case Closed:
					t.Errorf("closed")
				}
			}
		})
	}
	acquired := make(chan struct{})
	go func() {
		defer close(acquired)
		for !over.Load() {
			if q.TryAcquire() {
				c.run()
			}
			runtime.Gosched()
		}
	}()
	all.Wait()
	over.Store(true)
	<-acquired
	work.Wait()
	if !q.TryAcquire() || !q.TryClose() {
		t.Error("the queue does not rest at the end")
	}
	if made := int(pool.last - firstHandle + 1); pool.Free() != made-len(pool.unused) {
		t.Errorf("%d of %d segments came back", pool.Free(), made)
	}
}

// TestCloseHammer closes queues while producers push, and checks that what was
// accepted arrives and that nothing is accepted afterwards.
func TestCloseHammer(t *testing.T) {
	const producers, rounds = 4, 500
	pool := NewPool[msg](0)
	for range rounds {
		var q Queue[msg]
		q.Init(pool, 4) // with four producers it would never be empty otherwise
		var accepted, taken atomic.Int64
		var work sync.WaitGroup
		c := &consumer{t: t, q: closer{&q}, next: make([]int, producers), taken: func() { taken.Add(1) }}
		for p := range producers {
			work.Go(func() {
				for i := 0; ; {
					switch q.Push(&msg{p, i}) {
					case Closed:
						return
					case PushedFirst:
						work.Go(c.run)
						fallthrough
					case Pushed, PushedAhead:
						accepted.Add(1)
						i++
					}
					runtime.Gosched()
				}
			})
		}
		work.Wait()
		if accepted.Load() != taken.Load() {
			t.Fatalf("%d messages accepted, %d arrived", accepted.Load(), taken.Load())
		}
	}
}

// closer closes instead of resting.
type closer struct{ *Queue[msg] }

func (c closer) TryIdle() bool { return c.TryClose() }

// TestRingHammer checks that every message is either taken or evicted.
func TestRingHammer(t *testing.T) {
	const producers, each = 8, 2000
	var r Ring[msg]
	r.Init(16)
	var all, work sync.WaitGroup
	all.Add(producers * each)
	c := &consumer{t: t, q: &r, next: make([]int, producers), gaps: true, taken: all.Done}
	for p := range producers {
		work.Go(func() {
			for i := range each {
				result, _, evicted := r.Push(msg{p, i})
				if result == PushedFirst {
					work.Go(c.run)
				}
				if evicted {
					all.Done()
				}
			}
		})
	}
	all.Wait()
	work.Wait()
	if !r.TryAcquire() || !r.TryClose() {
		t.Error("the ring does not rest at the end")
	}
}

// TestAhead checks when a push says that the producers are ahead.
func TestAhead(t *testing.T) {
	var q Queue[msg]
	q.Init(NewPool[msg](0), 0)
	ahead := 0
	for i := range 2 * aheadMessages {
		if q.Push(&msg{0, i}) == PushedAhead {
			ahead++
			if q.Len() <= aheadMessages {
				t.Errorf("ahead by only %d messages", q.Len())
			}
		}
	}
	if want := aheadMessages / denseSlots; ahead < want {
		t.Errorf("told %d times to yield, want at least %d", ahead, want)
	}
}

// TestPushDoesNotAllocate checks the promise for a pool that has seen the load.
func TestPushDoesNotAllocate(t *testing.T) {
	var q Queue[msg]
	q.Init(NewPool[msg](0), 0)
	var m msg
	allocs := testing.AllocsPerRun(100, func() {
		for range 1000 {
			q.Push(&m)
		}
		for range 1000 {
			q.Pop(&m)
		}
		q.TryIdle()
	})
	if allocs != 0 {
		t.Errorf("%v allocations, want 0", allocs)
	}
}

func TestSizes(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("sizes of 64-bit platforms")
	}
	if got := unsafe.Sizeof(Queue[msg]{}); got != 96 {
		t.Errorf("Queue has %d bytes, want 96", got)
	}
	if got := unsafe.Sizeof(largeSegment[wide]{}); got != 4096-8 {
		t.Errorf("large segment has %d bytes, want 4088", got)
	}
	if got := unsafe.Sizeof(smallSegment[wide]{}); got != 320 {
		t.Errorf("small segment has %d bytes, want 320", got)
	}
}

// aheadMessages is aheadBytes for the messages of these tests.
const aheadMessages = aheadBytes / int(unsafe.Sizeof(slot[msg]{}))
