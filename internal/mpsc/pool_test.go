// SPDX-License-Identifier: MIT

//go:build !mpscmodel

package mpsc

import (
	"runtime"
	"sync"
	"testing"
	"weak"
)

// TestPoolShares checks that idle queues own nothing and that a pool keeps no
// more than it should.
func TestPoolShares(t *testing.T) {
	for _, test := range []struct {
		name         string
		retain       int
		atMost, free int // segments of both sizes
	}{
		{"default", 0, 1 << 20, 1},
		{"some", 32, 64, 1},
		{"none", -1, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			pool := NewPool[int](test.retain)
			queues := make([]Queue[int], 200)
			for i := range queues {
				queues[i].Init(pool, 0)
				for v := range 300 {
					queues[i].Push(&v)
				}
			}
			if pool.Free() != 0 {
				t.Errorf("%d free segments while all are in use", pool.Free())
			}
			for i := range queues {
				drain(t, &queues[i], 300)
			}
			if got := pool.Free(); got > test.atMost || got < test.free {
				t.Errorf("got %d free segments, want %d to %d", got, test.free, test.atMost)
			}
			if live := int(pool.last-firstHandle+1) - len(pool.unused); live != pool.Free() {
				t.Errorf("%d segments in the directory, %d free", live, pool.Free())
			}
		})
	}
}

// drain consumes want messages and lets q rest.
func drain(t *testing.T, q *Queue[int], want int) {
	t.Helper()
	for i := range want {
		var v int
		if r := q.Pop(&v); r != Popped || v != i {
			t.Fatalf("got %v, %d, want message %d", r, v, i)
		}
	}
	if !q.TryIdle() {
		t.Fatal("an empty queue does not rest")
	}
}

// TestPoolExhausted pretends that all handles are in use.
func TestPoolExhausted(t *testing.T) {
	pool := NewPool[int](0)
	var q Queue[int]
	q.Init(pool, 0)
	pool.last = handleMask
	v := 0
	if r := q.Push(&v); r != Full {
		t.Fatalf("got %v, want Full", r)
	}
	pool.last = handleMask - 1
	for i := range smallSlots {
		if r := q.Push(&i); !r.OK() {
			t.Fatalf("message %d: %v", i, r)
		}
	}
	if r := q.Push(&v); r != Full {
		t.Fatalf("got %v, want Full", r)
	}
	drain(t, &q, smallSlots)
	if r := q.Push(&v); r != PushedFirst {
		t.Fatalf("got %v, want PushedFirst", r)
	}
	drain(t, &q, 1)
}

// TestGenerations lets segments go through all generations, with slots that are
// used in some of them only.
func TestGenerations(t *testing.T) {
	var q Queue[int]
	q.Init(NewPool[int](0), 0)
	for round := range maxGen + 10 {
		n := 1
		if round%1000 == 0 || round > maxGen-10 {
			n = smallSlots
		}
		for i := range n {
			q.Push(&i)
		}
		drain(t, &q, n)
	}
}

// TestRefusedPushesSettle refuses more pushes than the index has room for.
func TestRefusedPushesSettle(t *testing.T) {
	q := new(Queue[int])
	q.Init(NewPool[int](0), 2)
	v := 0
	for range 1 << 18 {
		q.Push(&v)
	}
	if q.Len() != 2 {
		t.Fatalf("got %d messages, want 2", q.Len())
	}
	for range 2 {
		q.Pop(&v)
	}
	if !q.TryClose() {
		t.Fatal("an empty queue does not close")
	}
	for range 1 << 18 {
		if r := q.Push(&v); r != Closed {
			t.Fatalf("got %v, want Closed", r)
		}
	}
}

// TestMessagesDie checks that a queue keeps no popped message alive.
func TestMessagesDie(t *testing.T) {
	var q Queue[*[1024]int]
	q.Init(NewPool[*[1024]int](0), 0)
	m := new([1024]int)
	w := weak.Make(m)
	q.Push(&m)
	q.Push(&m)
	m = nil
	for range 2 {
		var out *[1024]int
		q.Pop(&out)
	}
	runtime.GC()
	if w.Value() != nil {
		t.Error("a popped message is still alive")
	}
	runtime.KeepAlive(&q)
}

// TestPoolHammer moves segments between many queues that rest often, while the
// pool drops and makes segments.
func TestPoolHammer(t *testing.T) {
	const queues, producers, each = 20, 6, 4000
	pool := NewPool[msg](16)
	var all sync.WaitGroup
	all.Add(producers * each)
	qs := make([]Queue[msg], queues)
	consumers := make([]*consumer, queues)
	for i := range qs {
		qs[i].Init(pool, 0)
		consumers[i] = &consumer{t: t, q: &qs[i], next: make([]int, producers), taken: all.Done}
	}
	for p := range producers {
		go func() {
			seqs := make([]int, queues)
			for i := range each {
				// Runs of messages to one queue, of changing length.
				to := (i / (1 + i%97) * 7) % queues
				if qs[to].Push(&msg{p, seqs[to]}) == PushedFirst {
					go consumers[to].run()
				}
				seqs[to]++
			}
		}()
	}
	all.Wait()
}

// TestDroppedSegmentHasNoRef checks that a segment that a producer still has for
// a hint cannot be taken for the one that got its handle.
func TestDroppedSegmentHasNoRef(t *testing.T) {
	pool := NewPool[int](-1)
	s := pool.get(large, 0)
	first := s.ref()
	pool.put(s, 0)
	if s.ref() != 0 {
		t.Errorf("a dropped segment has the ref %x", s.ref())
	}
	if other := pool.get(large, 0).ref(); other.handle() != first.handle() || other == first {
		t.Errorf("ref %x after %x, want the same handle in another generation", other, first)
	}
}
