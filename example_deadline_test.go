// SPDX-License-Identifier: MIT

package troupe_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/troupe-go/troupe"
)

// Oracle thinks as long as it may.
type Oracle struct{ troupe.Actor }

// Ask waits for the end of its context: a handler sees its caller's deadline.
func (o *Oracle) Ask(ctx context.Context, depth int) error {
	if depth > 0 {
		// The deadline travels with the call.
		return troupe.CallFrom(ctx, o, troupe.ID("oracle", o.ID()+1), "Ask", nil, depth-1)
	}
	<-ctx.Done()
	return ctx.Err()
}

// How long does a call wait? Until the deadline of its context, or, if it has
// none, Config.CallTimeout. The result of a call that timed out is not known:
// the handler may have run.
func ExampleNode_Call_deadline() {
	node := startNode(troupe.Config{}, troupe.Virtual[Oracle]("oracle"))
	defer stopNode(node)

	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	err := node.Call(ctx, troupe.ID("oracle", 1), "Ask", nil, 3)
	fmt.Println(errors.Is(err, troupe.ErrTimeout), errors.Is(err, context.DeadlineExceeded))
	var failed *troupe.CallError
	fmt.Println(errors.As(err, &failed) && failed.SafeToRetry())
	// Output:
	// true true
	// false
}
