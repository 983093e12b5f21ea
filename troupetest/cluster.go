// SPDX-License-Identifier: MIT

// Package troupetest runs whole clusters inside a test: several nodes in one
// process on an in-memory network that can be cut, slowed down and healed. In a
// testing/synctest bubble time is virtual, so that a test that waits for leases
// to expire takes milliseconds.
//
//	synctest.Test(t, func(t *testing.T) {
//		c := troupetest.Start(t, troupetest.Config{Nodes: 3, Kinds: func(int) []troupe.Kind {
//			return []troupe.Kind{troupe.Virtual[Player]("player")}
//		}})
//		err := c.Node(0).Call(ctx, troupe.ID("player", 1), "Join", nil)
//		c.Isolate(1) // as if the machine was unplugged
//		...
//	})
package troupetest

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/transport"
	"github.com/troupe-go/troupe/transport/memory"
)

// Config describes a cluster.
type Config struct {
	// Nodes is how many nodes start. Defaults to 3.
	Nodes int
	// Voters is how many of them, the first, keep the metadata. Defaults to
	// all, at most 3.
	Voters int
	// Seed makes the network's faults repeatable. Defaults to 1; a test that
	// fails prints it.
	Seed uint64
	// TTL is the session lease. Defaults to 3 s.
	TTL time.Duration
	// Kinds returns the kinds of a node; each call must make new values.
	Kinds func(node int) []troupe.Kind
	// Roles returns the roles of a node. Defaults to none.
	Roles func(node int) []string
	// Setup is called before a node starts, to Provide services.
	Setup func(node int, n *troupe.Node)
	// Node changes the node's configuration before it is made.
	Node func(node int, cfg *troupe.Config)
	// Disk keeps the metadata in files of the test's temporary directory, so
	// that voters can restart. Without it they cannot.
	Disk bool
	// Logger defaults to discarding.
	Logger *slog.Logger
}

// Cluster is a running cluster. Name, Node, Size and Network may be used by any
// goroutine; the other methods belong to the test's.
type Cluster struct {
	t     testing.TB
	cfg   Config
	net   *memory.Network
	dirs  []string
	begin time.Time

	mu    sync.RWMutex // guards nodes; the test's goroutine alone writes
	nodes []*troupe.Node
}

// Start starts a cluster and waits until all nodes are members. Everything is
// stopped at the end of the test.
func Start(t testing.TB, cfg Config) *Cluster {
	t.Helper()
	if cfg.Nodes == 0 {
		cfg.Nodes = 3
	}
	if cfg.Voters == 0 {
		cfg.Voters = min(cfg.Nodes, 3)
	}
	if cfg.Seed == 0 {
		cfg.Seed = 1
	}
	if cfg.TTL == 0 {
		cfg.TTL = 3 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Cluster{t: t, cfg: cfg, net: memory.New(cfg.Seed), nodes: make([]*troupe.Node, cfg.Nodes), dirs: make([]string, cfg.Nodes), begin: time.Now()}
	t.Cleanup(c.close)
	errs := make(chan error, cfg.Nodes)
	for i := range cfg.Nodes {
		if cfg.Disk {
			c.dirs[i] = t.TempDir()
		}
		n, err := c.make(i)
		if err != nil {
			t.Fatalf("troupetest: node %d: %v", i, err)
		}
		c.set(i, n)
		go func() { errs <- n.Start(context.Background()) }()
	}
	for range cfg.Nodes {
		if err := <-errs; err != nil {
			t.Fatalf("troupetest: start (seed %d): %v", cfg.Seed, err)
		}
	}
	c.WaitMembers(cfg.Nodes)
	return c
}

// Name returns the name of a node, which is also its address.
func (c *Cluster) Name(i int) string { return fmt.Sprintf("n%d", i) }

// Node returns a node, nil while it is down.
func (c *Cluster) Node(i int) *troupe.Node {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.nodes[i]
}

func (c *Cluster) set(i int, n *troupe.Node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.nodes) <= i {
		c.nodes = append(c.nodes, nil)
	}
	c.nodes[i] = n
}

// Size returns how many nodes there are, running or not.
func (c *Cluster) Size() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.nodes)
}

// Add starts one more node, which is no voter, and returns its index.
func (c *Cluster) Add() int {
	c.t.Helper()
	i := len(c.nodes)
	c.set(i, nil)
	dir := ""
	if c.cfg.Disk {
		dir = c.t.TempDir()
	}
	c.dirs = append(c.dirs, dir)
	n, err := c.make(i)
	if err == nil {
		err = n.Start(context.Background())
	}
	if err != nil {
		c.t.Fatalf("troupetest: add node %d (seed %d): %v", i, c.cfg.Seed, err)
	}
	c.set(i, n)
	return i
}

