// SPDX-License-Identifier: MIT

// Package core is the deciding part of the metastore, without any input or
// output: the replicated state machine ([State]), the leader's side of leases
// ([Grantor]) and the node's side of leases ([Holder]).
//
// Nothing here reads a clock, draws a random number, starts a goroutine or
// depends on the order of a map. Time enters as an int64 number of nanoseconds
// that the caller read from one monotonic clock; only differences are used.
// The same code therefore runs under hashicorp/raft, in a seeded simulator and
// in an explicit-state checker.
//
// The rules of the state machine, referred to by number in code and tests:
//
//	R1 Apply uses no clock, randomness or map order.
//	R2 A claim succeeds iff the entity is unclaimed or its session is not
//	   live. It is idempotent per (session, entity). Its epoch is the log index.
//	R3 ExpireSession compares the renewal it saw and the leader's term with
//	   the entry's term; otherwise it does nothing.
//	R4 Release and transfer compare the epoch.
//	R5 Closing a session is O(1): its claims die logically; a bounded sweep
//	   per entry deletes them.
//	R6 Results that clients depend on (retries of key/value writes) are part
//	   of the state and of its snapshot.
//	R7 An unknown command or version halts the node.
//	R8 A running hash of the state is compared across nodes.
//
// Invariants:
//
//	I1  Per entity, epochs strictly increase: one log entry may carry many
//	    commands, so a claim of an entity that was already given away at the
//	    same index is answered CodeRetry.
//	I12 Equal index implies equal hash on all nodes; a snapshot plus the tail
//	    equals a full replay.
package core
