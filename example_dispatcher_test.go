// SPDX-License-Identifier: MIT

package troupe_test

import (
	"context"
	"fmt"

	"github.com/troupe-go/troupe"
)

// Purse is an actor without reflection: what "troupe gen" writes for you,
// written by hand.
type Purse struct {
	troupe.Actor
	gold int64
}

// Pay is the handler.
func (p *Purse) Pay(_ context.Context, amount int64) (int64, error) {
	p.gold += amount
	return p.gold, nil
}

// The arguments and results as structs: field i is argument i.
type (
	payArgs  struct{ Amount int64 }
	payReply struct{ Gold int64 }
)

// One method variable per handler. Its number is its name between nodes.
var pursePay = troupe.Method[payArgs, payReply]{
	MethodInfo: troupe.MethodInfo{Name: "Pay", Number: 1, Access: troupe.AccessClient},
	Invoke: func(ctx context.Context, self any, args *payArgs, reply *payReply) error {
		var err error
		reply.Gold, err = self.(*Purse).Pay(ctx, args.Amount)
		return err
	},
}

var purseMethods = []troupe.AnyMethod{&pursePay}

// TroupeMethods makes Purse a Dispatcher: these are its handlers, all of them.
func (*Purse) TroupeMethods() []troupe.AnyMethod { return purseMethods }

// What is behind generated code, and how do I send without allocating? Invoke
// is a typed call and Post a typed one-way message. Post to an actor on the
// same node allocates nothing.
func ExampleDispatcher() {
	node := startNode(troupe.Config{}, troupe.Virtual[Purse]("purse"))
	defer stopNode(node)

	purse := troupe.HandleOf(node, troupe.ID("purse", 1)) // keep it: it knows where the actor is
	if err := troupe.Post(purse, &pursePay, payArgs{10}); err != nil {
		fmt.Println(err)
	}
	reply, err := troupe.Invoke(context.Background(), purse, &pursePay, payArgs{5})
	fmt.Println(reply.Gold, err)

	var gold int64 // by name works as well
	err = node.Call(context.Background(), troupe.ID("purse", 1), "Pay", &gold, 1)
	fmt.Println(gold, err)
	// Output:
	// 15 <nil>
	// 16 <nil>
}
