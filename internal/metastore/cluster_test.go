// SPDX-License-Identifier: MIT

package metastore

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/troupe-go/troupe/internal/metastore/core"
)

var testCluster = core.ClusterID{1, 2, 3}

// cluster is a set of nodes in one bubble of virtual time.
type cluster struct {
	t     *testing.T
	net   *memNet
	nodes map[string]*Node // written by the test's goroutine only, under mu
	mu    sync.Mutex
	kept  map[string]Config // how to restart a node, see restart
}

// get returns a running node, or nil.
func (c *cluster) get(name string) *Node {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nodes[name]
}

func newCluster(t *testing.T, voters int) *cluster {
	c := &cluster{t: t, net: newMemNet(), nodes: map[string]*Node{}}
	b := &Bootstrap{Cluster: testCluster}
	for i := range voters {
		name := fmt.Sprintf("n%d", i+1)
		b.Servers = append(b.Servers, Server{name, name})
	}
	for _, s := range b.Servers {
		c.open(Config{ID: s.ID, Voter: true, Bootstrap: b})
	}
	t.Cleanup(c.close)
	return c
}

func (c *cluster) open(cfg Config) *Node {
	cfg.Addr = cfg.ID
	if cfg.Voter {
		cfg.Stream = c.net.stream(cfg.ID)
	}
	cfg.Peers = memPeers{c.net, cfg.ID}
	if cfg.Clock == nil {
		start := time.Now()
		cfg.Clock = func() int64 { return int64(time.Since(start)) + 1 }
	}
	n, err := Open(cfg)
	require.NoError(c.t, err)
	c.net.attach(cfg.ID, n)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes[cfg.ID] = n
	return n
}

func (c *cluster) stop(name string) {
	require.NoError(c.t, c.nodes[name].Close())
	c.net.attach(name, nil)
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.nodes, name)
}

func (c *cluster) close() {
	for _, n := range c.nodes {
		_ = n.Close()
	}
}

func (c *cluster) ready() {
	for _, n := range c.nodes {
		require.NoError(c.t, n.WaitReady(c.t.Context()), n.cfg.ID)
	}
}

// leader waits until all reachable nodes agree on one.
func (c *cluster) leader(not string) string {
	for range 1000 {
		for name, n := range c.nodes {
			if _, self := n.leader(); self && name != not && n.grants.committedRecently() {
				return name
			}
		}
		time.Sleep(10 * time.Millisecond) // virtual time
	}
	require.Fail(c.t, "no leader")
	return ""
}

func (c *cluster) open1(name string) *Session {
	s, err := c.nodes[name].OpenSession(c.t.Context(), core.Info{Roles: []string{"game"}})
	require.NoError(c.t, err)
	return s
}

func id(k int64) core.ID { return core.ID{Kind: "player", Key: k} }

func (c *cluster) claim(s *Session, k int64) Grant {
	g, err := s.Claim(c.t.Context(), id(k))
	require.NoError(c.t, err)
	return g[0]
}

// sameHash waits for equal indexes and compares the states (I12).
func (c *cluster) sameHash() {
	for range 200 {
		hashes := map[uint64]uint64{}
		for name, n := range c.nodes {
			index, hash := n.StateHash()
			if other, ok := hashes[index]; ok {
				require.Equal(c.t, other, hash, "I12 at %d, %s", index, name)
			}
			hashes[index] = hash
		}
		if len(hashes) == 1 {
			return
		}
		time.Sleep(50 * time.Millisecond)
		synctest.Wait()
	}
	for name, n := range c.nodes {
		index, hash := n.StateHash()
		st := ""
		if n.raft != nil {
			st = fmt.Sprint(n.raft.Stats())
		}
		c.t.Logf("%s: index %d hash %x status %+v %s", name, index, hash, n.Status(), st)
	}
	require.Fail(c.t, "nodes do not converge")
}

