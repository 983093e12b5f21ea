// SPDX-License-Identifier: MIT

package metastore

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/troupe-go/troupe/internal/metastore/core"
)

var (
	simSeeds = flag.Int("sim.seeds", 3, "number of seeds of TestSimulation")
	simFirst = flag.Uint64("sim.first", 1, "first seed of TestSimulation")
	simFor   = flag.Duration("sim.for", time.Minute, "virtual time per seed")
)

// TestSimulation runs whole nodes with the real raft in virtual time under
// partitions, one-way links, restarts and drifting clocks, and checks I1, I4, I12 and I13. synctest gives fake time, not determinism: a
// seed fixes the faults, not the interleaving.
func TestSimulation(t *testing.T) {
	for i := range *simSeeds {
		seed := *simFirst + uint64(i)
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { simulate(t, seed) })
			if t.Failed() {
				t.Logf("again: go test ./internal/metastore -run TestSimulation -sim.first %d -sim.seeds 1", seed)
			}
		})
	}
}

// checker knows, in global time, who was granted what.
type checker struct {
	t      *testing.T
	mu     sync.Mutex
	grants map[core.ID]granted
	count  struct{ grants, takeovers, handled int }
}

type granted struct {
	epoch uint64
	by    *Session
	freed bool // released or transferred by its holder
}

// grant checks I1 and the grantor's side of I4.
func (c *checker) grant(id core.ID, epoch uint64, by *Session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	prev, ok := c.grants[id]
	if ok && epoch <= prev.epoch {
		// Answers may arrive out of order; only the same grant may repeat.
		if epoch == prev.epoch {
			assert.Same(c.t, prev.by, by, "I1: epoch %d of %v given twice", epoch, id)
		}
		return
	}
	c.count.grants++
	if ok && prev.by != by && !prev.freed {
		c.count.takeovers++
		assert.Equal(c.t, core.GateFenced, prev.by.Gate(),
			"I4: %v granted under %d while the holder of %d (session %d) was not fenced", id, epoch, prev.epoch, prev.by.Epoch())
	}
	c.grants[id] = granted{epoch: epoch, by: by}
}

func (c *checker) free(id core.ID, epoch uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if g := c.grants[id]; g.epoch == epoch {
		g.freed = true
		c.grants[id] = g
	}
}

// handle is a dispatch: the holder's side of I4.
func (c *checker) handle(id core.ID, epoch uint64, by *Session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if by.Gate() != core.GateLive {
		return
	}
	c.count.handled++
	g := c.grants[id]
	assert.LessOrEqual(c.t, g.epoch, epoch, "I4: %v dispatched under %d after %d was granted", id, epoch, g.epoch)
}

const simIDs = 6

// worker plays the node: claims, handles, releases, hands over, reopens.
func simWorker(ctx context.Context, c *checker, node func() *Node, rng *rand.Rand) {
	owned := map[core.ID]uint64{}
	var s *Session
	var n *Node
	for ctx.Err() == nil {
		if s == nil || s.Gate() == core.GateFenced {
			clear(owned)
			if n = node(); n == nil { // stopped
				sleep(ctx, 50*time.Millisecond)
				continue
			}
			open, cancel := context.WithTimeout(ctx, 8*time.Second)
			next, err := n.OpenSession(open, core.Info{})
			cancel()
			if err != nil {
				sleep(ctx, 100*time.Millisecond)
				continue
			}
			s = next
		}
		id := id(rng.Int64N(simIDs))
		if epoch, ok := owned[id]; ok {
			c.handle(id, epoch, s)
			switch rng.IntN(8) {
			case 0:
				delete(owned, id)
				c.free(id, epoch)
				_, _ = s.Release(ctx, core.IDEpoch{ID: id, Epoch: epoch})
			case 1:
				members := n.Members()
				to := members[rng.IntN(len(members))].Epoch
				if to != s.Epoch() {
					delete(owned, id)
					c.free(id, epoch)
					_, _ = s.Transfer(ctx, to, core.IDEpoch{ID: id, Epoch: epoch})
				}
			}
		} else if g, err := s.Claim(ctx, id); err == nil && g[0].Err == nil {
			c.grant(id, g[0].Epoch, s)
			owned[id] = g[0].Epoch
		}
		sleep(ctx, time.Duration(rng.Int64N(int64(60*time.Millisecond))))
	}
}

