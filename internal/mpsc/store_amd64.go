// SPDX-License-Identifier: MIT

//go:build !race && !mpscmodel

package mpsc

import (
	"sync/atomic"
	"unsafe"
)

// storeRelease is addr.Store(val) without the wait for earlier stores to become
// visible: what the goroutine did before is seen by whoever sees val, but what
// it does next may overtake the store. (addr.Store on amd64 is an XCHG, which
// stops the processor until the cache line of the message has come over from
// the consumer's; with it a push and a pop take a third longer.)
//
// A plain MOV is such a store: x86 does not reorder stores (Intel SDM vol. 3,
// 8.2.2), and the compiler keeps the stores of a function in their order. The
// race detector knows nothing of that, so with it, as on other processors,
// Store is used.
func storeRelease(addr *atomic.Uint32, val uint32) { *(*uint32)(unsafe.Pointer(addr)) = val }

// storeRelease64 is storeRelease for 64 bits.
func storeRelease64(addr *atomic.Uint64, val uint64) { *(*uint64)(unsafe.Pointer(addr)) = val }
