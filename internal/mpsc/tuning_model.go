// SPDX-License-Identifier: MIT

//go:build mpscmodel

package mpsc

import "sync/atomic"

// The tag mpscmodel makes everything so small that a test can try the orders
// in which the atomic operations of a few goroutines may happen.
const (
	largeSlots = 2
	denseSlots = 2
	denseBytes = 0
	smallSlots = 1
	shards     = 1
	maxGen     = 3
)

// scheduler is the test that decides who does the next atomic operation.
var scheduler func()

func point() {
	if scheduler != nil {
		scheduler()
	}
}

func storeRelease(addr *atomic.Uint32, val uint32)   { point(); addr.Store(val) }
func storeRelease64(addr *atomic.Uint64, val uint64) { point(); addr.Store(val) }
