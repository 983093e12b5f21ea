// SPDX-License-Identifier: MIT

package mpsc

// The tail word of a Queue is its whole shared state, so that every transition
// is one atomic operation on one word:
//
//	 63        49 48                25 24                     0
//	+------------+--------------------+------------------------+
//	| generation |       handle       |          index         |
//	+------------+--------------------+------------------------+
//
//	index of an open word:   claims made, counted up; >= segmentEnd means that
//	                         nothing can be claimed
//	index of an exact word:  1 | next index (8 bits) | refused adds (16 bits)
//
// A handle below firstHandle is not a segment but a state without mail; its
// index is at least segmentEnd, so that the fetch-add of a push can never
// mistake it for a claim. Generation and handle together are a ref: the
// handle names the segment in the pool's directory, the generation its use.
//
// The index field cannot run over into the handle: a push adds at most once
// before it enters the slow path, which replaces or settles the word. The
// overflow of 16 bits would need some 64,000 goroutines that were all
// preempted in the few instructions between the add and the slow path.
const (
	handleBits  = 24
	indexBits   = 25
	indexMask   = 1<<indexBits - 1
	handleMask  = 1<<handleBits - 1
	genShift    = indexBits + handleBits
	exactBit    = 1 << (indexBits - 1)
	exactShift  = 16
	settleAbove = 1 << 10 // refused adds that make the slow path reset them
)

// Handles that name a state rather than a segment.
const (
	handleIdle   = 0 // no mail, no consumer
	handleOwned  = 1 // no mail, a consumer holds the queue
	handleClosed = 2 // no mail, no more pushes
	firstHandle  = 3
)

// ref is the upper part of a word: generation and handle. Zero is no segment.
type ref uint64

func makeRef(handle uint32, gen uint32) ref {
	return ref(uint64(gen)<<handleBits | uint64(handle))
}

func (r ref) handle() uint32 { return uint32(r & handleMask) }
func (r ref) gen() uint32    { return uint32(r >> handleBits) }

// word is one value of Queue.tail.
type word uint64

// openWord lets producers claim the indexes from index on by fetch-add.
func openWord(r ref, index uint32) word { return word(uint64(r)<<indexBits | uint64(index)) }

// exactWord sends every push to the slow path, which claims by compare and
// swap after it has checked the limit.
func exactWord(r ref, index uint32) word {
	return openWord(r, exactBit|index<<exactShift)
}

// restWord is a state without mail; turn tells one rest from the next.
func restWord(handle uint32, turn uint32) word {
	return openWord(makeRef(handle, turn&maxGen), segmentEnd)
}

func (w word) ref() ref       { return ref(w >> indexBits) }
func (w word) handle() uint32 { return uint32(w>>indexBits) & handleMask }
func (w word) gen() uint32    { return uint32(w >> genShift) }
func (w word) index() uint32  { return uint32(w) & indexMask }
func (w word) exact() bool    { return w&exactBit != 0 }

// next returns the index that the next claim gets; segmentEnd if the segment
// is full.
func (w word) next() uint32 {
	if w.exact() {
		return w.index() >> exactShift &^ (exactBit >> exactShift)
	}
	return min(w.index(), segmentEnd)
}

// settled returns the word without the adds of pushes that claimed nothing.
func (w word) settled() word {
	if w.exact() {
		return exactWord(w.ref(), w.next())
	}
	return openWord(w.ref(), w.next())
}

// unsettled reports whether enough refused adds have gathered to remove them.
func (w word) unsettled() bool {
	return w-w.settled() > settleAbove
}
