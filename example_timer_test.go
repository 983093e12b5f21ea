// SPDX-License-Identifier: MIT

package troupe_test

import (
	"context"
	"fmt"
	"time"

	"github.com/troupe-go/troupe"
)

// Boss loses health until it is dead.
type Boss struct {
	troupe.Actor
	health int
	poison *troupe.Timer
}

// Poison hurts the boss every period.
func (b *Boss) Poison(_ context.Context, every time.Duration) error {
	b.health = 3
	var err error
	b.poison, err = b.Every(every, func(context.Context) { b.hurt() })
	return err
}

// hurt runs on the boss's turn, like a handler.
func (b *Boss) hurt() {
	b.health--
	fmt.Println("health", b.health)
	if b.health > 0 {
		return
	}
	b.poison.Stop()
	b.After(10*time.Millisecond, func(context.Context) {
		died, _ := troupe.Service[chan string](b)
		died <- "the boss is gone"
	})
}

// How does an actor do something later, or again and again? With timers of its
// own, which fire on its turn and end with it. A thousand timers cost no
// goroutine and no runtime timer.
func ExampleActor_Every() {
	node, err := troupe.New(troupe.Config{WheelTick: time.Millisecond})
	if err != nil {
		fmt.Println(err)
		return
	}
	died := make(chan string)
	troupe.Provide(node, died)
	if err := node.Register(troupe.Virtual[Boss]("boss")); err != nil {
		fmt.Println(err)
		return
	}
	if err := node.Start(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	defer stopNode(node)

	ctx := context.Background()
	if err := node.Call(ctx, troupe.ID("boss", 1), "Poison", nil, 5*time.Millisecond); err != nil {
		fmt.Println(err)
	}
	fmt.Println(<-died)

	// A period of zero would be a busy loop, and is refused.
	err = node.Call(ctx, troupe.ID("boss", 2), "Poison", nil, time.Duration(0))
	fmt.Println(err)
	// Output:
	// health 2
	// health 1
	// health 0
	// the boss is gone
	// call boss/2.Poison: troupe: timer period must be positive: 0s
}
