// SPDX-License-Identifier: MIT

package metastore

import (
	"errors"
	"fmt"

	"github.com/troupe-go/troupe/internal/metastore/core"
)

// Three kinds of failure stay apart: "no" (a decision was committed, see
// RefusedError), "not done" (ErrNoQuorum, ErrOverloaded, ErrClosed: the request
// certainly had no effect), and "in doubt" (ErrInDoubt).
var (
	// ErrNoQuorum: no leader could be reached, or it could not commit, within
	// the time limit. The request had no effect.
	ErrNoQuorum = errors.New("metastore: no quorum")
	// ErrInDoubt: the request may or may not take effect. All requests are
	// idempotent; repeat it to learn the outcome.
	ErrInDoubt = errors.New("metastore: outcome in doubt")
	// ErrOverloaded: too many requests wait already.
	ErrOverloaded = errors.New("metastore: too many requests")
	// ErrClosed: the node is closed or halted.
	ErrClosed = errors.New("metastore: closed")
	// ErrSessionLost: the session expired, was closed or fenced itself.
	ErrSessionLost = errors.New("metastore: session lost")
	// ErrOwned: another live session owns it; RefusedError has the owner.
	ErrOwned = errors.New("metastore: owned by another session")
	// ErrStale: the epoch given is not the current one.
	ErrStale = errors.New("metastore: stale epoch")
	// ErrDraining: the session drains and may take nothing new.
	ErrDraining = errors.New("metastore: session is draining")
	// ErrConflict: a compare-and-set did not match.
	ErrConflict = errors.New("metastore: conflict")
	// ErrAbsent: there is no such record.
	ErrAbsent = errors.New("metastore: absent")
	// ErrRefused: any other committed refusal.
	ErrRefused = errors.New("metastore: refused")

	// ErrWrongCluster: the data directory or the peer belongs to another
	// cluster.
	ErrWrongCluster = errors.New("metastore: other cluster")
	// ErrWrongNode: the data directory belongs to another node.
	ErrWrongNode = errors.New("metastore: data directory of another node")
	// ErrBootstrapped: bootstrap was asked for where a state exists already.
	ErrBootstrapped = errors.New("metastore: already bootstrapped")
	// ErrLocked: another process uses the data directory.
	ErrLocked = errors.New("metastore: data directory is locked")
	// ErrStalled: as leader, nothing could be committed for several seconds
	// and leadership could not be handed over (a hanging disk).
	ErrStalled = errors.New("metastore: leader cannot commit")
	// ErrStore: the log or snapshot store failed. It is never retried.
	ErrStore = errors.New("metastore: storage failed")
	// ErrHalted: the state machine refused an entry; this build or this state
	// differs from the cluster's.
	ErrHalted = errors.New("metastore: state machine halted")
	// ErrRemoved: the node was removed from the voters.
	ErrRemoved = errors.New("metastore: removed from the cluster")
)

// RefusedError is a committed "no". It matches ErrOwned, ErrStale,
// ErrDraining, ErrSessionLost, ErrConflict, ErrAbsent or ErrRefused.
type RefusedError struct {
	Code  core.Code
	Owner core.Owner // the current owner, when there is one
	What  string
}

// Error implements error.
func (e *RefusedError) Error() string {
	if e.Owner.Session != 0 {
		return fmt.Sprintf("metastore: %s: %v (node %s, session %d, epoch %d)",
			e.What, e.Code, e.Owner.Node, e.Owner.Session, e.Owner.Epoch)
	}
	return fmt.Sprintf("metastore: %s: %v", e.What, e.Code)
}

// Unwrap returns the sentinel of the code.
func (e *RefusedError) Unwrap() error {
	switch e.Code {
	case core.CodeOwned, core.CodeBusy:
		return ErrOwned
	case core.CodeStale:
		return ErrStale
	case core.CodeSessionDead, core.CodeTargetDead:
		return ErrSessionLost
	case core.CodeDraining:
		return ErrDraining
	case core.CodeConflict:
		return ErrConflict
	case core.CodeAbsent:
		return ErrAbsent
	}
	return ErrRefused
}

// refusal turns an outcome into an error; nil for CodeOK.
func refusal(what string, o core.Outcome) error {
	if o.Code == core.CodeOK {
		return nil
	}
	return &RefusedError{Code: o.Code, What: what, Owner: core.Owner{Node: o.Node, Session: o.Session, Epoch: o.Epoch}}
}
