// SPDX-License-Identifier: MIT

package troupe_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/troupe-go/troupe"
)

// Scores keeps points until it is deactivated.
type Scores struct {
	troupe.Actor
	points int
}

// Win adds points.
func (s *Scores) Win(_ context.Context, points int) error {
	s.points += points
	return nil
}

// OnDeactivate is the place to save.
func (s *Scores) OnDeactivate(context.Context) error {
	fmt.Println("saved", s.points)
	return nil
}

// How do I shut down without losing messages? Stop refuses new ones from
// outside, lets the actors handle what is queued, and deactivates them. Its
// context bounds how long that may take.
func ExampleNode_Stop() {
	node := startNode(troupe.Config{}, troupe.Virtual[Scores]("scores"))
	for range 1000 {
		if err := node.Send(troupe.ID("scores", 1), "Win", 2); err != nil {
			fmt.Println(err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	fmt.Println("stopped", node.Stop(ctx))

	err := node.Send(troupe.ID("scores", 1), "Win", 2)
	fmt.Println("refused", errors.Is(err, troupe.ErrStopped))
	// Output:
	// saved 2000
	// stopped <nil>
	// refused true
}
