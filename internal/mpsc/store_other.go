// SPDX-License-Identifier: MIT

//go:build (race || !amd64) && !mpscmodel

package mpsc

import "sync/atomic"

// storeRelease makes what the goroutine did before visible to whoever sees val.
func storeRelease(addr *atomic.Uint32, val uint32) { addr.Store(val) }

// storeRelease64 is storeRelease for 64 bits.
func storeRelease64(addr *atomic.Uint64, val uint64) { addr.Store(val) }
