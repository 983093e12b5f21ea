// SPDX-License-Identifier: MIT

package troupe_test

import (
	"context"
	"fmt"
	"sync"

	"github.com/troupe-go/troupe"
)

// tally is a Metrics that adds up. Package observe/prom has one for Prometheus.
type tally struct {
	troupe.NoMetrics // stays compatible when methods are added
	mu               sync.Mutex
	sums             map[string]int64
}

// Add is called on hot paths and must not block.
func (t *tally) Add(c troupe.Counter, kind string, n int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sums[kind+"."+c.String()] += n
}

// Parrot is something to count.
type Parrot struct{ troupe.Actor }

// Say fails for long words.
func (p *Parrot) Say(_ context.Context, word string) error {
	if len(word) > 5 {
		panic("too long")
	}
	return nil
}

// What can I watch in production? Counters and samples of each kind go to a
// small interface. Each reason for which a message was dropped has a counter of
// its own.
func ExampleMetrics() {
	metrics := &tally{sums: map[string]int64{}}
	node := startNode(troupe.Config{Metrics: metrics}, troupe.Virtual[Parrot]("parrot"))
	for _, word := range []string{"hello", "Polly", "cracker"} {
		_ = node.Call(context.Background(), troupe.ID("parrot", 1), "Say", nil, word)
	}
	stopNode(node)
	fmt.Println(metrics.sums["parrot.turns"], metrics.sums["parrot.panics"], metrics.sums["parrot.restarts"])
	fmt.Println(node.Count("parrot", troupe.CountTurns)) // the node keeps them as well
	// Output:
	// 3 1 1
	// 3
}