func TestClusterClaims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3)
		c.ready()
		a, b := c.open1("n1"), c.open1("n2")
		g := c.claim(a, 1)
		require.NoError(t, g.Err)
		require.Equal(t, core.GateLive, a.Gate())
		require.True(t, a.Live())

		refused := c.claim(b, 1)
		require.ErrorIs(t, refused.Err, ErrOwned)
		var why *RefusedError
		require.ErrorAs(t, refused.Err, &why)
		require.Equal(t, core.Owner{Node: "n1", Session: a.Epoch(), Epoch: g.Epoch}, why.Owner)

		moved, err := a.Transfer(t.Context(), b.Epoch(), core.IDEpoch{ID: id(1), Epoch: g.Epoch})
		require.NoError(t, err)
		require.NoError(t, moved[0].Err)
		require.Greater(t, moved[0].Epoch, g.Epoch, "I1")
		require.NoError(t, c.nodes["n3"].WaitApplied(t.Context(), moved[0].Epoch))
		owner, ok := c.nodes["n3"].LookupClaim(id(1))
		require.True(t, ok)
		require.Equal(t, "n2", owner.Node)
		c.sameHash()
	})
}

// TestLeaderLossLosesNothing is "leader kill alone loses no ownership": the
// sessions of the others live on for many TTLs.
func TestLeaderLossLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3)
		c.ready()
		lead := c.leader("")
		sessions := map[string]*Session{}
		for name := range c.nodes {
			sessions[name] = c.open1(name)
			require.NoError(t, c.claim(sessions[name], int64(len(sessions))).Err)
		}
		c.stop(lead)
		start := time.Now()
		next := c.leader(lead)
		t.Log("next leader after", time.Since(start))
		time.Sleep(30 * time.Second)
		for name, s := range sessions {
			if name != lead {
				require.Equal(t, core.GateLive, s.Gate(), name)
			}
		}
		for _, m := range c.nodes[next].Members() {
			require.NotEqual(t, lead, m.Node, "expired")
		}
		c.sameHash()
	})
}

// TestTakeover: an isolated owner fences itself before the others may claim
// (I4), and its epoch is lower (I1).
func TestTakeover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3)
		c.ready()
		lead := c.leader("")
		owner, other := "", ""
		for name := range c.nodes {
			if name != lead {
				owner, other = other, name
			}
		}
		a, b := c.open1(owner), c.open1(other)
		g := c.claim(a, 1)
		require.NoError(t, g.Err)
		var fencedAt time.Time
		go func() {
			<-a.Done()
			fencedAt = time.Now()
		}()
		cutAt := time.Now()
		c.net.isolate(owner, true)
		for {
			got := c.claim(b, 1)
			if got.Err == nil {
				require.Greater(t, got.Epoch, g.Epoch)
				break
			}
			require.ErrorIs(t, got.Err, ErrOwned)
			time.Sleep(20 * time.Millisecond)
		}
		away := time.Since(cutAt)
		t.Log("taken over after", away)
		require.Less(t, away, 6*time.Second, "TTL plus one second")
		require.False(t, fencedAt.IsZero(), "I4: the old owner had stopped")
		require.True(t, fencedAt.Before(time.Now()))
		require.Equal(t, core.GateFenced, a.Gate())

		c.net.isolate(owner, false)
		a2 := c.open1(owner)
		require.ErrorIs(t, c.claim(a2, 1).Err, ErrOwned)
		c.sameHash()
	})
}

// TestMinority answers in bounded time, without effect.
func TestMinority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3)
		c.ready()
		s := map[string]*Session{}
		for name := range c.nodes {
			s[name] = c.open1(name)
		}
		lead := c.leader("")
		c.net.isolate(lead, true)
		time.Sleep(2 * time.Second)
		start := time.Now()
		_, err := s[lead].Claim(t.Context(), id(9))
		require.ErrorIs(t, err, ErrNoQuorum)
		require.LessOrEqual(t, time.Since(start), 6*time.Second)
		require.False(t, c.nodes[lead].Status().Quorum)
		for name, other := range s {
			if name != lead {
				require.Equal(t, core.GateLive, other.Gate())
			}
		}
		c.net.isolate(lead, false)
		c.leader("")
		_, ok := c.nodes[c.leader("")].LookupClaim(id(9))
		require.False(t, ok)
		c.sameHash()
	})
}

