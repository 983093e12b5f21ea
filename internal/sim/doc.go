// SPDX-License-Identifier: MIT

// Package sim runs whole clusters with the real raft, the real transport on an
// in-memory network and a fenced database that misbehaves, under seeded faults
// in virtual time, and checks what the clients and the database saw.
//
//	seed ──> plan of faults ──> 3 voters + 2 workers, 6 clients, 1 database
//	                                │
//	                                v
//	         history: handlers, accepted writes, messages, operations
//	                                │
//	                                v
//	         checks: I1 I2 I3 I4 I5 I6 I7 I10 I11 I13 I14
//
// Run it with
//
//	go test ./internal/sim -seeds 200 -first 1
//
// A seed fixes the faults, the workload and the network's choices. synctest
// gives fake time, not a fixed interleaving of goroutines, so that a seed that
// failed may need a few repetitions: -count 10.
//
// The numbers of the invariants are those of docs/RELIABILITY-REPORT.md.
package sim
