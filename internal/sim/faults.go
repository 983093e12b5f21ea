// SPDX-License-Identifier: MIT

package sim

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/troupe-go/troupe/transport/memory"
)

// Fault is one thing that goes wrong, and how long it stays so.
type Fault struct {
	At, For time.Duration
	Kind    string
	Node    int
	Other   int // second node of cut and reset
	P       float64
}

func (f Fault) String() string {
	return fmt.Sprintf("%v +%v %s n%d n%d %.2f", f.At, f.For, f.Kind, f.Node, f.Other, f.P)
}

// Plan is what a seed means.
type Plan struct {
	Seed uint64
	// Gentle plans only stop nodes in good order: nothing may be lost then.
	Gentle bool
	Faults []Fault
}

// kinds of faults; the numbers of the fault list are in the comments.
var faultKinds = []string{
	"crash",     // F1
	"isolate",   // F4, and F2: what a pause looks like from outside
	"mute",      // F4: sends nothing
	"deaf",      // F4: hears nothing
	"cut",       // F4: one pair, both ways
	"slow",      // F5
	"lossy",     // F5
	"duplicate", // F5
	"reset",     // F5
	"stop",      // F11
	"nodb",      // F4: cut from the database only
	"quorum",    // F4: two voters isolated at a time
}

// NewPlan returns the plan of a seed.
func NewPlan(seed uint64) Plan {
	rng := rand.New(rand.NewPCG(seed, 0xfa))
	p := Plan{Seed: seed, Gentle: seed%5 == 0}
	if p.Gentle {
		for at := 3 * time.Second; at < faultTime; at += 12 * time.Second {
			p.Faults = append(p.Faults, Fault{At: at, For: between(rng, 3, 5), Kind: "stop", Node: rng.IntN(nodes)})
		}
		return p
	}
	for range 4 + rng.IntN(8) {
		p.Faults = append(p.Faults, Fault{
			At: between(rng, 1, int(faultTime/time.Second)-1), For: between(rng, 0, 8),
			Kind: faultKinds[rng.IntN(len(faultKinds))],
			Node: rng.IntN(nodes), Other: rng.IntN(nodes), P: rng.Float64(),
		})
	}
	slices.SortFunc(p.Faults, func(a, b Fault) int { return cmp.Compare(a.At, b.At) })
	return p
}

func between(rng *rand.Rand, from, to int) time.Duration {
	return time.Duration(from)*time.Second + time.Duration(rng.Int64N(int64(to-from)*int64(time.Second)))
}

// has reports whether the plan contains a kind of fault.
func (p Plan) has(kind string) bool {
	return slices.ContainsFunc(p.Faults, func(f Fault) bool { return f.Kind == kind })
}

// inject does what the fault says and undoes it later. It blocks until then.
func (c *cluster) inject(ctx context.Context, f Fault) {
	c.hist.note("fault %v", f)
	name := nodeName(f.Node)
	net := c.net
	switch f.Kind {
	case "crash":
		if c.crash(f.Node) {
			sleep(ctx, f.For)
			c.restart(f.Node)
		}
	case "stop":
		if c.stop(f.Node) {
			sleep(ctx, f.For)
			c.restart(f.Node)
		}
	case "isolate", "mute", "deaf", "cut", "quorum":
		routes := c.routes(f)
		c.cut(routes, 1)
		sleep(ctx, f.For)
		c.cut(routes, -1)
	case "slow":
		net.SetAll(memory.Faults{Delay: time.Duration(f.P * float64(80*time.Millisecond)), Jitter: 20 * time.Millisecond})
		sleep(ctx, f.For)
		net.SetAll(memory.Faults{})
	case "lossy":
		net.SetAll(memory.Faults{Drop: 0.3 * f.P})
		sleep(ctx, f.For)
		net.SetAll(memory.Faults{})
	case "duplicate":
		net.SetAll(memory.Faults{Duplicate: 0.3 * f.P})
		sleep(ctx, f.For)
		net.SetAll(memory.Faults{})
	case "reset":
		net.Reset(name, nodeName(f.Other))
	case "nodb":
		c.reachDB(f.Node, false)
		sleep(ctx, f.For)
		c.reachDB(f.Node, true)
	}
	c.hist.note("over  %v", f)
}

// routes returns the directions that a fault cuts.
func (c *cluster) routes(f Fault) [][2]int {
	var r [][2]int
	for i := range nodes {
		switch {
		case f.Kind == "cut":
			if f.Node != f.Other && i == 0 {
				r = append(r, [2]int{f.Node, f.Other}, [2]int{f.Other, f.Node})
			}
		case f.Kind == "quorum":
			for j := range nodes {
				if i != j && (i == f.Node%voters || i == (f.Node+1)%voters) {
					r = append(r, [2]int{i, j}, [2]int{j, i})
				}
			}
		case i != f.Node:
			if f.Kind != "deaf" {
				r = append(r, [2]int{f.Node, i})
			}
			if f.Kind != "mute" {
				r = append(r, [2]int{i, f.Node})
			}
		}
	}
	return r
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