// Network returns the network, for faults beyond those below.
func (c *Cluster) Network() *memory.Network { return c.net }

func (c *Cluster) make(i int) (*troupe.Node, error) {
	cc := &troupe.ClusterConfig{
		Name: "test", Listen: c.Name(i), Advertise: c.Name(i), Dev: true,
		Voter: i < c.cfg.Voters, DataDir: c.dirs[i], TTL: c.cfg.TTL,
		// The bubble's clock, if there is one, instead of the machine's.
		Clock:     func() int64 { return int64(time.Since(c.begin)) },
		Transport: func(tc transport.Config) transport.Config { return c.net.Config(c.Name(i), tc) },
	}
	for v := range c.cfg.Voters {
		cc.Join = append(cc.Join, c.Name(v))
		if cc.Voter {
			cc.Bootstrap = append(cc.Bootstrap, troupe.Server{Name: c.Name(v), Addr: c.Name(v)})
		}
	}
	if c.cfg.Roles != nil {
		cc.Roles = c.cfg.Roles(i)
	}
	cfg := troupe.Config{Name: c.Name(i), Logger: c.cfg.Logger, Cluster: cc}
	if c.cfg.Node != nil {
		c.cfg.Node(i, &cfg)
	}
	n, err := troupe.New(cfg)
	if err != nil {
		return nil, err
	}
	if c.cfg.Setup != nil {
		c.cfg.Setup(i, n)
	}
	if c.cfg.Kinds != nil {
		err = n.Register(c.cfg.Kinds(i)...)
	}
	return n, err
}

// Isolate cuts a node off from all others, as if its cable was pulled. Its
// process goes on: it is the zombie that the leases and epochs are for.
func (c *Cluster) Isolate(i int) {
	for j := range c.nodes {
		if j != i {
			c.net.CutBoth(c.Name(i), c.Name(j))
		}
	}
}

// Heal undoes Isolate and every other cut.
func (c *Cluster) Heal() { c.net.HealAll() }

// Crash ends a node without a word to the others, as SIGKILL would: it is cut
// off, its connections break, no handler begins any more and nothing is saved
// or handed over. Its goroutines end.
func (c *Cluster) Crash(i int) {
	c.t.Helper()
	n := c.nodes[i]
	if n == nil {
		return
	}
	c.Isolate(i)
	c.net.Kill(c.Name(i))
	n.Abort()
	c.set(i, nil)
}

// Restart starts a crashed or stopped node again under its name. Voters need
// Config.Disk.
func (c *Cluster) Restart(i int) {
	c.t.Helper()
	if i < c.cfg.Voters && !c.cfg.Disk {
		c.t.Fatal("troupetest: Restart of a voter needs Config.Disk")
	}
	for j := range c.nodes {
		if j != i {
			c.net.Heal(c.Name(i), c.Name(j))
			c.net.Heal(c.Name(j), c.Name(i))
		}
	}
	n, err := c.make(i)
	if err == nil {
		err = n.Start(context.Background())
	}
	if err != nil {
		c.t.Fatalf("troupetest: restart node %d (seed %d): %v", i, c.cfg.Seed, err)
	}
	c.set(i, n)
}

// Stop stops a node gracefully: it hands its actors over.
func (c *Cluster) Stop(i int) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := c.nodes[i].Stop(ctx); err != nil {
		c.t.Errorf("troupetest: stop node %d (seed %d): %v", i, c.cfg.Seed, err)
	}
	c.set(i, nil)
}

// WaitMembers waits until every running node sees count members.
func (c *Cluster) WaitMembers(count int) {
	c.t.Helper()
	for try := 0; ; try++ {
		ok := true
		for _, n := range c.nodes {
			if n != nil && len(n.Members()) != count {
				ok = false
			}
		}
		if ok {
			return
		}
		if try > 3000 {
			c.t.Fatalf("troupetest: no agreement on %d members after 30 s (seed %d)", count, c.cfg.Seed)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// close stops what still runs, from the last node to the first so that the
// voters stay for the others' hand-over.
func (c *Cluster) close() {
	if c.t.Failed() {
		c.t.Logf("troupetest: seed %d", c.cfg.Seed)
	}
	c.net.HealAll()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	for i := len(c.nodes) - 1; i >= 0; i-- {
		if c.nodes[i] != nil {
			_ = c.nodes[i].Stop(ctx)
		}
	}
}
