// SPDX-License-Identifier: MIT

package troupe_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/transport/memory"
	"github.com/troupe-go/troupe/troupetest"
)

var chaosSeeds = flag.Uint64("cluster.seeds", 1, "seeds of TestClusterChaos; more find more")

// TestClusterChaos crashes, restarts, isolates and heals nodes at random under
// load for two virtual minutes. Checked: epochs never go back and are one
// node's (I1, I4), senders are heard in order and at most once (I11), and after
// the last heal every actor and shard answers everywhere (I13, I14).
func TestClusterChaos(t *testing.T) {
	if testing.Short() {
		t.Skip("two virtual minutes of load")
	}
	for seed := range *chaosSeeds {
		t.Run(fmt.Sprintf("seed=%d", seed+1), func(t *testing.T) { chaos(t, seed+1) })
	}
}

func chaos(t *testing.T, seed uint64) {
	inCluster(t, troupetest.Config{Nodes: 5, Disk: true, Seed: seed}, func(t *testing.T, c *troupetest.Cluster, w *world) {
		rng := rand.New(rand.NewPCG(seed, 5))
		refs := someRefs(10)
		for shard := range 4 {
			refs = append(refs, troupe.ID("shard", int64(shard)))
		}
		c.Network().SetAll(memory.Faults{Delay: time.Millisecond, Jitter: 2 * time.Millisecond})
		l := startLoad(c, []int{4}, refs, false) // the node that is never hurt
		for range 20 {
			switch victim := rng.IntN(4); rng.IntN(6) {
			case 0:
				c.Crash(victim)
				time.Sleep(time.Duration(rng.IntN(6000)) * time.Millisecond)
				c.Restart(victim)
			case 1:
				c.Isolate(victim)
			case 2:
				c.Network().Cut(c.Name(victim), c.Name((victim+1+rng.IntN(4))%5))
			case 3:
				c.Network().Reset(c.Name(victim), c.Name((victim+1+rng.IntN(4))%5))
			case 4:
				c.Heal()
				c.WaitMembers(5)
				c.Stop(victim)
				c.Restart(victim)
			case 5:
				c.Heal()
			}
			time.Sleep(time.Duration(rng.IntN(5000)) * time.Millisecond)
			c.Heal() // one fault at a time leaves a quorum
		}
		time.Sleep(3 * ttl)
		l.end() // errors are allowed: nodes were away
		c.WaitMembers(5)
		for _, ref := range refs {
			at := map[string]bool{}
			for i := range 5 {
				node, err := where(c.Node(i), ref)
				require.NoError(t, err, "I13: seed %d", seed)
				at[node] = true
			}
			require.Len(t, at, 1, "%v", ref)
		}
		w.checkOrder(false)
	})
}
