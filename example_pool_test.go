// SPDX-License-Identifier: MIT

package troupe_test

import (
	"context"
	"fmt"

	"github.com/troupe-go/troupe"
)

// Path finds ways on a map. It keeps nothing between messages, so it does not
// matter which member of the pool is asked.
type Path struct{ troupe.Actor }

// Find returns the length of the way, and who found it.
func (p *Path) Find(_ context.Context, from, to int) (int, int64, error) {
	return max(from-to, to-from), p.ID(), nil
}

// How do I limit how much of something runs at a time? A pool has a fixed
// number of actors on each node. Pick takes them in turn; PickFor takes the
// same one for the same key, which keeps the order of a key's messages.
func ExamplePool() {
	node := startNode(troupe.Config{}, troupe.Pool[Path]("path", troupe.Size(2)))
	defer stopNode(node)

	ctx := context.Background()
	used := map[int64]int{}
	for range 10 {
		var length int
		var member int64
		if err := node.Call(ctx, troupe.Pick(node, "path").Ref(), "Find", troupe.Results(&length, &member), 3, 8); err != nil {
			fmt.Println(err)
		}
		used[member]++
	}
	fmt.Println(used)
	for _, key := range []int64{41, 42, 41} {
		fmt.Println(key, "goes to", troupe.PickFor(node, "path", key).Ref())
	}
	// Output:
	// map[0:5 1:5]
	// 41 goes to path/1
	// 42 goes to path/0
	// 41 goes to path/1
}
