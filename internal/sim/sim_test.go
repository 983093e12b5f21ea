// SPDX-License-Identifier: MIT

package sim

import (
	"flag"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

var (
	seeds  = flag.Int("seeds", 20, "number of seeds")
	first  = flag.Uint64("first", 1, "first seed")
	shrink = flag.Int("shrink", 12, "how many runs may be spent on a smaller plan")
	logs   = flag.Bool("logs", false, "print the nodes' logs")
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestSeeds runs the plans of seeds first to first+seeds-1.
func TestSeeds(t *testing.T) {
	if testing.Short() {
		*seeds = min(*seeds, 3)
	}
	total := Stats{ByFault: make(map[string]int)}
	begin := time.Now()
	for i := range *seeds {
		seed := *first + uint64(i)
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			plan := NewPlan(seed)
			r := simulate(t, plan)
			total.add(r.Stats)
			if len(r.Violations) > 0 {
				report(t, plan, r)
			}
		})
	}
	t.Logf("total: %s, real time %v", total, time.Since(begin).Round(time.Millisecond))
}

// simulate runs a plan in virtual time.
func simulate(t *testing.T, plan Plan) (r Result) {
	t.Helper()
	dir := t.TempDir()
	log := slog.New(slog.DiscardHandler)
	if *logs {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	var err error
	synctest.Test(t, func(*testing.T) { r, err = Run(dir, plan, log) })
	if err != nil {
		t.Fatalf("seed %d: %v", plan.Seed, err)
	}
	return r
}

// report prints a failure with a plan that is as small as the runs allow.
func report(t *testing.T, plan Plan, r Result) {
	t.Helper()
	left := *shrink
	for i := 0; i < len(plan.Faults) && left > 0; left-- {
		smaller := plan
		smaller.Faults = slices.Delete(slices.Clone(plan.Faults), i, i+1)
		if again := simulate(t, smaller); len(again.Violations) > 0 {
			plan, r = smaller, again
		} else {
			i++
		}
	}
	t.Errorf("seed %d:\n  %s", plan.Seed, strings.Join(r.Violations, "\n  "))
	t.Logf("again: go test ./internal/sim -run TestSeeds -first %d -seeds 1 -count 5", plan.Seed)
	t.Logf("faults that are enough: %v", plan.Faults)
	t.Logf("trace:\n%s", strings.Join(r.Trace, "\n"))
}
