// SPDX-License-Identifier: MIT

package troupe_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/troupe-go/troupe"
)

// ErrSoldOut is an error of the game. Its code keeps its identity when the
// caller is on another node.
var ErrSoldOut = &troupe.UserError{Code: 7, Text: "sold out"}

// Shop sells three of each.
type Shop struct {
	troupe.Actor
	sold map[string]int
}

// Buy returns what is left.
func (s *Shop) Buy(_ context.Context, item string) (int, error) {
	if s.sold == nil {
		s.sold = map[string]int{}
	}
	if s.sold[item] == 3 {
		return 0, fmt.Errorf("buy %s: %w", item, ErrSoldOut)
	}
	s.sold[item]++
	return 3 - s.sold[item], nil
}

// What can go wrong with a call, and may I try again? A handler's own errors
// and troupe's are told apart with errors.Is. A CallError knows whether the
// message may have been handled.
func ExampleCallError() {
	node := startNode(troupe.Config{}, troupe.Virtual[Shop]("shop"))
	ctx, shop := context.Background(), troupe.ID("shop", 1)
	var left int
	var err error
	for range 4 {
		err = node.Call(ctx, shop, "Buy", &left, "sword")
	}
	fmt.Println(errors.Is(err, ErrSoldOut), err)

	report := func(err error, want error) {
		var failed *troupe.CallError
		if errors.As(err, &failed) {
			fmt.Println(failed.Method, errors.Is(err, want), "safe to retry:", failed.SafeToRetry())
		}
	}
	report(node.Call(ctx, shop, "Buy", &left), troupe.ErrBadArguments)
	report(node.Call(ctx, shop, "Steal", nil), troupe.ErrUnknownMethod)
	report(node.Call(ctx, troupe.ID("shrine", 1), "Pray", nil), troupe.ErrUnknownKind)
	late, cancel := context.WithCancel(ctx)
	cancel()
	report(node.Call(late, shop, "Buy", &left, "bow"), context.Canceled)
	stopNode(node)
	report(node.Call(ctx, shop, "Buy", &left, "bow"), troupe.ErrStopped)
	// Output:
	// true call shop/1.Buy: buy sword: sold out
	// Buy true safe to retry: true
	// Steal true safe to retry: true
	// Pray true safe to retry: true
	// Buy true safe to retry: true
	// Buy true safe to retry: true
}
