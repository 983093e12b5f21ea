// SPDX-License-Identifier: MIT

package troupe

import (
	"context"
	"errors"
	"fmt"
)

// Code is the number under which an error crosses nodes. Codes are appended,
// never reordered or reused: they are part of the wire protocol.
type Code int32

// CodeUser marks an error that came out of a handler and is not one of
// troupe's own; see UserError.
const CodeUser Code = 1

// sentinel is an error that keeps its identity on the wire.
type sentinel struct {
	code  Code
	text  string
	cause error // a well-known error that errors.Is should match too, or nil
}

func (s *sentinel) Error() string { return s.text }

// Unwrap lets callers test for the standard library's error, for example
// context.DeadlineExceeded behind ErrTimeout.
func (s *sentinel) Unwrap() error { return s.cause }

// The errors a caller can branch on with errors.Is. Each keeps its identity
// across nodes. The comment says what the caller may conclude.
var (
	// ErrUnknownKind: no such kind is registered on this node.
	ErrUnknownKind error = &sentinel{code: 2, text: "troupe: unknown kind"}
	// ErrUnknownMethod: the kind has no handler of that name or number.
	ErrUnknownMethod error = &sentinel{code: 3, text: "troupe: unknown method"}
	// ErrBadArguments: wrong number or type of arguments or results, or bytes
	// that do not decode. The handler did not run.
	ErrBadArguments error = &sentinel{code: 4, text: "troupe: bad arguments"}
	// ErrNoActor: the Ref is zero or names an actor that does not exist (any more).
	ErrNoActor error = &sentinel{code: 5, text: "troupe: no such actor"}
	// ErrStopped: the node is stopped, stopping, or was never started.
	ErrStopped error = &sentinel{code: 6, text: "troupe: node is not running"}
	// ErrActorStopped: the actor stopped before it took the message. The
	// handler did not run.
	ErrActorStopped error = &sentinel{code: 7, text: "troupe: actor stopped"}
	// ErrMailboxFull: the mailbox is at its bound. The handler did not run.
	ErrMailboxFull error = &sentinel{code: 8, text: "troupe: mailbox full"}
	// ErrPanic: the handler panicked. The stack is in the node's log.
	ErrPanic error = &sentinel{code: 9, text: "troupe: handler panicked"}
	// ErrActivation: OnActivate failed. The handler did not run.
	ErrActivation error = &sentinel{code: 10, text: "troupe: activation failed"}
	// ErrCallCycle: the call would wait for itself; see CycleError.
	ErrCallCycle error = &sentinel{code: 11, text: "troupe: call cycle"}
	// ErrTimeout: the deadline passed before the reply. The handler may have
	// run. errors.Is(err, context.DeadlineExceeded) holds too.
	ErrTimeout error = &sentinel{code: 12, text: "troupe: call timed out", cause: context.DeadlineExceeded}
	// ErrCanceled: the caller's context ended. The handler may have run.
	// errors.Is(err, context.Canceled) holds too.
	ErrCanceled error = &sentinel{code: 13, text: "troupe: call canceled", cause: context.Canceled}
	// ErrPoison: the message panicked more often than its kind allows and was
	// dead-lettered.
	ErrPoison error = &sentinel{code: 14, text: "troupe: poison message"}
	// ErrNotOwner: the receiver does not own the id (any more). The handler
	// did not run; the library retries this by itself.
	ErrNotOwner error = &sentinel{code: 15, text: "troupe: not the owner"}
	// ErrNoQuorum: the cluster's metadata store has no majority that can be
	// reached. Nothing was changed, or the change is in doubt and idempotent.
	ErrNoQuorum error = &sentinel{code: 16, text: "troupe: no quorum"}
	// ErrFenced: a newer activation of the id exists; this one must end.
	ErrFenced error = &sentinel{code: 17, text: "troupe: fenced by a newer activation"}
	// ErrUnreachable: the target's node cannot be reached; see CallError.Sent.
	ErrUnreachable error = &sentinel{code: 18, text: "troupe: node unreachable"}
	// ErrTooLarge: a message, document or frame is over its size cap.
	ErrTooLarge error = &sentinel{code: 19, text: "troupe: too large"}
	// ErrNoHost: no live node has a role that hosts the kind.
	ErrNoHost error = &sentinel{code: 20, text: "troupe: no node hosts this kind"}
	// ErrAccess: the caller's class may not call this method.
	ErrAccess error = &sentinel{code: 21, text: "troupe: access denied"}
	// ErrBackpressure: a send queue to another node is full. Nothing was sent.
	ErrBackpressure error = &sentinel{code: 22, text: "troupe: send queue full"}
	// ErrDuplicateKind: Register was called twice with one name.
	ErrDuplicateKind error = &sentinel{code: 23, text: "troupe: duplicate kind"}
	// ErrStarted: Register or Start after Start.
	ErrStarted error = &sentinel{code: 24, text: "troupe: node already started"}
	// ErrBadConfig: a Config or option value is invalid; the text names it.
	ErrBadConfig error = &sentinel{code: 25, text: "troupe: bad configuration"}
	// ErrBadHandler: an exported method of a registered type cannot be a
	// handler; the text says which and why.
	ErrBadHandler error = &sentinel{code: 26, text: "troupe: bad handler"}
	// ErrEncoding: an argument or result type cannot cross nodes.
	ErrEncoding error = &sentinel{code: 27, text: "troupe: type cannot be encoded"}
	// ErrLeaseLost: a lease is no longer held.
	ErrLeaseLost error = &sentinel{code: 28, text: "troupe: lease lost"}
	// ErrLeaseHeld: somebody else holds the lease.
	ErrLeaseHeld error = &sentinel{code: 29, text: "troupe: lease held by another"}
)

