// SPDX-License-Identifier: MIT

//go:build !mpscmodel

package mpsc

import (
	"testing"

	"pgregory.net/rapid"
)

// reference is the simplest queue with the protocol of Queue.
type reference struct {
	limit  int
	drop   bool // drop the oldest instead of refusing
	msgs   []*int
	held   bool // somebody consumes, or was told to
	closed bool
}

func (r *reference) push(v *int) (result PushResult, evicted *int) {
	switch {
	case r.closed:
		return Closed, nil
	case r.limit > 0 && len(r.msgs) == r.limit && !r.drop:
		return Full, nil
	case r.limit > 0 && len(r.msgs) == r.limit:
		evicted, r.msgs = r.msgs[0], r.msgs[1:]
	}
	r.msgs = append(r.msgs, v)
	if r.held {
		return Pushed, evicted
	}
	r.held = true
	return PushedFirst, evicted
}

func (r *reference) pop() (*int, PopResult) {
	if len(r.msgs) == 0 {
		return nil, Empty
	}
	v := r.msgs[0]
	r.msgs = r.msgs[1:]
	return v, Popped
}

func (r *reference) tryAcquire() bool {
	if r.held || r.closed {
		return false
	}
	r.held = true
	return true
}

func (r *reference) tryRest(closed bool) bool {
	if len(r.msgs) > 0 {
		return false
	}
	r.held, r.closed = false, closed
	return true
}

// subject is a queue under test.
type subject interface {
	push(v *int) (PushResult, *int)
	Pop(out **int) PopResult
	TryAcquire() bool
	TryIdle() bool
	TryClose() bool
	Len() int
}

type queueSubject struct{ Queue[*int] }

func (q *queueSubject) push(v *int) (PushResult, *int) {
	r := q.Push(&v)
	if r == PushedAhead {
		r = Pushed
	}
	return r, nil
}

type ringSubject struct{ Ring[*int] }

func (r *ringSubject) push(v *int) (PushResult, *int) {
	result, oldest, evicted := r.Push(v)
	if evicted != (oldest != nil) {
		panic("evicted without a message, or the reverse")
	}
	return result, oldest
}

// TestQueueReference compares queues that share a pool, one operation at a time.
func TestQueueReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pool := NewPool[*int](rapid.SampledFrom([]int{-1, 1, 0}).Draw(t, "retain"))
		var subjects []subject
		var references []*reference
		for range rapid.IntRange(1, 3).Draw(t, "queues") {
			limit := rapid.SampledFrom([]int{0, 1, 3, 4, 5, 62, 66, 67, 68, 70, 130, 200}).Draw(t, "limit")
			q := new(queueSubject)
			q.Init(pool, uint32(limit))
			subjects = append(subjects, q)
			references = append(references, &reference{limit: limit})
		}
		compare(t, subjects, references)
	})
}

func TestRingReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 20).Draw(t, "limit")
		r := new(ringSubject)
		r.Init(uint32(limit))
		compare(t, []subject{r}, []*reference{{limit: limit, drop: true}})
	})
}

func compare(t *rapid.T, subjects []subject, references []*reference) {
	for range rapid.IntRange(1, 60).Draw(t, "steps") {
		i := rapid.IntRange(0, len(subjects)-1).Draw(t, "queue")
		s, r := subjects[i], references[i]
		// Bursts fill and drain segments that single operations would not.
		times := rapid.SampledFrom([]int{1, 1, 2, 10, 70, 150}).Draw(t, "times")
		switch op := rapid.SampledFrom([]string{"push", "pop", "acquire", "idle", "close"}).Draw(t, "op"); op {
		case "push":
			for range times {
				v := new(int)
				got, gotOld := s.push(v)
				want, wantOld := r.push(v)
				if got != want || gotOld != wantOld {
					t.Fatalf("push: got %v, %p, want %v, %p", got, gotOld, want, wantOld)
				}
			}
		case "pop":
			if !r.held {
				continue // nobody may
			}
			for range times {
				var got *int
				result := s.Pop(&got)
				want, wantResult := r.pop()
				if result != wantResult || got != want {
					t.Fatalf("pop: got %v, %p, want %v, %p", result, got, wantResult, want)
				}
			}
		case "acquire":
			if got, want := s.TryAcquire(), r.tryAcquire(); got != want {
				t.Fatalf("TryAcquire: got %t, want %t", got, want)
			}
		case "idle":
			if !r.held {
				continue
			}
			if got, want := s.TryIdle(), r.tryRest(false); got != want {
				t.Fatalf("TryIdle: got %t, want %t", got, want)
			}
		case "close":
			if !r.held || times < 70 { // seldom: nothing happens afterwards
				continue
			}
			if got, want := s.TryClose(), r.tryRest(true); got != want {
				t.Fatalf("TryClose: got %t, want %t", got, want)
			}
		}
		if got, want := s.Len(), len(r.msgs); got != want {
			t.Fatalf("Len: got %d, want %d", got, want)
		}
	}
}
