// SPDX-License-Identifier: MIT

package gate

import (
	"errors"
	"fmt"

	"github.com/troupe-go/troupe"
)

// StatusError is the outcome of a request as the client sees it. A Backend returns
// it (wrapped or not) to choose code and text; any other error reaches the
// client as CodeInternal without its text, which may name hosts or ids.
type StatusError struct {
	// Code is a troupe.Code (below 1000) or one of the gate's codes.
	Code uint32
	// User is the handler's own error number, for troupe.CodeUser.
	User int32
	// Text is shown to the client. It is cut at 1 KiB.
	Text string
}

// Error returns the text with the codes.
func (s *StatusError) Error() string {
	return fmt.Sprintf("gate: status %d/%d: %s", s.Code, s.User, s.Text)
}

// Is matches a StatusError with the same code and, if set, the same user code.
func (s *StatusError) Is(target error) bool {
	t, ok := target.(*StatusError)
	return ok && t.Code == s.Code && (t.User == 0 || t.User == s.User)
}

// The gate's own status codes. They start above troupe.Code's range; they are
// appended, never reused.
const (
	CodeOK       uint32 = 0
	CodeInternal uint32 = 1000 // the text is in the gate's log
	CodeBusy     uint32 = 1001 // a limit was reached; the request had no effect
	CodeDenied   uint32 = 1002 // not callable by this client; no effect
	CodeNoRoute  uint32 = 1003 // no such route; no effect
	CodeUnknown  uint32 = 1004 // in doubt: the request may have had its effect
)

var (
	errBusy     = &StatusError{Code: CodeBusy, Text: "busy, try again"}
	errDenied   = &StatusError{Code: CodeDenied, Text: "not allowed"}
	errNoRoute  = &StatusError{Code: CodeNoRoute, Text: "no such route"}
	errInternal = &StatusError{Code: CodeInternal, Text: "internal error"}
	errInDoubt  = &StatusError{Code: CodeUnknown, Text: "outcome unknown"}
)

// duplicateCode is the user error number by which ErrDuplicate crosses nodes.
const duplicateCode = 1_700_001

// Errors of the gate's Go API.
var (
	// ErrNoSession: no session of that number is at this gate.
	ErrNoSession = errors.New("gate: no such session")
	// ErrStale: the push came from an activation that has a successor.
	ErrStale = errors.New("gate: push from an older activation")
	// ErrSlow: the session's send queue is full; the push was dropped or the
	// session closed, by policy.
	ErrSlow = errors.New("gate: client too slow")
	// ErrStopped: the gate is stopped or stopping.
	ErrStopped = errors.New("gate: stopped")
	// ErrToken: a token is malformed, forged, expired, or not meant for this.
	ErrToken = errors.New("gate: invalid token")
	// ErrReload: the session cannot be resumed; the client must log in again.
	ErrReload = errors.New("gate: session cannot be resumed")
	// ErrDuplicate: the player has a session and the policy refuses another.
	// A Backend's Attach returns it to refuse a login.
	// It keeps its identity across nodes.
	ErrDuplicate error = &troupe.UserError{Code: duplicateCode, Text: "gate: player is already connected"}
	errNotJoined       = errors.New("gate: the node has not joined; see Join")
	// ErrConfig: a Config value is invalid; the text names it.
	ErrConfig = errors.New("gate: bad configuration")
)
