// SPDX-License-Identifier: MIT

package cases

import (
	"fmt"
	"sync"

	"github.com/troupe-go/troupe/bench/compare"
)

// Message is the payload of the mailbox cases. All mailboxes carry pointers to
// messages that exist before the run, so that the queue is measured and not the
// making of messages.
type Message struct {
	Value int64
}

// Mailbox is one queue with its consumer. The loops are on the contender's
// side, so that no indirect call per message is added to queues that cost
// little more than one.
type Mailbox struct {
	// Expect is told how many messages are coming, before the first. May be nil.
	Expect func(count int)
	// Produce pushes the messages in order, again from the start, until count
	// have been pushed. Called by each producer's goroutine. A full bounded
	// queue waits: no contender loses messages.
	Produce func(messages []*Message, count int)
	// Consume returns the sum of the values of count messages. Called by one
	// goroutine, at the same time as the producers. A contender that runs its
	// consumer on demand waits here for it.
	Consume func(count int) int64
	// Close ends the contender's goroutines. May be nil.
	Close func()
}

const (
	mailboxMessages = 100_000
	// Distinct is the number of messages that a producer has.
	Distinct = 64
)

// mailboxCases is the comparison that the project is named for: how long until
// 100,000 messages from p producers went through one mailbox to one consumer.
func mailboxCases(linked []Library) []compare.Case {
	var out []compare.Case
	for _, producers := range []int{1, 2, 4, 8, 16} {
		c := compare.Case{
			Name:  fmt.Sprintf("mailbox/p%d", producers),
			About: fmt.Sprintf("100,000 pointers from %d producers through one mailbox to one consumer, which sleeps while it is empty", producers),
			N:     mailboxMessages,
		}
		add(&c, "mailbox", linked, func(lib Library) func(b *compare.B) func(n int) {
			if lib.Mailbox == nil {
				return nil
			}
			return func(b *compare.B) func(n int) { return pump(b, producers, lib.Mailbox()) }
		})
		out = append(out, c)
	}
	return out
}

// pump returns the work of the mailbox cases: it starts the producers and
// consumes what they send.
func pump(b *compare.B, producers int, m Mailbox) func(n int) {
	if m.Close != nil {
		b.Cleanup(m.Close)
	}
	messages := make([][]*Message, producers)
	for p := range messages {
		for i := range Distinct {
			messages[p] = append(messages[p], &Message{Value: int64(p*Distinct + i + 1)})
		}
	}
	return func(n int) {
		if m.Expect != nil {
			m.Expect(n)
		}
		var wg sync.WaitGroup
		var want int64
		for p := range producers {
			count := Share(n, producers, p)
			for i := range count {
				want += messages[p][i%Distinct].Value
			}
			wg.Go(func() { m.Produce(messages[p], count) })
		}
		got := m.Consume(n)
		wg.Wait()
		compare.Check("sum of the values received", got, want)
	}
}

// Share returns the part of n that the i-th of parts takes.
func Share(n, parts, i int) int {
	if i < n%parts {
		return n/parts + 1
	}
	return n / parts
}
