// SPDX-License-Identifier: MIT

package prom_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/observe/prom"
)

// greeter is an actor with one handler that may panic.
type greeter struct{ troupe.Actor }

func (*greeter) Greet(_ context.Context, fail bool) error {
	if fail {
		panic("asked to")
	}
	return nil
}

func startNode(t testing.TB, m troupe.Metrics) *troupe.Node {
	t.Helper()
	node, err := troupe.New(troupe.Config{Metrics: m, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Register(troupe.Virtual[greeter]("greeter")); err != nil {
		t.Fatal(err)
	}
	if err := node.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = node.Stop(context.Background()) })
	return node
}

func TestNodeIsCounted(t *testing.T) {
	metrics := prom.New(prom.Options{})
	node := startNode(t, metrics)
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(metrics, prom.Active(node))
	for i := range 3 {
		if err := node.Call(t.Context(), troupe.ID("greeter", int64(i)), "Greet", nil, false); err != nil {
			t.Fatal(err)
		}
	}
	if err := node.Call(t.Context(), troupe.ID("greeter", 0), "Greet", nil, true); err == nil {
		t.Fatal("a handler that panics: got no error")
	}
	if err := testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP troupe_active Actors in memory.
# TYPE troupe_active gauge
troupe_active{kind="greeter",node="node"} 3
# HELP troupe_panics_total Number of panics.
# TYPE troupe_panics_total counter
troupe_panics_total{kind="greeter"} 1
`), "troupe_active", "troupe_panics_total"); err != nil {
		t.Error(err)
	}
}

func TestEveryCounterAndSampleHasASeries(t *testing.T) {
	m := prom.New(prom.Options{Namespace: "game", ConstLabels: prometheus.Labels{"node": "a"}})
	for i, c := range troupe.Counters() {
		m.Add(c, "player", int64(i+1))
		m.Add(c, "player", -5) // counters never go down
	}
	for _, s := range troupe.Samples() {
		m.Observe(s, "player", 0.5)
	}
	m.Add(troupe.Counter(250), "player", 1) // of a newer version: ignored
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(m)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var sum float64
	histograms := 0
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "game_") {
			t.Errorf("got the name %s, want the namespace game", f.GetName())
		}
		for _, s := range f.GetMetric() {
			sum += s.GetCounter().GetValue()
			histograms += int(s.GetHistogram().GetSampleCount())
		}
	}
	n := len(troupe.Counters())
	if want := float64(n * (n + 1) / 2); sum != want {
		t.Errorf("sum of all counters: got %v, want %v", sum, want)
	}
	if want := len(troupe.Samples()); histograms != want {
		t.Errorf("observations: got %d, want %d", histograms, want)
	}
}

func TestConcurrentFirstUse(t *testing.T) {
	m := prom.New(prom.Options{})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 1000 {
				m.Add(troupe.CountTurns, fmt.Sprint("kind", (i+g)%10), 1)
			}
		})
	}
	wg.Wait()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(m)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var turns float64
	for _, f := range families {
		if f.GetName() == "troupe_turns_total" {
			for _, s := range f.GetMetric() {
				turns += s.GetCounter().GetValue()
			}
		}
	}
	if turns != 8000 {
		t.Errorf("turns: got %v, want 8000", turns)
	}
}

func BenchmarkAdd(b *testing.B) {
	m := prom.New(prom.Options{})
	b.ReportAllocs()
	for b.Loop() {
		m.Add(troupe.CountTurns, "player", 1)
	}
}
