// SPDX-License-Identifier: MIT

package coresim

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	seeds  = flag.Int("seeds", 200, "number of seeds")
	first  = flag.Uint64("first", 1, "first seed")
	length = flag.Duration("length", time.Minute, "virtual time of faults per seed")
	tries  = flag.Int("shrink", 60, "how many runs may be spent on a smaller plan")
)

// TestSeeds runs the plans of seeds first to first+seeds-1.
func TestSeeds(t *testing.T) {
	n := *seeds
	if testing.Short() || raceEnabled {
		n = min(n, 10)
	}
	var total Stats
	begin := time.Now()
	for i := range n {
		seed := *first + uint64(i)
		r := Run(NewPlan(seed, int64(*length)), false)
		total.add(r.Stats)
		if len(r.Violations) > 0 {
			report(t, seed, r)
		}
		if i%500 == 499 {
			t.Logf("%d seeds, %v", i+1, time.Since(begin).Round(time.Second))
		}
	}
	t.Logf("total: %s, real time %v", total.text(n), time.Since(begin).Round(time.Millisecond))
}

// report prints how to run a failed seed again, and a smaller plan with its
// trace.
func report(t *testing.T, seed uint64, r Result) {
	t.Helper()
	t.Errorf("seed %d:\n  %s", seed, strings.Join(r.Violations, "\n  "))
	t.Logf("again: go test ./internal/coresim -run TestSeeds -first %d -seeds 1 -length %v", seed, *length)
	if *tries == 0 {
		return
	}
	small, again := Shrink(NewPlan(seed, int64(*length)), *tries)
	t.Logf("faults that are enough: %v", small.Faults)
	t.Logf("violations then: %s", strings.Join(again.Violations, "\n"))
	t.Logf("the end of the trace:\n%s", strings.Join(again.Trace[max(0, len(again.Trace)-120):], "\n"))
}

// TestReproducible: the same seed gives the same run, bit by bit.
func TestReproducible(t *testing.T) {
	for seed := range uint64(5) {
		p := NewPlan(seed, int64(40*time.Second))
		a, b := Run(p, false), Run(p, true)
		require.Equal(t, a.Digest, b.Digest, "seed %d", seed)
		require.Equal(t, a.Stats, b.Stats)
		require.NotEqual(t, a.Digest, Run(NewPlan(seed+1, int64(40*time.Second)), false).Digest)
	}
}

// TestWallClockChangesNothing is I16: jumps of the wall clock by an hour change
// nothing but which ids are minted.
func TestWallClockChangesNothing(t *testing.T) {
	for seed := range uint64(20) {
		p := NewPlan(seed, int64(40*time.Second))
		for i := range p.Faults {
			if i%2 == 0 {
				p.Faults[i].Kind = "wall-jump"
			}
		}
		jumps := Run(p, false)
		p.Calm = true
		calm := Run(p, false)
		require.Empty(t, jumps.Violations)
		require.Equal(t, calm.Outcome, jumps.Outcome, "I16: seed %d", seed)
	}
}

func (s *Stats) add(o Stats) {
	for i, p := range s.counts() {
		*p.value += *o.counts()[i].value
	}
	s.OldestLost = max(s.OldestLost, o.OldestLost)
	s.Worst = max(s.Worst, o.Worst)
	s.Virtual += o.Virtual
}

type count struct {
	name  string
	value *int
}

func (s *Stats) counts() []count {
	return []count{
		{"faults", &s.Faults},
		{"events", &s.Events},
		{"messages", &s.Messages},
		{"dropped", &s.Dropped},
		{"ops", &s.Ops},
		{"handlers", &s.Handled},
		{"overlaps", &s.Overlaps},
		{"moves", &s.Moves},
		{"activations", &s.Activations},
		{"loads", &s.Loads},
		{"writes", &s.Writes},
		{"refused", &s.Refused},
		{"zombies dropped", &s.ZombiesDropped},
		{"entries", &s.Entries},
		{"elections", &s.Elections},
		{"snapshots", &s.Snapshots},
		{"expired", &s.Expired},
		{"fenced", &s.Fenced},
		{"step-downs", &s.StepDowns},
		{"gave up", &s.GaveUp},
		{"not admitted", &s.NotAdmitted},
		{"ids", &s.IDs},
		{"ids refused", &s.IDsRefused},
		{"lost notes", &s.LostNotes},
		{"old generation", &s.OldGeneration},
		{"recoveries", &s.Recoveries},
		{"ids repeated by recovery", &s.IDsRepeated},
	}
}

func (s *Stats) text(runs int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "runs=%d virtual=%v", runs, time.Duration(s.Virtual).Round(time.Second))
	for _, p := range s.counts() {
		fmt.Fprintf(&b, " %s=%d", strings.ReplaceAll(p.name, " ", "_"), *p.value)
	}
	fmt.Fprintf(&b, " oldest_lost_note=%v worst_wait=%v", time.Duration(s.OldestLost), time.Duration(s.Worst))
	return b.String()
}
