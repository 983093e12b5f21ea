// SPDX-License-Identifier: MIT

//go:build !mpscmodel

package mpsc

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// benchMessages is what one iteration of a benchmark sends in all.
const benchMessages = 100_000

// contender is a queue with its consumer. run starts the consumer, which ends
// after benchMessages; push may be called by any goroutine.
type contender[T any] interface {
	push(v *T)
	run() (done <-chan struct{})
}

type wide [7]uint64 // as large as an envelope

// BenchmarkQueue measures the time from the first push to the last pop of
// 100,000 messages, for several numbers of producers.
func BenchmarkQueue(b *testing.B) {
	b.Run("8B", func(b *testing.B) { benchElement[uint64](b) })
	b.Run("56B", func(b *testing.B) { benchElement[wide](b) })
	b.Run("56Bptr", func(b *testing.B) { benchElement[wideptr](b) })
}

type wideptr struct {
	p    *int
	a, b uint64
	c    any
	d, e uint64
}

func benchElement[T any](b *testing.B) {
	for _, c := range []struct {
		name string
		make func() contender[T]
	}{
		{"queue", func() contender[T] { return newQueueContender[T](0) }},
		{"bounded", func() contender[T] { return newQueueContender[T](1 << 20) }},
		{"channel100", func() contender[T] { return chanContender[T]{make(chan T, 100)} }},
		{"channel1024", func() contender[T] { return chanContender[T]{make(chan T, 1024)} }},
		{"mutex", func() contender[T] { return &mutexContender[T]{wake: make(chan struct{}, 1)} }},
		{"linked", func() contender[T] { return newLinkedContender[T]() }},
	} {
		b.Run(c.name, func(b *testing.B) {
			for _, producers := range []int{1, 2, 4, 8, 16} {
				b.Run(fmt.Sprintf("p%d", producers), func(b *testing.B) {
					benchContender(b, c.make(), producers)
				})
			}
		})
	}
}

func benchContender[T any](b *testing.B, c contender[T], producers int) {
	b.ReportAllocs()
	for b.Loop() {
		done := c.run()
		for p := range producers {
			share := benchMessages / producers
			if p == 0 {
				share += benchMessages % producers
			}
			go func() {
				var v T
				for range share {
					c.push(&v)
				}
			}()
		}
		<-done
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchMessages, "ns/msg")
}

// queueContender wakes a consumer that waits on a channel, as the others do.
type queueContender[T any] struct {
	q    Queue[T]
	wake chan struct{}
}

func newQueueContender[T any](limit uint32) *queueContender[T] {
	c := &queueContender[T]{wake: make(chan struct{}, 1)}
	c.q.Init(NewPool[T](0), limit)
	return c
}

func (c *queueContender[T]) push(v *T) {
	switch c.q.Push(v) {
	case PushedFirst:
		c.wake <- struct{}{}
	case PushedAhead:
		runtime.Gosched()
	}
}

func (c *queueContender[T]) run() <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		var v T
		for n := 0; n < benchMessages; {
			<-c.wake
			n += c.drain(&v)
		}
	}()
	return done
}

// drain consumes until the queue is idle.
func (c *queueContender[T]) drain(v *T) (n int) {
	for {
		switch c.q.Pop(v) {
		case Popped:
			n++
		case Empty:
			if c.q.TryIdle() {
				return n
			}
		case Pending:
			runtime.Gosched()
		}
	}
}

type chanContender[T any] struct{ ch chan T }

func (c chanContender[T]) push(v *T) { c.ch <- *v }

func (c chanContender[T]) run() <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range benchMessages {
			<-c.ch
		}
	}()
	return done
}

// mutexContender is a mutex and two slices: the consumer takes all that has
// gathered and leaves the slice it has read.
type mutexContender[T any] struct {
	mu    sync.Mutex
	in    []T
	asked bool // the consumer has been or is being woken
	wake  chan struct{}
}

func (c *mutexContender[T]) push(v *T) {
	c.mu.Lock()
	c.in = append(c.in, *v)
	asked := c.asked
	c.asked = true
	c.mu.Unlock()
	if !asked {
		c.wake <- struct{}{}
	}
}

func (c *mutexContender[T]) run() <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		var out []T
		var v T
		for n := 0; n < benchMessages; {
			<-c.wake
			for {
				c.mu.Lock()
				clear(out)
				out, c.in = c.in, out[:0]
				if len(out) == 0 {
					c.asked = false
					c.mu.Unlock()
					break
				}
				c.mu.Unlock()
				for i := range out {
					v = out[i]
				}
				n += len(out)
			}
		}
		sink(&v)
	}()
	return done
}

// linkedContender is the classic linked queue (Vyukov): a node per message, and
// a channel to wake the consumer.
type linkedContender[T any] struct {
	tail   atomic.Pointer[linkedNode[T]]
	head   *linkedNode[T]
	asleep atomic.Bool
	wake   chan struct{}
}

type linkedNode[T any] struct {
	next atomic.Pointer[linkedNode[T]]
	val  T
}

func newLinkedContender[T any]() *linkedContender[T] {
	c := &linkedContender[T]{head: new(linkedNode[T]), wake: make(chan struct{}, 1)}
	c.tail.Store(c.head)
	return c
}

func (c *linkedContender[T]) push(v *T) {
	n := &linkedNode[T]{val: *v}
	c.tail.Swap(n).next.Store(n)
	if c.asleep.Load() && c.asleep.CompareAndSwap(true, false) {
		c.wake <- struct{}{}
	}
}

func (c *linkedContender[T]) pop(v *T) bool {
	next := c.head.next.Load()
	if next == nil {
		return false
	}
	*v = next.val
	var zero T
	next.val = zero
	c.head = next
	return true
}

func (c *linkedContender[T]) run() <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		var v T
		for n := 0; n < benchMessages; {
			if c.pop(&v) {
				n++
				continue
			}
			c.asleep.Store(true)
			if c.head.next.Load() != nil {
				if c.asleep.CompareAndSwap(true, false) {
					continue
				}
			}
			<-c.wake
		}
		sink(&v)
	}()
	return done
}

//go:noinline
func sink[T any](*T) {}
