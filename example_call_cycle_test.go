// SPDX-License-Identifier: MIT

package troupe_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/troupe-go/troupe"
)

// Friend greets another friend, who greets back.
type Friend struct{ troupe.Actor }

// Greet calls the other one and so waits for it.
func (f *Friend) Greet(ctx context.Context, other troupe.Ref) error {
	return troupe.CallFrom(ctx, f, other, "GreetBack", nil, f.Ref())
}

// GreetBack calls the one who waits for it.
func (f *Friend) GreetBack(ctx context.Context, other troupe.Ref) error {
	return troupe.CallFrom(ctx, f, other, "Name", nil)
}

// Name returns the name.
func (f *Friend) Name(context.Context) (string, error) { return f.Key(), nil }

// What if two actors call each other? One would wait for itself. Such a call
// fails at once and prints the chain, instead of hanging until the deadline.
// Kinds that keep their state consistent at every call can allow it with
// Reentrant.
func ExampleReentrant() {
	node := startNode(troupe.Config{},
		troupe.Virtual[Friend]("friend"),
		troupe.Virtual[Friend]("patient", troupe.Reentrant()),
	)
	defer stopNode(node)

	ctx := context.Background()
	err := node.Call(ctx, troupe.Name("friend", "ann"), "Greet", nil, troupe.Name("friend", "bob"))
	fmt.Println(errors.Is(err, troupe.ErrCallCycle))
	var cycle *troupe.CycleError
	if errors.As(err, &cycle) {
		fmt.Println(cycle.Chain)
	}
	err = node.Call(ctx, troupe.Name("patient", "ann"), "Greet", nil, troupe.Name("friend", "bob"))
	fmt.Println(err)
	// Output:
	// true
	// [friend/ann friend/bob friend/ann]
	// <nil>
}
