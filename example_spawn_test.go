// SPDX-License-Identifier: MIT

package troupe_test

import (
	"context"
	"fmt"

	"github.com/troupe-go/troupe"
)

// Arena spawns fights and hears of their end.
type Arena struct {
	troupe.Actor
	over chan string
}

// Fight is a child of the arena.
type Fight struct {
	troupe.Actor
	rounds int
}

// Open spawns a fight. The function sets up the new instance, also after a
// restart.
func (a *Arena) Open(_ context.Context, rounds int, over chan string) (troupe.Ref, error) {
	a.over = over
	ref, err := troupe.Spawn(a, "fight", func(f *Fight) { f.rounds = rounds })
	if err != nil {
		return troupe.Ref{}, err
	}
	return ref, a.Watch(ref)
}

// OnTerminated is called for actors that are watched. The fight was never
// restarted: restarts are not an end.
func (a *Arena) OnTerminated(_ context.Context, ref troupe.Ref, cause error) {
	a.over <- fmt.Sprint(ref.Kind, " is over: ", cause)
}

// Round plays a round and ends the fight with the last one.
func (f *Fight) Round(context.Context) (int, error) {
	f.rounds--
	if f.rounds == 0 {
		f.Stop()
	}
	return f.rounds, nil
}

// How do I make an actor that is not virtual, and how do others learn that it
// ended? Spawn makes it, here as the child of another: children stop with their
// parent. Watch tells of its end.
func ExampleSpawn() {
	node := startNode(troupe.Config{}, troupe.Virtual[Arena]("arena"), troupe.Local[Fight]("fight"))
	defer stopNode(node)

	ctx, over := context.Background(), make(chan string)
	var fight troupe.Ref
	err := node.Call(ctx, troupe.ID("arena", 1), "Open", &fight, 2, over)
	fmt.Println(fight, err)
	for range 2 {
		var left int
		err = node.Call(ctx, fight, "Round", &left)
		fmt.Println("rounds left", left, err)
	}
	fmt.Println(<-over)
	fmt.Println(node.Call(ctx, fight, "Round", nil))
	// Output:
	// fight@node/1 <nil>
	// rounds left 1 <nil>
	// rounds left 0 <nil>
	// fight is over: <nil>
	// call fight@node/1.Round: troupe: no such actor
}
