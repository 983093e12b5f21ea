// SPDX-License-Identifier: MIT

// Package metastore is the cluster's memory: which node is alive, which node
// owns which virtual actor and stub shard, user leases, worker numbers and
// small key/values. Three or five nodes replicate it with Raft; the others
// follow an ordered feed of the same log. Every node answers lookups from its
// own copy.
//
// It is the only package that imports hashicorp/raft. All decisions are in
// package core; this package does the input, the output and the waiting.
//
//	Session.Claim ─> outbox ──(leader here)──────> packer ─> raft ─> FSM ─> views
//	                 merges     └─(elsewhere) RPC ─┘ one entry at a time
//
// Authority only ever comes from a committed log entry: nothing here asks raft
// whether it still leads in order to grant something.
//
// Goroutines of a node, all ended by Close:
//
//	runPacker   leader: packs requests of all nodes into log entries
//	runOutbox   packs requests of this node, sends them to the leader
//	runGrantor  voter: timers of leases, watchdog (50 ms ticker)
//	runRenewals voter: collects renewals, one log entry per RenewEvery
//	runFeed     non-voter: pulls the feed from a voter
//	runHolder   per Session: renews it and measures pauses (50 ms ticker)
//	runLog      forwards raft's log lines to slog
package metastore
