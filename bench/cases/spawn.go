// SPDX-License-Identifier: MIT

package cases

import (
	"runtime"
	"time"

	"github.com/troupe-go/troupe/bench/compare"
)

// spawnCases measure what an actor costs: the time to make it, and the memory
// that it holds when it has handled one message and is idle.
func spawnCases(linked []Library) []compare.Case {
	c := compare.Case{
		Name:  "spawn",
		About: "make actors; bytes_idle is what each holds after one handled message: heap and stacks after a collection",
		N:     100_000, Runs: 1, Timeout: 60 * time.Second,
	}
	add(&c, "spawn", linked, func(lib Library) func(b *compare.B) func(n int) {
		if lib.Spawn == nil {
			return nil
		}
		return lib.Spawn
	})
	return []compare.Case{c}
}

// Crowd is the work of spawn around a contender's two halves: spawn makes the
// i-th actor, and greet sends the one message and returns when the actor has
// handled it or, for the last i, when all have.
func Crowd(b *compare.B, spawn func(i int), greetAll func(n int)) func(n int) {
	return func(n int) {
		before := memory()
		start := time.Now()
		for i := range n {
			spawn(i)
		}
		b.Elapsed(time.Since(start))
		greetAll(n)
		b.Report("bytes_idle", (memory()-before)/float64(n))
	}
}

// memory returns the bytes of live heap objects and stacks.
func memory() float64 {
	var m runtime.MemStats
	// Twice: the first collection moves pools' contents to where the second
	// can free them, and lets goroutines that just ended give back their stacks.
	for range 2 {
		runtime.GC()
		time.Sleep(20 * time.Millisecond)
	}
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) + float64(m.StackInuse)
}
