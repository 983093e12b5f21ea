// SPDX-License-Identifier: MIT

// Package model searches all interleavings of small worlds that are built from
// the metastore's real core, not from a copy of it.
//
// Two worlds, each exhaustive within its bounds:
//
//   - fenceWorld: two nodes, one entity, up to three epochs, a list-append
//     document, flushes in flight that arrive in any order or twice, sessions
//     that expire at any moment without the holder noticing. It checks I3 and
//     I6: leases are not trusted here at all, only the fence is.
//   - leaseWorld: one entity, holders and grantors with their clocks, delayed
//     renewals and answers, stale expiries, leader changes, pauses, transfers.
//     It checks I1 and I4.
//
// Every ablation of a rule must make the search find a violation; otherwise
// the search proves nothing. Those of the core need the build tag
// troupe_mutants.
package model
