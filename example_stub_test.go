// SPDX-License-Identifier: MIT

package troupe_test

import (
	"context"
	"fmt"

	"github.com/troupe-go/troupe"
)

// Guilds is a service in shards: each holds the guilds whose keys it has.
type Guilds struct {
	troupe.Actor
	members map[int64]int
}

// Join adds a member to a guild.
func (g *Guilds) Join(_ context.Context, guild int64) (int, error) {
	if g.members == nil {
		g.members = map[int64]int{}
	}
	g.members[guild]++
	return g.members[guild], nil
}

// How do I spread a service over many actors, and later over many nodes? A stub
// has a fixed number of shards; a key always belongs to the same one.
func ExampleStub() {
	node := startNode(troupe.Config{}, troupe.Stub[Guilds]("guilds", troupe.Shards(8)))
	defer stopNode(node)

	ctx := context.Background()
	for _, guild := range []int64{7, 8, 7} {
		shard := troupe.StubFor(node, "guilds", guild).Ref()
		var members int
		err := node.Call(ctx, shard, "Join", &members, guild)
		fmt.Println("guild", guild, "in", shard, "members", members, err)
	}
	fmt.Println("shards", node.Active("guilds"))
	// Output:
	// guild 7 in guilds/4 members 1 <nil>
	// guild 8 in guilds/0 members 1 <nil>
	// guild 7 in guilds/4 members 2 <nil>
	// shards 8
}
