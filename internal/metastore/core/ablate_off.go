// SPDX-License-Identifier: MIT

//go:build !troupe_mutants

package core

// Ablations remove one rule each, to prove that the checkers notice. They
// exist only in builds with the tag troupe_mutants; here they are constants,
// so the compiler removes the branches.
const (
	ablateExpireCAS     = false // R3 without comparing the renewal seen
	ablateExpireTerm    = false // R3 without comparing the term
	ablateGrace         = false // a new leader starts no fresh timers
	ablateAckDeadline   = false // the holder counts from the answer
	ablateEntityEpoch   = false // epochs count per entity and restart
	ablateGate          = false // the holder's gate is always open
	ablateTransferEpoch = false // a transfer keeps the epoch
	ablateDedupeSave    = false // snapshots forget the answers given
	ablatePauseHold     = false // the pause detector does nothing
)
