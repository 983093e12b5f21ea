// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"syscall"
	"time"
)

// The classes of faults, by their number in the reliability plan. Those of the
// network need namespaces, those of the disk strace.
var (
	processFaults = []string{
		"kill", "kill-leader", "kill-all-but-one", "kill-all", // F1
		"stop-half-ttl", "stop-just-over", "stop-three-ttl", "stop-leader", // F2
		"starve",                                 // F3
		"restart-fast", "wipe-worker", "same-id", // F10
		"drain", "roll", // F11
		"kill-db",                  // F13
		"login-storm",              // F15
		"truncate-log", "flip-log", // F16
	}
	networkFaults = []string{
		"isolate", "isolate-leader", "isolate-short", "one-way-out", "one-way-in", "bridge", "no-db", // F4
		"narrow", "flap", // F5
		"disk-full", // F8
		"stop-db",   // F13, F2
	}
	diskFaults = []string{"fsync-slow", "fsync-hang", "fsync-error"} // F6
)

// fault is one that was injected, in time since the begin of the run.
type fault struct {
	Class      string
	Nodes      []int
	Start, End time.Duration
}

// classes returns what can be injected here.
func (o options) classes() []string {
	if o.faults[0] != "all" {
		return slices.DeleteFunc(slices.Clone(o.faults), func(class string) bool {
			return !o.namespaces && slices.Contains(networkFaults, class)
		})
	}
	list := slices.Clone(processFaults)
	if o.namespaces {
		list = append(list, networkFaults...)
	}
	if _, err := exec.LookPath("strace"); err == nil {
		list = append(list, diskFaults...)
	}
	return list
}

// torment injects faults one after the other until ctx ends. Every class comes
// once before any comes again.
func (w *workload) torment(ctx context.Context, o options) {
	rng := rand.New(rand.NewPCG(o.seed, 0xfa17))
	classes := o.classes()
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
	switch f.Class {
	case "kill-leader", "stop-leader", "isolate-leader":
		i = w.leader(i)
	case "fsync-slow", "fsync-hang", "fsync-error", "disk-full":
		i = rng.IntN(voters)
		if rng.IntN(2) == 0 {
			i = w.leader(i)
		}
	case "truncate-log", "flip-log":
		i = rng.IntN(voters)
	case "wipe-worker":
		i = voters + rng.IntN(nodes-voters)
	}
	f.Nodes = []int{i}
	switch f.Class {
	case "kill", "kill-leader":
		<-c.signal(i, syscall.SIGKILL).done
		pause(ctx, time.Duration(rng.Int64N(int64(2*ttl))))
	case "restart-fast":
		<-c.signal(i, syscall.SIGKILL).done
	case "kill-all-but-one", "kill-all":
		f.Nodes = nil
		for j := range nodes {
			if j != i || f.Class == "kill-all" {
				f.Nodes = append(f.Nodes, j)
				<-c.signal(j, syscall.SIGKILL).done
			}
		}
	case "stop-half-ttl":
		w.freeze(i, ttl/2)
	case "stop-just-over":
		w.freeze(i, ttl*11/10)
	case "stop-three-ttl", "stop-leader":
		w.freeze(i, 3*ttl)
	case "starve": // one twentieth of the time
		for begin := time.Now(); time.Since(begin) < 2*ttl; pause(ctx, 20*time.Millisecond) {
			w.freeze(i, 380*time.Millisecond)
		}
	case "stop-db":
		f.Nodes = nil
		_ = c.db.cmd.Process.Signal(syscall.SIGSTOP)
		pause(ctx, ttl)
		_ = c.db.cmd.Process.Signal(syscall.SIGCONT)
	case "kill-db":
		f.Nodes = nil
		w.violate(w.collect())
		w.violate(c.restartDB(ctx, time.Duration(rng.Int64N(int64(ttl)))))
	case "drain":
		w.drain(i)
	case "roll":
		f.Nodes = nil
		for j := range nodes {
			w.drain(j)
			c.revive(ctx, j)
			w.violate(c.ready(ctx, j)) // as whoever rolls a version out waits
		}
	case "wipe-worker":
		<-c.signal(i, syscall.SIGKILL).done
		c.wipe(i)
	case "same-id":
		w.violate(c.secondProcess(i))
	case "truncate-log", "flip-log":
		w.violate(c.refusesBadLog(ctx, i, f.Class == "flip-log", rng))
	case "login-storm":
		f.Nodes = nil
		w.storm(rng)
	case "fsync-slow", "fsync-hang", "fsync-error":
		w.disk(i, f.Class)
	default:
		w.network(i, f)
	}
	for j := range nodes { // what ended by itself, too
		c.revive(ctx, j)
	}
}

// violate notes what a fault itself has found.
func (w *workload) violate(err error) {
	if err != nil {
		w.mu.Lock()
		w.found = append(w.found, err.Error())
		w.mu.Unlock()
	}
}

func (w *workload) drain(i int) {
	p := w.c.signal(i, syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(20 * time.Second):
		w.violate(fmt.Errorf("I13: %s does not stop in good order within 20s", name(i)))
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

func (w *workload) freeze(i int, d time.Duration) {
	w.c.signal(i, syscall.SIGSTOP)
	begin := w.now()
	pause(context.Background(), d)
	w.c.signal(i, syscall.SIGCONT)
	w.mu.Lock()
	w.stops = append(w.stops, stopped{i, begin, w.now()})
	w.mu.Unlock()
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
