// SPDX-License-Identifier: MIT

package gate_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/gate"
	"github.com/troupe-go/troupe/gate/client"
)

// Greeter is a player's actor. `troupe gen` writes TroupeMethods from a method
// marked //troupe:client; it is written out here.
type Greeter struct {
	troupe.Actor
	client gate.Presence
}

type (
	helloArgs   struct{ Name string }
	helloReply  struct{ Text string }
	sessionArgs struct{ Event gate.SessionEvent }
)

// TroupeMethods lists the handlers.
func (*Greeter) TroupeMethods() []troupe.AnyMethod { return greeterMethods }

var greeterMethods = []troupe.AnyMethod{
	&troupe.Method[helloArgs, helloReply]{
		MethodInfo: troupe.MethodInfo{Name: "Hello", Number: 1, Access: troupe.AccessClient},
		Invoke: func(_ context.Context, self any, a *helloArgs, r *helloReply) error {
			g := self.(*Greeter)
			r.Text = "hello " + a.Name
			return g.client.Push(g, 1, []byte("somebody says hello"))
		},
	},
	&troupe.Method[sessionArgs, struct{}]{
		MethodInfo: troupe.MethodInfo{Name: gate.SessionMethod, Number: 2},
		Invoke: func(_ context.Context, self any, a *sessionArgs, _ *struct{}) error {
			g := self.(*Greeter)
			return g.client.Handle(g, a.Event)
		},
	},
}

func Example() {
	ctx := context.Background()
	quiet := slog.New(slog.DiscardHandler)
	node, err := troupe.New(troupe.Config{Name: "gate-1", Logger: quiet})
	check(err)
	check(node.Register(troupe.Virtual[Greeter]("player")))
	cluster, err := gate.Join(node) // on every node that serves clients or pushes to them
	check(err)
	keys := gate.NewKeys()
	g, err := cluster.NewGate(gate.Config{Keys: keys, Logger: quiet})
	check(err)
	check(node.Start(ctx))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	served := make(chan error)
	go func() { served <- g.ServeTCP(listener) }()

	pushed := make(chan string, 1)
	bot, err := client.Dial(ctx, client.Config{
		Login: func(context.Context) (client.Ticket, error) { // normally from gate.LoginHandler
			token := keys.Sign(gate.Claims{Purpose: gate.PurposeLogin, Expires: time.Now().Add(time.Minute), Player: troupe.ID("player", 7)})
			return client.Ticket{Addr: listener.Addr().String(), Token: token}, nil
		},
		OnPush: func(p client.Push) { pushed <- string(p.Data) },
	})
	check(err)
	reply, err := bot.Call(ctx, 1, []byte("\x0a\x03ann")) // protobuf: field 1 is "ann"
	check(err)
	fmt.Println(string(reply[2:]))
	fmt.Println(<-pushed)

	check(bot.Close())
	check(g.Drain(ctx)) // nobody is left
	check(g.Stop(ctx))
	check(<-served)
	check(node.Stop(ctx))
	// Output:
	// hello ann
	// somebody says hello
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
