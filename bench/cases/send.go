// SPDX-License-Identifier: MIT

package cases

import (
	"sync"

	"github.com/troupe-go/troupe/bench/compare"
)

// SendShape says how many send to how many. Sender i sends to receiver
// i % Receivers.
type SendShape struct {
	Senders, Receivers int
}

// Ping is the message of send/* for libraries that send Go values: each message
// has its own number, so each is made for its send.
type Ping struct {
	Value int64
}

// sendCases measure one-way messages from plain goroutines to actors, from the
// first send until the last message has been handled. The handler adds a number
// to the actor's state, and nothing else.
//
// Where a contender is bounded (goroutine and channel, troupe, protoactor's
// bounded mailbox) a sender that is too fast waits; unbounded mailboxes take
// memory instead, which their figures contain.
func sendCases(linked []Library) []compare.Case {
	var out []compare.Case
	for _, s := range []struct {
		name, about string
		shape       SendShape
	}{
		{"send/1to1", "one-way messages, 1 sender, 1 actor", SendShape{1, 1}},
		{"send/4to1", "one-way messages, 4 senders, 1 actor", SendShape{4, 1}},
		{"send/pairs2", "one-way messages, 2 senders with an actor each", SendShape{2, 2}},
		{"send/pairs8", "one-way messages, 8 senders with an actor each", SendShape{8, 8}},
	} {
		c := compare.Case{Name: s.name, About: s.about, N: 1_000_000}
		add(&c, "send", linked, func(lib Library) func(b *compare.B) func(n int) {
			if lib.Send == nil {
				return nil
			}
			return func(b *compare.B) func(n int) { return lib.Send(b, s.shape) }
		})
		out = append(out, c)
	}
	return out
}

// Flood is the work of send/* around a contender's loop: send sends the values
// 1 to count to the receiver.
func Flood(shape SendShape, receivers []*Tally, send func(receiver, count int)) func(n int) {
	return func(n int) {
		expected := make([]int, shape.Receivers)
		want := make([]int64, shape.Receivers)
		for s := range shape.Senders {
			count := Share(n, shape.Senders, s)
			expected[s%shape.Receivers] += count
			want[s%shape.Receivers] += int64(count) * int64(count+1) / 2
		}
		for r, t := range receivers {
			t.Expect(expected[r])
		}
		var wg sync.WaitGroup
		for s := range shape.Senders {
			wg.Go(func() { send(s%shape.Receivers, Share(n, shape.Senders, s)) })
		}
		for r, t := range receivers {
			compare.Check("sum of the values received", t.Wait(), want[r])
		}
		wg.Wait()
	}
}

// Tallies returns one tally per receiver.
func (s SendShape) Tallies() []*Tally {
	out := make([]*Tally, s.Receivers)
	for i := range out {
		out[i] = NewTally()
	}
	return out
}
