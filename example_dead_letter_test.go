// SPDX-License-Identifier: MIT

package troupe_test

import (
	"context"
	"fmt"

	"github.com/troupe-go/troupe"
)

// Mule carries one thing.
type Mule struct{ troupe.Actor }

// Carry panics once the gate is open.
func (m *Mule) Carry(_ context.Context, started, gate chan struct{}) error {
	close(started)
	<-gate
	panic("the mule falls")
}

// Feed is a one-way message.
func (m *Mule) Feed(context.Context) error { return nil }

// Where do messages end that nobody takes? Nothing is dropped silently: each
// such message has a dead letter with the reason, and a counter. Here an actor
// is stopped by its supervisor with messages in its mailbox.
func ExampleDeadLetter() {
	letters := make(chan troupe.DeadLetter, 10)
	node := startNode(troupe.Config{DeadLetter: func(d troupe.DeadLetter) { letters <- d }},
		troupe.Virtual[Mule]("mule", troupe.Supervise(troupe.Supervision{Directive: troupe.Stop})))
	defer stopNode(node)

	mule := troupe.ID("mule", 1)
	started, gate := make(chan struct{}), make(chan struct{})
	_ = node.Send(mule, "Carry", started, gate)
	<-started
	for range 2 {
		_ = node.Send(mule, "Feed")
	}
	close(gate)
	for range 2 {
		letter := <-letters
		fmt.Println(letter.To, letter.Method, letter.Reason)
	}
	fmt.Println(node.Count("mule", troupe.CountDropStopped))
	fmt.Println(node.Call(context.Background(), mule, "Feed", nil)) // a new one
	// Output:
	// mule/1 Feed troupe: actor stopped
	// mule/1 Feed troupe: actor stopped
	// 2
	// <nil>
}
