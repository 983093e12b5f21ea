// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/troupe-go/troupe"
)

//go:generate go run github.com/troupe-go/troupe/cmd/troupe gen

// Greeter is a virtual actor: it exists for every name, comes to life with the
// first message and handles one message at a time, so it needs no lock.
type Greeter struct {
	troupe.Actor
	greetings int
}

// Greet returns a greeting and how many there were.
func (g *Greeter) Greet(_ context.Context) (string, int, error) {
	g.greetings++
	return "hello, " + g.Key(), g.greetings, nil
}

// RemindAfter rings the bell once, delay from now. The function runs on the
// actor's turn, so it may read and change the actor.
func (g *Greeter) RemindAfter(_ context.Context, delay time.Duration) error {
	bell, ok := troupe.Service[*Bell](g)
	if !ok {
		return fmt.Errorf("no bell was provided")
	}
	g.After(delay, func(context.Context) {
		bell.Ring(fmt.Sprintf("%s was greeted %d times", g.Key(), g.greetings))
	})
	return nil
}

// Stumble panics. The panic costs this message and the actor's memory, and
// nothing else.
func (g *Greeter) Stumble(context.Context) error {
	panic("stumbled")
}

// Bell is something outside of the actors, which they find with Service.
type Bell struct {
	rung chan string
}

// Ring rings the bell. It never blocks.
func (b *Bell) Ring(text string) {
	select {
	case b.rung <- text:
	default: // it still rings
	}
}
