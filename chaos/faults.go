// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"time"
)

// classes of faults; those of the second list need namespaces.
var (
	processFaults = []string{"kill", "kill-leader", "kill-all-but-one", "stop-half-ttl", "stop-three-ttl", "stop-leader", "drain"}
	networkFaults = []string{"isolate", "isolate-leader", "isolate-short", "narrow", "stop-db"}
)

// fault is one that was injected, in time since the begin of the run.
type fault struct {
	Class      string
	Nodes      []int
	Start, End time.Duration
}

// torment injects faults one after the other until ctx ends.
func (w *workload) torment(ctx context.Context, o options) {
	rng := rand.New(rand.NewPCG(o.seed, 0xfa17))
	classes := processFaults
	if o.namespaces {
		classes = append(slices.Clone(processFaults), networkFaults...)
	}
	if o.faults[0] != "all" {
		classes = o.faults
	}
	order := rng.Perm(len(classes))
	for i := 0; ctx.Err() == nil; i++ {
		pause(ctx, o.every/2+time.Duration(rng.Int64N(int64(o.every/2)+1)))
		if ctx.Err() != nil {
			return
		}
		f := fault{Class: classes[order[i%len(order)]], Start: w.now()}
		w.inject(&f, rng)
		f.End = w.now()
		w.mu.Lock()
		w.faults = append(w.faults, f)
		w.mu.Unlock()
	}
}

// inject does one fault and undoes it, also when the run ends meanwhile.
func (w *workload) inject(f *fault, rng *rand.Rand) {
	c, ctx := w.c, context.Background()
	i := rng.IntN(nodes)
	if f.Class == "kill-leader" || f.Class == "stop-leader" || f.Class == "isolate-leader" {
		i = w.leader(i)
	}
	f.Nodes = []int{i}
	switch f.Class {
	case "kill", "kill-leader":
		<-c.signal(i, syscall.SIGKILL).done
		pause(ctx, time.Duration(rng.Int64N(int64(2*ttl))))
		c.revive(ctx, i)
	case "kill-all-but-one":
		f.Nodes = nil
		for j := range nodes {
			if j != i {
				f.Nodes = append(f.Nodes, j)
				<-c.signal(j, syscall.SIGKILL).done
			}
		}
		for _, j := range f.Nodes {
			c.revive(ctx, j)
		}
	case "stop-half-ttl":
		w.freeze(i, ttl/2)
	case "stop-three-ttl", "stop-leader":
		w.freeze(i, 3*ttl)
	case "stop-db":
		f.Nodes = nil
		_ = c.db.cmd.Process.Signal(syscall.SIGSTOP)
		pause(ctx, ttl)
		_ = c.db.cmd.Process.Signal(syscall.SIGCONT)
	case "drain":
		p := c.signal(i, syscall.SIGTERM)
		select {
		case <-p.done:
		case <-time.After(20 * time.Second):
			_ = p.cmd.Process.Kill()
			<-p.done
		}
		c.revive(ctx, i)
	case "isolate", "isolate-leader":
		_ = ip(ctx, fmt.Sprintf("link set v%d down", i))
		pause(ctx, 2*ttl)
		_ = ip(ctx, fmt.Sprintf("link set v%d up", i))
	case "isolate-short":
		_ = ip(ctx, fmt.Sprintf("link set v%d down", i))
		pause(ctx, ttl/3)
		_ = ip(ctx, fmt.Sprintf("link set v%d up", i))
	case "narrow": // 256 kbit/s towards the node
		_ = command(ctx, fmt.Sprintf("tc qdisc add dev v%d root tbf rate 256kbit burst 8kb latency 400ms", i))
		pause(ctx, 2*ttl)
		_ = command(ctx, fmt.Sprintf("tc qdisc del dev v%d root", i))
	}
	for j := range nodes { // what ended by itself, too
		c.revive(ctx, j)
	}
}

func (w *workload) freeze(i int, d time.Duration) {
	w.c.signal(i, syscall.SIGSTOP)
	pause(context.Background(), d)
	w.c.signal(i, syscall.SIGCONT)
}

// leader returns the raft leader, or fallback.
func (w *workload) leader(fallback int) int {
	for i := range nodes {
		if leader, _ := w.c.health(i); leader != "" {
			for j := range nodes {
				if leader == name(j) || leader == w.c.peer(j) {
					return j
				}
			}
		}
	}
	return fallback
}
