// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"fmt"
	"time"
)

// network is the faults between the namespaces: links, routes and queues.
func (w *workload) network(i int, f *fault) {
	ctx := context.Background()
	switch f.Class {
	case "isolate", "isolate-leader":
		w.link(i, "down")
		pause(ctx, 2*ttl)
		w.link(i, "up")
	case "isolate-short":
		w.link(i, "down")
		pause(ctx, ttl/3)
		w.link(i, "up")
	case "flap": // a quarter of the time nothing passes
		for begin := time.Now(); time.Since(begin) < 2*ttl; pause(ctx, 150*time.Millisecond) {
			w.link(i, "down")
			pause(ctx, 50*time.Millisecond)
			w.link(i, "up")
		}
	case "one-way-out":
		w.routes(ttl*2, func(from, to int) bool { return from == i })
	case "one-way-in":
		w.routes(ttl*2, func(from, to int) bool { return to == i })
	case "bridge": // two halves that both see the node i
		w.routes(ttl*2, func(from, to int) bool { return from != i && to != i && (from+i)%2 != (to+i)%2 })
	case "no-db":
		w.hole(i, dbIP, "add")
		pause(ctx, 2*ttl)
		w.hole(i, dbIP, "del")
	case "narrow": // 256 kbit/s towards the node
		_ = command(ctx, fmt.Sprintf("tc qdisc add dev v%d root tbf rate 256kbit burst 8kb latency 400ms", i))
		pause(ctx, 2*ttl)
		_ = command(ctx, fmt.Sprintf("tc qdisc del dev v%d root", i))
	case "disk-full":
		w.fillDisk(i)
	}
}

func (w *workload) link(i int, state string) {
	_ = ip(context.Background(), fmt.Sprintf("link set v%d %s", i, state))
}

// routes cuts the directions that cut names, for a while.
func (w *workload) routes(d time.Duration, cut func(from, to int) bool) {
	each := func(verb string) {
		for from := range nodes {
			for to := range nodes {
				if from != to && cut(from, to) {
					w.hole(from, w.c.ip(to), verb)
				}
			}
		}
	}
	each("add")
	pause(context.Background(), d)
	each("del")
}

// hole makes a node drop, or no longer drop, what it sends to an address.
func (w *workload) hole(from int, to, verb string) {
	w.c.mu.Lock()
	pid := w.c.procs[from].cmd.Process.Pid
	w.c.mu.Unlock()
	_ = command(context.Background(), fmt.Sprintf("nsenter -t %d -n ip route %s blackhole %s/32", pid, verb, to))
}
