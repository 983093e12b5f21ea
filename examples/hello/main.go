// SPDX-License-Identifier: MIT

// Hello is the smallest tour of troupe: a typed call, a call by name, a timer,
// a panic with the restart that follows, and a graceful stop.
//
//	go run ./examples/hello
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/troupe-go/troupe"
)

func main() {
	if err := run(context.Background(), os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "hello:", err)
		os.Exit(1)
	}
}

// run writes the tour to out and the node's log to log.
func run(ctx context.Context, out, log io.Writer) (err error) {
	node, err := troupe.New(troupe.Config{Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{ReplaceAttr: withoutStacks}))})
	if err != nil {
		return err
	}
	bell := &Bell{rung: make(chan string, 1)}
	troupe.Provide(node, bell)
	if err := node.Register(troupe.Virtual[Greeter]("greeter")); err != nil {
		return err
	}
	if err := node.Start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, node.Stop(ctx)) }()

	// A typed call. GreeterNamed was generated from greeter.go; there is
	// nothing to create first, the greeter of every name exists.
	ada := GreeterNamed(node, "Ada")
	text, n, err := ada.Greet(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "typed call:   %s (%d)\n", text, n)

	// The same by name, as consoles and tools do it. Names, numbers of
	// arguments and types are checked.
	if err := node.Call(ctx, troupe.Name("greeter", "Ada"), "Greet", troupe.Results(&text, &n)); err != nil {
		return err
	}
	fmt.Fprintf(out, "call by name: %s (%d)\n", text, n)
	err = node.Call(ctx, troupe.Name("greeter", "Ada"), "Greet", troupe.Results(&text, &n), "too", "many")
	fmt.Fprintf(out, "wrong call:   %v\n", err)

	// A timer of the actor, which fires on its turn.
	if err := ada.RemindAfter(ctx, 50*time.Millisecond); err != nil {
		return err
	}
	select {
	case text := <-bell.rung:
		fmt.Fprintf(out, "timer:        %s\n", text)
	case <-ctx.Done():
		return ctx.Err()
	}

	// A panic costs its message: the caller gets an error, the supervisor makes
	// a new instance, which has forgotten the old greetings.
	err = ada.Stumble(ctx)
	fmt.Fprintf(out, "panic:        %v (is ErrPanic: %t)\n", err, errors.Is(err, troupe.ErrPanic))
	text, n, err = ada.Greet(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "restarted:    %s (%d)\n", text, n)
	return nil
}

// withoutStacks keeps the panic's stack out of this short tour.
func withoutStacks(_ []string, a slog.Attr) slog.Attr {
	if a.Key == "stack" {
		return slog.Attr{}
	}
	return a
}