// codeOf returns the code of one of the errors above, 0 for any other.
func codeOf(err error) Code {
	var s *sentinel
	if errors.As(err, &s) {
		return s.code
	}
	return 0
}

// sentinels maps wire codes back to the errors above. It is read-only.
var sentinels = func() map[Code]error {
	m := make(map[Code]error)
	for _, err := range []error{
		ErrUnknownKind, ErrUnknownMethod, ErrBadArguments, ErrNoActor, ErrStopped,
		ErrActorStopped, ErrMailboxFull, ErrPanic, ErrActivation, ErrCallCycle,
		ErrTimeout, ErrCanceled, ErrPoison, ErrNotOwner, ErrNoQuorum, ErrFenced,
		ErrUnreachable, ErrTooLarge, ErrNoHost, ErrAccess, ErrBackpressure,
		ErrDuplicateKind, ErrStarted, ErrBadConfig, ErrBadHandler, ErrEncoding,
		ErrLeaseLost, ErrLeaseHeld,
	} {
		m[codeOf(err)] = err
	}
	return m
}()

// UserError is a handler's own error as seen by a caller on another node: the
// text, and the code if the handler's error had one (see Coder). On the same
// node the caller receives the handler's error value itself.
type UserError struct {
	Code int32
	Text string
}

// Error returns the text.
func (e *UserError) Error() string { return e.Text }

// ErrorCode implements Coder.
func (e *UserError) ErrorCode() int32 { return e.Code }

// Is reports whether target carries the same non-zero code, so that a game can
// declare var ErrPoor = &troupe.UserError{Code: 7, Text: "not enough gold"}
// and test for it with errors.Is on any node.
func (e *UserError) Is(target error) bool {
	t, ok := target.(*UserError)
	return ok && e.Code != 0 && t.Code == e.Code
}

// Coder is implemented by user errors that want to keep a number across nodes.
type Coder interface {
	error
	ErrorCode() int32
}

// CallError is the error of every failed Call and Send. It wraps the cause.
type CallError struct {
	To     Ref
	Method string
	// Sent reports whether any byte of the request may have reached To.
	Sent bool
	Err  error
}

// Error returns "call kind/key.Method: cause".
func (e *CallError) Error() string {
	return fmt.Sprintf("call %v.%s: %v", e.To, e.Method, e.Err)
}

// Unwrap returns the cause.
func (e *CallError) Unwrap() error { return e.Err }

// SafeToRetry reports whether the request certainly had no effect. When it is
// false the outcome is in doubt: retry only idempotent messages.
func (e *CallError) SafeToRetry() bool { return !e.Sent }

// CycleError is the error of a call that would wait for its own caller. It
// matches ErrCallCycle.
type CycleError struct {
	// Chain lists the actors from the first caller to the repeated target.
	Chain []Ref
}

// Error prints the chain.
func (e *CycleError) Error() string {
	text := ErrCallCycle.Error() + ": "
	for i, ref := range e.Chain {
		if i > 0 {
			text += " -> "
		}
		text += ref.String()
	}
	return text
}

// Unwrap returns ErrCallCycle, which is what is left of it on other nodes.
func (e *CycleError) Unwrap() error { return ErrCallCycle }

// errorCode returns the code and text under which err crosses nodes.
func errorCode(err error) (code Code, user int32, text string) {
	var s *sentinel
	if errors.As(err, &s) {
		return s.code, 0, err.Error()
	}
	var c Coder
	if errors.As(err, &c) {
		return CodeUser, c.ErrorCode(), err.Error()
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return codeOf(ErrTimeout), 0, err.Error()
	case errors.Is(err, context.Canceled):
		return codeOf(ErrCanceled), 0, err.Error()
	}
	return CodeUser, 0, err.Error()
}

// remoteError is a sentinel that arrived from another node with its text.
type remoteError struct {
	text string
	is   error
}

func (e *remoteError) Error() string { return e.text }
func (e *remoteError) Unwrap() error { return e.is }

// errorFromCode is the inverse of errorCode. An unknown code of a newer
// version becomes a UserError: its text is kept, its identity is not guessed.
func errorFromCode(code Code, user int32, text string) error {
	if base, ok := sentinels[code]; ok {
		if text == base.Error() {
			return base
		}
		return &remoteError{text: text, is: base}
	}
	return &UserError{Code: user, Text: text}
}
