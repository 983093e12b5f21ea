// SPDX-License-Identifier: MIT

// Cluster starts three nodes in one process, on TCP over loopback, calls a
// counter from each, and then takes its node away: once gracefully, which
// nobody notices, and once as a crash would, after which the counter is away
// until the lease has run out.
//
//	go run ./examples/cluster
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/troupe-go/troupe"
)

func main() {
	ttl := flag.Duration("ttl", 3*time.Second, "session lease: how long a crashed node keeps its actors, at least 1s")
	verbose := flag.Bool("v", false, "write the nodes' log to standard error")
	flag.Parse()
	log := io.Discard
	if *verbose {
		log = os.Stderr
	}
	if err := run(context.Background(), *ttl, os.Stdout, log); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

// cluster is the nodes by name.
type cluster struct {
	servers []troupe.Server
	nodes   map[string]*troupe.Node
	dir     string
	ttl     time.Duration
	log     io.Writer
}

func run(ctx context.Context, ttl time.Duration, out, log io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "troupe-cluster")
	if err != nil {
		return err
	}
	c := &cluster{nodes: map[string]*troupe.Node{}, dir: dir, ttl: ttl, log: log}
	defer func() { err = errors.Join(err, c.stop(ctx), os.RemoveAll(dir)) }()
	begin := time.Now()
	if err := c.start(ctx, "n1", "n2", "n3"); err != nil {
		return err
	}
	fmt.Fprintf(out, "three nodes, ready after %v\n", time.Since(begin).Round(time.Millisecond))

	var home string
	for _, s := range c.servers {
		sum, at, err := CounterOf(c.nodes[s.Name], 42).Add(ctx, 10)
		if err != nil {
			return err
		}
		home = at
		fmt.Fprintf(out, "asked %s:  sum %d, the counter lives on %s\n", s.Name, sum, home)
	}
	return c.takeAway(ctx, home, out)
}

// takeAway stops the counter's home, brings it back, and then crashes the new
// one: two of three nodes must be there for others to take over.
func (c *cluster) takeAway(ctx context.Context, home string, out io.Writer) error {
	for _, end := range []struct {
		how string
		end func(n *troupe.Node) error
	}{
		{"stopped", func(n *troupe.Node) error { return n.Stop(ctx) }},
		{"crashed", func(n *troupe.Node) error { n.Abort(); return nil }},
	} {
		gone := home
		node := c.nodes[gone]
		delete(c.nodes, gone)
		begin := time.Now()
		if err := end.end(node); err != nil {
			return err
		}
		ended := time.Since(begin)
		at, err := c.find(ctx)
		if err != nil {
			return err
		}
		home = at
		fmt.Fprintf(out, "%s %s (took %v): the counter lives on %s, away for at most %v\n",
			end.how, gone, ended.Round(time.Millisecond), home, time.Since(begin).Round(time.Millisecond))
		if err := c.restart(ctx, gone); err != nil {
			return err
		}
	}
	return nil
}

// find asks until the counter answers. Adding nothing may be repeated.
func (c *cluster) find(ctx context.Context) (string, error) {
	for try := 0; ; try++ {
		for _, n := range c.nodes {
			short, cancel := context.WithTimeout(ctx, time.Second)
			_, home, err := CounterOf(n, 42).Add(short, 0)
			cancel()
			if err == nil {
				return home, nil
			}
			if ctx.Err() != nil || try > 1000 {
				return "", err
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// start starts the first nodes of the cluster, all at the same time: two of
// them are needed to begin.
func (c *cluster) start(ctx context.Context, names ...string) error {
	for _, name := range names {
		addr, err := freeAddr()
		if err != nil {
			return err
		}
		c.servers = append(c.servers, troupe.Server{Name: name, Addr: addr})
	}
	errs := make([]error, len(names))
	var starting sync.WaitGroup
	for i, s := range c.servers {
		node, err := c.node(s)
		if err != nil {
			return err
		}
		c.nodes[s.Name] = node
		starting.Go(func() { errs[i] = node.Start(ctx) })
	}
	starting.Wait()
	return errors.Join(errs...)
}

// restart brings a node back under its name and with its directory.
func (c *cluster) restart(ctx context.Context, name string) error {
	for _, s := range c.servers {
		if s.Name != name {
			continue
		}
		node, err := c.node(s)
		if err != nil {
			return err
		}
		c.nodes[name] = node
		return node.Start(ctx)
	}
	return fmt.Errorf("no node is named %q", name)
}

func (c *cluster) node(s troupe.Server) (*troupe.Node, error) {
	node, err := troupe.New(troupe.Config{
		Name:   s.Name,
		Logger: slog.New(slog.NewTextHandler(c.log, nil)),
		Cluster: &troupe.ClusterConfig{
			Name: "example", Listen: s.Addr, Dev: true, TTL: c.ttl,
			Voter: true, Bootstrap: c.servers, DataDir: filepath.Join(c.dir, s.Name),
		},
	})
	if err != nil {
		return nil, err
	}
	return node, node.Register(troupe.Virtual[Counter]("counter"))
}

// stop stops all nodes at the same time. The last ones find nobody to hand over
// to and no majority to tell, which is no failure here.
func (c *cluster) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	var stopping sync.WaitGroup
	for _, n := range c.nodes {
		stopping.Go(func() { _ = n.Stop(ctx) })
	}
	stopping.Wait()
	return nil
}

// freeAddr returns an address on loopback that nobody listens on.
func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
