// SPDX-License-Identifier: MIT

package sim

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/orm"
	"github.com/troupe-go/troupe/transport"
	"github.com/troupe-go/troupe/transport/memory"
)

// The size of the simulated world.
const (
	voters    = 3
	nodes     = 5
	entities  = 10
	witnesses = 3
	slots     = 6
	clients   = 6
	ttl       = 2 * time.Second
	faultTime = 30 * time.Second
)

// cluster is the nodes and the network.
type cluster struct {
	hist *history
	net  *memory.Network
	db   *database
	dir  string
	log  *slog.Logger
	seed uint64
	typ  *orm.Type

	ctx context.Context
	wg  sync.WaitGroup

	mu    sync.Mutex
	up    [nodes]*member
	cuts  map[[2]int]int // how many faults cut a direction
	rough bool           // a stop did not hand everything over
}

// member is a running node.
type member struct {
	node    *troupe.Node
	db      *orm.DB
	session *session
}

func nodeName(i int) string { return fmt.Sprintf("n%d", i) }

// make returns a node that is not started.
func (c *cluster) make(i int) (*member, error) {
	// Clocks drift by up to 1 %, each in its own direction.
	drift := 1 + (float64((c.seed+uint64(i)*7)%21)-10)/1000*0.9
	cc := &troupe.ClusterConfig{
		Name: "sim", Listen: nodeName(i), Advertise: nodeName(i), Dev: true,
		Voter: i < voters, DataDir: filepath.Join(c.dir, nodeName(i)), TTL: ttl,
		Clock:     func() int64 { return int64(float64(time.Since(c.hist.begin)) * drift) },
		Transport: func(tc transport.Config) transport.Config { return c.net.Config(nodeName(i), tc) },
	}
	for v := range voters {
		cc.Join = append(cc.Join, nodeName(v))
		if cc.Voter {
			cc.Bootstrap = append(cc.Bootstrap, troupe.Server{Name: nodeName(v), Addr: nodeName(v)})
		}
	}
	n, err := troupe.New(troupe.Config{Name: nodeName(i), Logger: c.log.With("node", i), Cluster: cc})
	if err != nil {
		return nil, err
	}
	m := &member{node: n, session: &session{database: c.db}}
	m.db, err = orm.Open(c.ctx, m.session, orm.Config{Types: []*orm.Type{c.typ}, FlushEvery: 500 * time.Millisecond, SaveTimeout: 2 * time.Second})
	if err != nil {
		return nil, err
	}
	troupe.Provide(n, c.hist)
	troupe.Provide(n, m.db)
	return m, n.Register(troupe.Virtual[entity]("entity"), troupe.Virtual[witness]("witness"),
		troupe.Stub[slot]("slot", troupe.Shards(slots)))
}

// start starts all nodes at once.
func (c *cluster) start(ctx context.Context) error {
	errs := make(chan error, nodes)
	for i := range nodes {
		m, err := c.make(i)
		if err != nil {
			return err
		}
		c.up[i] = m
		go func() { errs <- m.node.Start(ctx) }()
	}
	var first error
	for range nodes {
		if err := <-errs; err != nil && first == nil {
			first = err
		}
	}
	return first
}

// node returns the i-th node, nil while it is down.
func (c *cluster) node(i int) *troupe.Node {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.up[i] == nil {
		return nil
	}
	return c.up[i].node
}

// take removes a node that runs, for its end.
func (c *cluster) take(i int) *member {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.up[i]
	c.up[i] = nil
	return m
}

// cut counts cuts, so that overlapping faults do not heal each other.
func (c *cluster) cut(routes [][2]int, by int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range routes {
		c.cuts[r] += by
		if c.cuts[r] > 0 {
			c.net.Cut(nodeName(r[0]), nodeName(r[1]))
		} else {
			c.net.Heal(nodeName(r[0]), nodeName(r[1]))
		}
	}
}

func (c *cluster) crash(i int) bool {
	m := c.take(i)
	if m == nil {
		return false
	}
	m.session.gone.Store(true)
	routes := c.routes(Fault{Kind: "isolate", Node: i})
	c.cut(routes, 1)
	c.net.Kill(nodeName(i))
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	_ = m.node.Stop(ended)
	_ = m.db.Close(ended)
	c.cut(routes, -1)
	return true
}

func (c *cluster) stop(i int) bool {
	m := c.take(i)
	if m == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	err := m.node.Stop(ctx)
	if e := m.db.Close(ctx); err == nil {
		err = e
	}
	if err != nil {
		c.hist.note("stop of n%d: %v", i, err)
		c.mu.Lock()
		c.rough = true
		c.mu.Unlock()
		m.session.gone.Store(true)
	}
	return true
}

// restart starts a node again; it tries until it works or the run ends.
func (c *cluster) restart(i int) {
	for c.ctx.Err() == nil {
		m, err := c.make(i)
		if err == nil {
			if err = m.node.Start(c.ctx); err == nil {
				c.mu.Lock()
				c.up[i] = m
				c.mu.Unlock()
				c.hist.note("n%d is back", i)
				return
			}
			m.session.gone.Store(true)
			ended, cancel := context.WithCancel(context.Background())
			cancel()
			_ = m.node.Stop(ended)
			_ = m.db.Close(ended)
		}
		c.hist.note("restart of n%d: %v", i, err)
		sleep(c.ctx, 500*time.Millisecond)
	}
}

func (c *cluster) reachDB(i int, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.up[i] != nil {
		c.up[i].session.cut.Store(!ok)
	}
}

// heal undoes everything.
func (c *cluster) heal() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.cuts)
	c.net.HealAll()
	c.net.SetAll(memory.Faults{})
	for _, m := range c.up {
		if m != nil {
			m.session.cut.Store(false)
		}
	}
}

// close stops what runs.
func (c *cluster) close() {
	c.heal()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	for i := nodes - 1; i >= 0; i-- {
		if m := c.take(i); m != nil {
			_ = m.node.Stop(ctx)
			_ = m.db.Close(ctx)
		}
	}
}
