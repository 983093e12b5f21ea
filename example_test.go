// SPDX-License-Identifier: MIT

package troupe_test

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/troupe-go/troupe"
)

// Counter is an actor type: a struct that embeds troupe.Actor. Its exported
// methods are its message handlers.
type Counter struct {
	troupe.Actor
	n int64
}

// Add is called on the counter's turn; it needs no lock.
func (c *Counter) Add(_ context.Context, d int64) (int64, error) {
	c.n += d
	return c.n, nil
}

// A node by itself: make it, tell it the kinds, start it, use it, stop it.
func Example() {
	ctx := context.Background()
	node, err := troupe.New(troupe.Config{}) // one node, in memory, no port, no disk
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := node.Register(troupe.Virtual[Counter]("counter")); err != nil {
		fmt.Println(err)
		return
	}
	if err := node.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	for _, d := range []int{3, 4} {
		var total int64
		err := node.Call(ctx, troupe.ID("counter", 42), "Add", &total, d)
		fmt.Println(total, err)
	}
	if err := node.Stop(ctx); err != nil {
		fmt.Println(err)
	}
	// Output:
	// 3 <nil>
	// 7 <nil>
}

// startNode is what the other examples begin with: New, Register and Start as
// in the example of the package, with the log discarded.
func startNode(config troupe.Config, kinds ...troupe.Kind) *troupe.Node {
	config.Logger = slog.New(slog.DiscardHandler)
	node, err := troupe.New(config)
	if err == nil {
		err = node.Register(kinds...)
	}
	if err == nil {
		err = node.Start(context.Background())
	}
	if err != nil {
		panic(err)
	}
	return node
}

// stopNode is what they end with.
func stopNode(node *troupe.Node) {
	if err := node.Stop(context.Background()); err != nil {
		panic(err)
	}
}
