// SPDX-License-Identifier: MIT

// Package mpsc provides the queues that mailboxes are made of: many producers,
// one consumer, messages by value.
//
//   - [Queue] is lock-free, in segments that all queues of a node share through
//     a [Pool], and refuses messages above its limit.
//   - [Ring] is a ring under a lock that drops the oldest message instead.
//
// Both also keep the record of who consumes: the push that ends an idle time
// says so, and its caller must start the consumer. Nothing else wakes anybody.
//
// # States
//
// The whole shared state of a Queue is one word: the last segment, and how much
// of it has been claimed. A word without a segment is a rest.
//
//	             TryAcquire
//	   +------+ ------------> +-------+
//	   | idle |               | owned | --- TryClose ---+
//	   +------+ <------------ +-------+                 |
//	    |    ^     TryIdle        |                     v
//	    |    |                    | Push            +--------+
//	    |    +---- TryIdle --+    |                 | closed |
//	Push|       (empty)      |    v                 +--------+
//	    |                  +--------+                   ^
//	    +----------------> |  mail  | --- TryClose -----+
//	      PushedFirst      +--------+     (empty)
//	                        |      ^
//	                        +------+  Push into the segment or behind it, Pop
//
// In owned and in mail there is exactly one consumer, running or called for.
// Mail may be empty: the consumer has popped everything and does not rest yet.
//
// # Invariants
//
//	I1  A producer owns a slot from its claim, the one change of the word that
//	    counted the slot, to the store of the slot's state. After it the
//	    consumer owns the slot. Claims of a segment are given out in order.
//	I2  The consumer leaves a slot behind only when it is published. So a
//	    segment with a claimed and unpublished slot is in no pool, and the
//	    producer that claimed it finds the segment as the word named it.
//	I3  The consumer leaves a full segment only when its next is known, and the
//	    producer that installed the next one, which is the only one to touch
//	    the full segment afterwards, stores it last.
//	I4  The consumer rests only by a swap that finds the word as it was when
//	    everything claimed had been popped. A push that claimed before it makes
//	    it fail; a push that comes after it finds the rest, and ends it.
//	I5  Exactly one push ends a rest, because only one swap of the word can
//	    replace it; that push alone reports PushedFirst, and only if the rest
//	    was idle. So there is never a second consumer, and never mail without
//	    one.
//	I6  A refused push claims nothing: near the limit, and at rest, every index
//	    of the word is above the last slot, so that the add of the fast path
//	    is no claim.
//	I7  base of the last segment plus the claims in it is the number of all
//	    claims; consumed never exceeds it. Claims by add are open only if a
//	    whole segment fits under the limit.
//
// Why an equal word is as good as an unchanged one: every swap depends on the
// word only, which is the whole state. What a producer derived from it before
// and had to read elsewhere (base) it reads again after the swap, when I2 and I3
// hold the segment in place. The generation in the word makes this rare.
//
// # Memory order
//
// All hand-overs are atomic operations: of a slot by its state (I1), of a full
// segment by next (I3), of a segment to the pool and back by the head of the
// free list, of the consumer's fields by the word: they are written before the
// swap that rests, and the next consumer is called by the push that saw it.
// The stores are releases (see storeRelease); wherever a later load must not
// overtake a store there is a swap of the word in between.
//
// # Sources
//
// Claiming by fetch-and-add in linked segments is from LCRQ (Morrison and Afek,
// 2013) and its relatives; free lists with a tag are Treiber's (1986). That the
// state of consumption is a value of the same word is ours.
//
// # Measurements
//
// docs/BENCHMARKS.md compares the queue with others. What made a difference:
// publishing by a plain store instead of XCHG (16 to 12 ns a message of 8 bytes
// on one core), finding the segment before the add instead of after it (14 to 9
// ns), passing the message by pointer (29 to 18 ns with 56 bytes), yielding when
// ahead (on 2 cores 60 to 33 ns with 56 bytes, and up to 100 to 10 ns with 8).
// What did not: writing to the slots of a segment in advance, a consumer that
// yields or spins before it rests, looking ahead at more than a few slots.
//
// A push is one locked operation and the transfer of the cache lines of the
// word and of the slot. With 8 bytes four slots share a cache line. When other
// processes take the cores away, a producer can lose its core between claim and
// publication, and the queue grows out of the cache meanwhile.
package mpsc