// TestOneWay: answers to one node are lost. It must not live for ever on
// renewals whose answers it never sees, and requests in doubt are repeated.
func TestOneWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3)
		f := c.open(Config{ID: "f1", Seeds: []string{"n1", "n2", "n3"}})
		c.ready()
		s, err := f.OpenSession(t.Context(), core.Info{})
		require.NoError(t, err)
		require.NoError(t, c.claim(s, 1).Err)
		for _, v := range []string{"n1", "n2", "n3"} {
			c.net.set(v, "f1", true) // f1 can send, not receive
		}
		<-s.Done()
		time.Sleep(5 * time.Second)
		_, ok := c.nodes[c.leader("")].LookupClaim(id(1))
		require.False(t, ok, "expired at the grantor, too")
		for _, v := range []string{"n1", "n2", "n3"} {
			c.net.set(v, "f1", false)
		}
		s, err = f.OpenSession(t.Context(), core.Info{})
		require.NoError(t, err)
		require.NoError(t, c.claim(s, 1).Err)
		c.sameHash()
	})
}

// TestFollowerOfFeed joins late, beyond the feed's memory, so it needs a
// snapshot and then the tail.
func TestFollowerOfFeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3)
		c.ready()
		for _, n := range c.nodes {
			n.replica.mu.Lock()
			n.replica.maxCount = 8
			n.replica.mu.Unlock()
		}
		a := c.open1("n1")
		for k := range int64(50) {
			require.NoError(t, c.claim(a, k).Err)
		}
		for _, n := range c.nodes {
			require.NoError(t, n.raft.Snapshot().Error()) // the feed then finds nothing new to take
		}
		f := c.open(Config{ID: "f1", Seeds: []string{"n1", "n2", "n3"}})
		c.ready()
		var seen int
		defer f.Subscribe(func(list []core.Change) { seen += len(list) })()
		s, err := f.OpenSession(t.Context(), core.Info{})
		require.NoError(t, err)
		require.ErrorIs(t, c.claim(s, 7).Err, ErrOwned)
		require.NoError(t, c.claim(s, 70).Err)
		owner, ok := f.LookupClaim(id(7))
		require.True(t, ok)
		require.Equal(t, "n1", owner.Node)
		c.stop(c.leader(""))
		time.Sleep(20 * time.Second)
		require.Equal(t, core.GateLive, s.Gate())
		require.NotZero(t, seen)
		c.sameHash()
	})
}

func TestMembership(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3)
		c.ready()
		n4 := c.open(Config{ID: "n4", Voter: true, Seeds: []string{"n1", "n2", "n3"}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.NoError(t, n4.Join(ctx))
		require.NoError(t, n4.RemoveVoter(ctx, "n1"))
		time.Sleep(20 * time.Second)
		require.ErrorIs(t, c.nodes["n1"].Status().Err, ErrRemoved)
		c.stop("n1")
		lead := c.leader("")
		require.Len(t, c.nodes[lead].Voters(), 3)
		require.NoError(t, c.claim(c.open1("n4"), 1).Err)
		c.sameHash()
	})
}

// TestRest: the log grows per interval, not per actor.
func TestRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3)
		c.ready()
		for name := range c.nodes {
			s := c.open1(name)
			for at := range int64(4) {
				ids := make([]core.ID, 500)
				for i := range ids {
					ids[i] = core.ID{Kind: name, Key: at*500 + int64(i)}
				}
				_, err := s.Claim(t.Context(), ids...)
				require.NoError(t, err)
			}
		}
		n := c.nodes[c.leader("")]
		before := n.Applied()
		time.Sleep(time.Minute)
		entries := n.Applied() - before
		t.Log("entries per minute at rest, 3 nodes, 6000 claims:", entries)
		require.Less(t, entries, uint64(60*10))
	})
}

// TestFindSeeds: a node whose seeds are all gone asks for others.
func TestFindSeeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3)
		c.ready()
		asked := 0
		worker := c.open(Config{ID: "w1", Seeds: []string{"gone"}, FindSeeds: func(context.Context) []string {
			if asked++; asked < 3 {
				return nil
			}
			return []string{"n1", "n2", "n3"}
		}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.NoError(t, worker.WaitReady(ctx))
		require.Equal(t, 3, asked)
		require.NoError(t, c.claim(c.open1("w1"), 1).Err)
	})
}
