// SPDX-License-Identifier: MIT

package troupe_test

import (
	"context"
	"fmt"

	"github.com/troupe-go/troupe"
)

// Hop passes a call on.
type Hop struct{ troupe.Actor }

// Jump jumps that many times and returns the trace that it finds.
func (h *Hop) Jump(ctx context.Context, times int) (string, error) {
	if times == 0 {
		trace, ok := troupe.TraceOf(ctx)
		return fmt.Sprintf("%x %t", trace.TraceID[:2], ok), nil
	}
	var seen string
	err := troupe.CallFrom(ctx, h, troupe.ID("hop", h.ID()+1), "Jump", &seen, times-1)
	return seen, err
}

// How do I follow a request through many actors? A W3C trace context travels
// with calls, through every hop and from node to node.
func ExampleWithTrace() {
	node := startNode(troupe.Config{}, troupe.Virtual[Hop]("hop"))
	defer stopNode(node)

	ctx := troupe.WithTrace(context.Background(), troupe.TraceContext{TraceID: [16]byte{0xab, 0xcd}})
	var seen string
	err := node.Call(ctx, troupe.ID("hop", 1), "Jump", &seen, 3)
	fmt.Println(seen, err)
	err = node.Call(context.Background(), troupe.ID("hop", 1), "Jump", &seen, 3)
	fmt.Println(seen, err)
	// Output:
	// abcd true <nil>
	// 0000 false <nil>
}
