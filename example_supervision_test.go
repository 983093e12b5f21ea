// SPDX-License-Identifier: MIT

package troupe_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/troupe-go/troupe"
)

// Dice remembers the sum of its rolls.
type Dice struct {
	troupe.Actor
	sum int
}

// Roll panics on a seven.
func (d *Dice) Roll(_ context.Context, eyes int) (int, error) {
	d.sum += eyes
	if eyes > 6 {
		panic("no such side")
	}
	return d.sum, nil
}

// What happens after a panic? Its message is lost and its caller told, nobody
// else notices. The kind's Supervision says what becomes of the actor.
func ExampleSupervise() {
	restart := troupe.Supervision{Backoff: 10 * time.Millisecond} // the default: a new instance
	resume := troupe.Supervision{Directive: troupe.Resume}        // go on as if nothing was
	stop := troupe.Supervision{Directive: troupe.Stop}            // a virtual actor comes back when needed
	node := startNode(troupe.Config{},
		troupe.Virtual[Dice]("restarted", troupe.Supervise(restart)),
		troupe.Virtual[Dice]("resumed", troupe.Supervise(resume)),
		troupe.Virtual[Dice]("stopped", troupe.Supervise(stop)),
	)
	defer stopNode(node)

	ctx := context.Background()
	for _, kind := range []string{"restarted", "resumed", "stopped"} {
		var sum int
		_ = node.Call(ctx, troupe.ID(kind, 1), "Roll", &sum, 6)
		err := node.Call(ctx, troupe.ID(kind, 1), "Roll", &sum, 7)
		fmt.Println(kind, errors.Is(err, troupe.ErrPanic))
		err = node.Call(ctx, troupe.ID(kind, 1), "Roll", &sum, 1)
		fmt.Println(kind, sum, err)
	}
	// Output:
	// restarted true
	// restarted 1 <nil>
	// resumed true
	// resumed 14 <nil>
	// stopped true
	// stopped 1 <nil>
}
