// SPDX-License-Identifier: MIT

package troupe_test

import (
	"context"
	"fmt"

	"github.com/troupe-go/troupe"
)

// Door is something to look at.
type Door struct {
	troupe.Actor
	open bool
}

// Turn opens or closes it.
func (d *Door) Turn(_ context.Context, open bool) (was bool, width float64, err error) {
	was, d.open = d.open, open
	return was, 0.9, nil
}

// How does a console or a tool call actors without generated code? By name, and
// with several results through Results. Numbers convert when their value
// survives; everything else must have the right type.
func ExampleNode_Call_byName() {
	node := startNode(troupe.Config{}, troupe.Virtual[Door]("door"))
	defer stopNode(node)

	for _, kind := range node.Kinds() {
		for _, m := range kind.Methods {
			fmt.Println(kind.Class, kind.Name, m.Info().Name, m.ArgsType().NumField(), m.ReplyType().NumField())
		}
	}
	var was bool
	var width float64
	ctx, door := context.Background(), troupe.Name("door", "cellar")
	fmt.Println(node.Call(ctx, door, "Turn", troupe.Results(&was, &width), true), was, width)
	fmt.Println(node.Call(ctx, door, "Turn", nil, "wide"))
	fmt.Println(node.Call(ctx, door, "Turn", &was, true))
	// Output:
	// virtual door Turn 1 2
	// <nil> false 0.9
	// call door/cellar.Turn: troupe: bad arguments: Turn: argument 1: want bool, got string
	// call door/cellar.Turn: troupe: bad arguments: Turn returns 2 results, got a pointer for 1
}
