// SPDX-License-Identifier: MIT

package transport

import (
	"errors"
	"fmt"
)

// The sentinels. Those with a wire code also travel in refusals and close
// frames, so that both ends report the same reason.
var (
	ErrClosed          = errors.New("transport: closed")
	ErrBackpressure    = errors.New("transport: queue is full")
	ErrPeerUnreachable = errors.New("transport: peer is unreachable")
	ErrFrameTooLarge   = errors.New("transport: frame too large")
	ErrMalformed       = errors.New("transport: malformed bytes")
	ErrVersion         = errors.New("transport: no common wire version")
	ErrWrongCluster    = errors.New("transport: peer belongs to another cluster")
	ErrWrongPeer       = errors.New("transport: another node answers at this address")
	ErrDuplicateNode   = errors.New("transport: another incarnation of this node is live")
	ErrSuperseded      = errors.New("transport: a newer incarnation replaced this one")
	ErrRoleForbidden   = errors.New("transport: role may not use this service")
	ErrUnknownService  = errors.New("transport: no such service")
	ErrIdentity        = errors.New("transport: certificate does not prove this identity")
	ErrCertExpired     = errors.New("transport: certificate expired")
	ErrInsecure        = errors.New("transport: plaintext needs Dev and a loopback address")
	ErrHandshake       = errors.New("transport: handshake failed")
	ErrIdle            = errors.New("transport: peer is silent")
	ErrStalled         = errors.New("transport: peer does not read")
	ErrBusy            = errors.New("transport: too many handshakes under way")
	ErrConnLost        = errors.New("transport: connection lost")

	// errTieBreak refuses one of two simultaneous dials. It never leaves the
	// package: the dialer waits for the other connection.
	errTieBreak = errors.New("transport: the peer's own dial wins")
)

// wireCodes maps codes to sentinels. Append only: the index is on the wire.
var wireCodes = [...]error{
	0:  nil,
	1:  ErrClosed,
	2:  ErrFrameTooLarge,
	3:  ErrMalformed,
	4:  ErrVersion,
	5:  ErrWrongCluster,
	6:  ErrWrongPeer,
	7:  ErrDuplicateNode,
	8:  ErrSuperseded,
	9:  ErrRoleForbidden,
	10: ErrUnknownService,
	11: ErrIdentity,
	12: ErrCertExpired,
	13: ErrIdle,
	14: ErrStalled,
	15: errTieBreak,
	16: ErrBusy,
}

// codeUnknown is sent for reasons without a code.
const codeUnknown = 0xffff

func codeOf(err error) uint16 {
	for code, s := range wireCodes {
		if s != nil && errors.Is(err, s) {
			return uint16(code)
		}
	}
	return codeUnknown
}

func errorOf(code uint16) error {
	if int(code) < len(wireCodes) && wireCodes[code] != nil {
		return wireCodes[code]
	}
	return ErrHandshake
}

// ConnError says why a connection ended or was refused. It wraps the reason.
type ConnError struct {
	NodeID string // the other end, empty when it is not known
	Addr   string
	Lane   Lane
	Remote bool // whether the other end gave the reason
	Err    error
}

// Error implements error.
func (e *ConnError) Error() string {
	by := ""
	if e.Remote {
		by = "refused by the peer: "
	}
	return fmt.Sprintf("connection to %q at %q (%v): %s%v", e.NodeID, e.Addr, e.Lane, by, e.Err)
}

// Unwrap returns the reason.
func (e *ConnError) Unwrap() error { return e.Err }

// SendError is the error of a Send that was refused. Nothing of the frame was
// sent: it is safe to retry.
type SendError struct {
	NodeID string
	Lane   Lane
	Err    error // a sentinel
	Cause  error // what is behind it, for instance why dialing fails; may be nil
}

// Error implements error.
func (e *SendError) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("%v (%s, %v): %v", e.Err, e.NodeID, e.Lane, e.Cause)
	}
	return fmt.Sprintf("%v (%s, %v)", e.Err, e.NodeID, e.Lane)
}

// Unwrap returns the sentinel and the cause.
func (e *SendError) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Err}
	}
	return []error{e.Err, e.Cause}
}

// Sent reports whether any byte may have reached the peer: never.
func (e *SendError) Sent() bool { return false }
