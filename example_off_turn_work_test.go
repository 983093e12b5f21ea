// SPDX-License-Identifier: MIT

package troupe_test

import (
	"context"
	"fmt"

	"github.com/troupe-go/troupe"
)

// Match asks a slow rating service and stays responsive.
type Match struct {
	troupe.Actor
	rating int
}

// Rate starts the work and returns at once.
func (m *Match) Rate(_ context.Context, answer chan int, rated chan struct{}) error {
	return troupe.Go(m,
		func(ctx context.Context) (int, error) {
			// Not on the turn: may block, must not touch m.
			select {
			case rating := <-answer:
				return rating, nil
			case <-ctx.Done():
				return 0, ctx.Err()
			}
		},
		func(rating int, err error) {
			// On the turn again: may change m.
			if err == nil {
				m.rating = rating
			}
			close(rated)
		})
}

// Rating returns the latest rating.
func (m *Match) Rating(context.Context) (int, error) { return m.rating, nil }

// How does an actor wait for something slow and handle messages meanwhile? A
// handler may block, but then its actor waits. Go does the work on a goroutine
// of its own and continues on the actor's turn.
func ExampleGo() {
	node := startNode(troupe.Config{}, troupe.Virtual[Match]("match"))
	defer stopNode(node)

	ctx, match := context.Background(), troupe.ID("match", 1)
	answer, rated := make(chan int), make(chan struct{})
	fmt.Println(node.Call(ctx, match, "Rate", nil, answer, rated))
	var rating int
	fmt.Println(node.Call(ctx, match, "Rating", &rating), rating) // not blocked
	answer <- 1800
	<-rated
	fmt.Println(node.Call(ctx, match, "Rating", &rating), rating)
	// Output:
	// <nil>
	// <nil> 0
	// <nil> 1800
}
