// SPDX-License-Identifier: MIT

package cases

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// channel is a Go channel: bounded, the producers wait while it is full.
func channel(capacity int) Library {
	return Library{Name: fmt.Sprintf("channel%d", capacity), Mailbox: func() Mailbox {
		ch := make(chan *Message, capacity)
		return Mailbox{
			Produce: func(messages []*Message, count int) {
				for i := range count {
					ch <- messages[i%Distinct]
				}
			},
			Consume: func(count int) (sum int64) {
				for range count {
					sum += (<-ch).Value
				}
				return sum
			},
		}
	}}
}

// mutexQueue is the queue that everybody writes first, and a hard one to beat:
// producers append under a lock, the consumer swaps the full slice for its
// empty one and walks it without the lock. The channel wakes a sleeping
// consumer, once per transition from empty.
type mutexQueue struct {
	mu      sync.Mutex
	filling []*Message
	wake    chan struct{}
}

func (q *mutexQueue) push(m *Message) {
	q.mu.Lock()
	q.filling = append(q.filling, m)
	first := len(q.filling) == 1
	q.mu.Unlock()
	if first {
		select {
		case q.wake <- struct{}{}:
		default:
		}
	}
}

// swap hands out what has been pushed, and takes an empty slice to fill next.
func (q *mutexQueue) swap(empty []*Message) []*Message {
	q.mu.Lock()
	full := q.filling
	q.filling = empty
	q.mu.Unlock()
	return full
}

func mutexLibrary() Library {
	return Library{Name: "mutex", Mailbox: func() Mailbox {
		q := &mutexQueue{wake: make(chan struct{}, 1)}
		var spare []*Message
		return Mailbox{
			Produce: func(messages []*Message, count int) {
				for i := range count {
					q.push(messages[i%Distinct])
				}
			},
			Consume: func(count int) (sum int64) {
				for count > 0 {
					batch := q.swap(spare[:0])
					if len(batch) == 0 {
						spare = batch
						<-q.wake
						continue
					}
					for _, m := range batch {
						sum += m.Value
					}
					clear(batch) // do not keep messages alive
					count -= len(batch)
					spare = batch
				}
				return sum
			},
		}
	}}
}

// linkedQueue restates the classic linked queue of many producers and one
// consumer (D. Vyukov's non-intrusive MPSC): a node per message, a swap of the
// tail decides the order, and a channel of capacity 1 wakes the consumer.
type linkedQueue struct {
	tail atomic.Pointer[linkedNode] // pushed last; written by producers
	_    [56]byte                   // keep the ends on cache lines of their own
	head *linkedNode                // popped last; the consumer's
	wake chan struct{}
}

type linkedNode struct {
	next atomic.Pointer[linkedNode]
	m    *Message
}

func newLinkedQueue() *linkedQueue {
	q := &linkedQueue{wake: make(chan struct{}, 1)}
	q.head = new(linkedNode)
	q.tail.Store(q.head)
	return q
}

func (q *linkedQueue) push(m *Message) {
	node := &linkedNode{m: m}
	q.tail.Swap(node).next.Store(node)
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *linkedQueue) pop() *Message {
	next := q.head.next.Load()
	if next == nil {
		return nil
	}
	m := next.m
	next.m = nil
	q.head = next
	return m
}

func linkedLibrary() Library {
	return Library{Name: "linked", Mailbox: func() Mailbox {
		q := newLinkedQueue()
		return Mailbox{
			Produce: func(messages []*Message, count int) {
				for i := range count {
					q.push(messages[i%Distinct])
				}
			},
			Consume: func(count int) (sum int64) {
				for count > 0 {
					m := q.pop()
					if m == nil {
						<-q.wake
						continue
					}
					sum += m.Value
					count--
				}
				return sum
			},
		}
	}}
}
