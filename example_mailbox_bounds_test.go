// SPDX-License-Identifier: MIT

package troupe_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/troupe-go/troupe"
)

// Slow handles its messages slowly.
type Slow struct{ troupe.Actor }

// Block waits until it is told to go on.
func (s *Slow) Block(_ context.Context, started, goOn chan struct{}) error {
	close(started)
	<-goOn
	return nil
}

// Note takes a note.
func (s *Slow) Note(_ context.Context, n int, noted chan int) error {
	noted <- n
	return nil
}

// What happens when messages come faster than they are handled? Mailboxes are
// bounded. A full one refuses, forgets the oldest message, or lets the sender
// wait until its deadline, as the kind says.
func ExampleOnFull() {
	kinds := map[string]troupe.Overflow{
		"refusing":  troupe.Refuse, // the default
		"forgetful": troupe.DropOldest,
		"waiting":   troupe.Wait,
	}
	var registered []troupe.Kind
	for name, overflow := range kinds {
		registered = append(registered, troupe.Virtual[Slow](name, troupe.MailboxLimit(2), troupe.OnFull(overflow)))
	}
	node := startNode(troupe.Config{CallTimeout: 50 * time.Millisecond}, registered...)
	defer stopNode(node)

	for _, kind := range []string{"refusing", "forgetful", "waiting"} {
		started, goOn, noted := make(chan struct{}), make(chan struct{}), make(chan int)
		_ = node.Send(troupe.ID(kind, 1), "Block", started, goOn)
		<-started
		for n := range 4 {
			err := node.Send(troupe.ID(kind, 1), "Note", n, noted)
			if errors.Is(err, troupe.ErrMailboxFull) {
				fmt.Println(kind, "has no room for", n)
			}
		}
		close(goOn)
		fmt.Println(kind, "noted", <-noted, <-noted)
	}
	// Output:
	// refusing has no room for 2
	// refusing has no room for 3
	// refusing noted 0 1
	// forgetful noted 2 3
	// waiting has no room for 2
	// waiting has no room for 3
	// waiting noted 0 1
}