// fault breaks something for a while and repairs it.
func (c *cluster) fault(rng *rand.Rand, names []string) string {
	victim := names[rng.IntN(len(names))]
	if rng.IntN(3) == 0 {
		for name, n := range c.nodes {
			if _, self := n.leader(); self {
				victim = name
			}
		}
	}
	for_ := 200*time.Millisecond + time.Duration(rng.Int64N(int64(8*time.Second)))
	switch rng.IntN(4) {
	case 3:
		cfg := c.kept[victim]
		c.stop(victim)
		time.Sleep(for_)
		c.open(cfg)
		return fmt.Sprintf("restart %s %v", victim, for_)
	case 0:
		other := names[rng.IntN(len(names))]
		c.net.set(victim, other, true)
		time.Sleep(for_)
		c.net.set(victim, other, false)
		return fmt.Sprintf("one way %s to %s %v", victim, other, for_)
	case 1:
		for range 4 { // flapping
			c.net.isolate(victim, true)
			time.Sleep(for_ / 8)
			c.net.isolate(victim, false)
			time.Sleep(for_ / 8)
		}
		return fmt.Sprintf("flap %s %v", victim, for_)
	}
	c.net.isolate(victim, true)
	time.Sleep(for_)
	c.net.isolate(victim, false)
	return fmt.Sprintf("isolate %s %v", victim, for_)
}

func simulate(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 0))
	c := &cluster{t: t, net: newMemNet(), nodes: map[string]*Node{}, kept: map[string]Config{}}
	t.Cleanup(c.close)
	b := &Bootstrap{Cluster: testCluster, Servers: []Server{{"n1", "n1"}, {"n2", "n2"}, {"n3", "n3"}}}
	names := []string{"n1", "n2", "n3", "f1"}
	for _, name := range names {
		cfg := Config{ID: name, Seeds: []string{"n1", "n2", "n3"}, SnapshotEvery: 64, TrailingLogs: 16, FeedEntries: 32}
		if name != "f1" {
			cfg.Voter, cfg.Bootstrap = true, b
		}
		cfg.Clock, cfg.Memory = driftingClock(rng), NewMemory()
		c.kept[name] = cfg
		c.open(cfg)
	}
	c.ready()
	ctx, cancel := context.WithTimeout(t.Context(), *simFor)
	defer cancel()
	check := &checker{t: t, grants: map[core.ID]granted{}}
	var wg sync.WaitGroup
	for _, name := range names {
		for range 2 {
			_ = rng.Uint64()
		}
		worker := rand.New(rand.NewPCG(seed, rng.Uint64()))
		wg.Go(func() { simWorker(ctx, check, func() *Node { return c.get(name) }, worker) })
	}
	faults := 0
	for ctx.Err() == nil && !t.Failed() {
		what := c.fault(rng, names)
		faults++
		_ = what
		time.Sleep(time.Duration(rng.Int64N(int64(3 * time.Second))))
	}
	cancel()
	wg.Wait()
	t.Logf("faults %d, grants %d, takeovers %d, handled %d", faults, check.count.grants, check.count.takeovers, check.count.handled)
	c.everythingAnswers(check)
	c.sameHash()
}

// driftingClock runs up to 1 % fast or slow.
func driftingClock(rng *rand.Rand) func() int64 {
	start := time.Now()
	ppm := rng.Int64N(20_001) - 10_000
	return func() int64 {
		d := int64(time.Since(start))
		return d + d/1e6*ppm + 1
	}
}

// everythingAnswers is I13: after the last heal every id can be claimed, or is
// owned by a live session, within a TTL and the time of an election.
func (c *cluster) everythingAnswers(check *checker) {
	ctx, cancel := context.WithTimeout(c.t.Context(), 15*time.Second)
	defer cancel()
	s, err := c.nodes["n1"].OpenSession(ctx, core.Info{})
	require.NoError(c.t, err, "I13")
	for k := range int64(simIDs) {
		for {
			g, err := s.Claim(ctx, id(k))
			require.NoError(c.t, err, "I13")
			if g[0].Err == nil {
				check.grant(id(k), g[0].Epoch, s)
				break
			}
			var why *RefusedError
			require.ErrorAs(c.t, g[0].Err, &why)
			if v, ok := c.nodes["n1"].SessionByEpoch(why.Owner.Session); ok && v.Alive() {
				if held := c.nodes[v.Node].session.Load(); held != nil && held.Epoch() == v.Epoch {
					break // owned by a session that is really there
				}
			}
			if s.Gate() == core.GateFenced {
				s, err = c.nodes["n1"].OpenSession(ctx, core.Info{})
				require.NoError(c.t, err, "I13")
			}
			sleep(ctx, 100*time.Millisecond)
		}
	}
}
