// SPDX-License-Identifier: MIT

//go:build !mpscmodel

package mpsc

const (
	// largeSlots makes a segment of 64-byte slots fill a size class of the Go
	// allocator exactly: 8 bytes of the allocator + 56 of header + 63*64 = 4096,
	// which also puts each slot on a cache line of its own.
	largeSlots = 63

	// denseSlots is largeSlots for slots of up to denseBytes.
	denseSlots = 250
	denseBytes = 16

	// smallSlots is the size of the first segment after a rest: 64 + 4*64 = 320
	// bytes. Most idle actors get a message or two before they rest again.
	smallSlots = 4

	// shards is the number of free lists per size. Queues are spread over them.
	shards = 16

	// maxGen is the last generation of a segment before they start again.
	maxGen = 1<<15 - 1
)

// point marks the atomic operations for the model test. It costs nothing here.
func point() {}
