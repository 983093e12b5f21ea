// SPDX-License-Identifier: MIT

// Package coresim simulates clusters around the metastore's sans-IO core in one
// goroutine: a run is a function of its seed, bit by bit, so that the same seed
// gives the same trace hash on every machine.
//
// What is real: core.State, core.Grantor, core.Holder with their commands,
// encodings and snapshots; the fencing rules of package orm (CanLoad, CanWrite,
// LoadToken); troupe.Snowflakes. What is simulated, as small as it can be: a
// Raft, the network, the document store, clocks, processes and their clients.
//
//	clients --> nodes (Holder, activations) --> store (fenced documents)
//	                 |            \--> gateway (newest epoch per actor)
//	                 v
//	            voters (Raft, State, Grantor)
//
// Faults: crashes, pauses, stopped clocks, isolation, one-way and pair cuts,
// delay, loss, duplication, hanging disks, delayed and duplicated flushes,
// drain, wall-clock jumps, lost quorum with recovery and a new generation.
//
// Checks: I1, I2, I3, I4, I5, I6, I7, I9, I10, I12, I13, I14, I16 and I17. Each
// can fail: the tests leave one rule out at a time (Rules) and expect a
// violation.
package coresim
