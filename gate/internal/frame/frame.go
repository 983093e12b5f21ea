// SPDX-License-Identifier: MIT

// Package frame is the client protocol's codec, shared by the gate and the Go
// client. It allocates for strings only; byte fields alias the input.
// gate/PROTOCOL.md draws every frame.
package frame

import (
	"encoding/binary"
	"errors"
)

// Version is the protocol version spoken here. A gate accepts a client whose
// range [MinVersion, MaxVersion] contains a version the gate speaks.
const Version = 1

// HeaderBytes is the size of the length prefix.
const HeaderBytes = 4

// Bounds on single fields. They hold inside a frame that already passed the
// frame size cap; a longer field is a malformed frame.
const (
	MaxTokenBytes  = 2048
	MaxDeviceBytes = 64
	MaxClientBytes = 64
	MaxRouteBytes  = 32
	MaxNameBytes   = 256
	MaxTextBytes   = 1024
	MaxAddrBytes   = 256
)

// Kind is the first byte of a frame.
type Kind byte

// The frame kinds. Numbers are part of the protocol: appended, never reused.
const (
	KindHello   Kind = 1
	KindRequest Kind = 2
	KindAck     Kind = 3
	KindPing    Kind = 4
	KindPong    Kind = 5
	KindGoodbye Kind = 6

	KindWelcome Kind = 16
	KindReply   Kind = 17
	KindPush    Kind = 18
	KindLost    Kind = 19
)

// The ways in which bytes are not a frame.
var (
	// ErrMalformed: the bytes are not a frame of this version.
	ErrMalformed = errors.New("frame: malformed")
	// ErrTooLarge: the length prefix is over the reader's cap.
	ErrTooLarge = errors.New("frame: too large")
	// ErrEmpty: the length prefix is zero.
	ErrEmpty = errors.New("frame: empty")
)

// Hello is the first frame of a connection, client to gate.
type Hello struct {
	MinVersion, MaxVersion uint64
	// Resume says that Token is a resume token; otherwise it is a login token.
	Resume bool
	Token  string
	// Device names the device for as long as the application is installed;
	// resume tokens are bound to it.
	Device string
	// Client is the client's name and version, for logs.
	Client string
	// LastSeq is the last sequence number received, when resuming.
	LastSeq uint64
}

// Welcome is the gate's answer to a Hello it accepts.
type Welcome struct {
	Version uint64
	// Resumed is false for a new session.
	Resumed bool
	Session uint64
	// Token is the resume token of the next reconnect.
	Token string
	// LastRequest is the last request sequence number the gate has accepted;
	// the client sends again what comes after it.
	LastRequest uint64
	// HeartbeatMillis is how often the client must say something.
	HeartbeatMillis uint64
	// MaxFrameBytes is the gate's cap on frames from the client.
	MaxFrameBytes uint64
	// Gate is the name of the gate, for logs.
	Gate string
}

// Flags of a Request.
const (
	FlagOneWay = 1 << 0 // no reply wanted
	FlagRouted = 1 << 1 // Route and a key follow
	FlagNamed  = 1 << 2 // the key is Name, not ID
)

// Request asks for one method call. Without FlagRouted it goes to the
// session's own actor.
type Request struct {
	Seq    uint64
	Ack    uint64
	Flags  uint64
	Method uint32
	Route  string
	ID     int64
	Name   string
	Args   []byte
}

// Reply answers the Request with sequence number Request. Code zero is success.
type Reply struct {
	Seq     uint64
	Request uint64
	Code    uint32
	User    int32
	Text    string
	Data    []byte
}

// Push is an event for the client. Seq zero marks a volatile push, which is
// neither acknowledged nor sent again.
type Push struct {
	Seq   uint64
	Event uint32
	Data  []byte
}

// Lost says that Count pushes before Seq were dropped: the client should load
// its state again.
type Lost struct {
	Seq   uint64
	Count uint64
}

// Ack acknowledges every sequenced frame up to Seq.
type Ack struct{ Seq uint64 }

// Ping asks for a Pong with the same stamp and acknowledges like Ack.
type Ping struct{ Stamp, Ack uint64 }

// Pong answers a Ping and tells the last request number the gate has accepted,
// so that the client can forget one-way requests.
type Pong struct{ Stamp, LastRequest uint64 }

// Goodbye is the last frame of a connection, in either direction.
type Goodbye struct {
	Reason Reason
	Text   string
	// Addr is where to go instead, for ReasonMove.
	Addr string
	// RetryMillis is how long to stay away.
	RetryMillis uint64
}

// Reason says why a connection ends.
type Reason uint32

// The reasons. Numbers are part of the protocol: appended, never reused.
const (
	ReasonBye       Reason = 1  // the client is done: the session ends
	ReasonMove      Reason = 2  // reconnect to Addr with the resume token
	ReasonReload    Reason = 3  // the session is gone: log in again, load state
	ReasonReplaced  Reason = 4  // the player logged in elsewhere
	ReasonDenied    Reason = 5  // the token or the player was refused
	ReasonProtocol  Reason = 6  // the peer broke the protocol
	ReasonSlow      Reason = 7  // the client did not read fast enough
	ReasonFlood     Reason = 8  // the client sent too much
	ReasonBusy      Reason = 9  // a limit was reached: come back after RetryMillis
	ReasonVersion   Reason = 10 // no common protocol version
	ReasonKicked    Reason = 11 // the server ended the session
	ReasonTimeout   Reason = 12 // a deadline of the protocol passed
	ReasonDuplicate Reason = 13 // the player has a session and the policy refuses another
	ReasonShutdown  Reason = 14 // the gate stops and knows no other gate
)

// String names the reason for logs.
func (r Reason) String() string {
	names := [...]string{
		"none", "bye", "move", "reload", "replaced", "denied", "protocol",
		"slow", "flood", "busy", "version", "kicked", "timeout", "duplicate", "shutdown",
	}
	if int(r) < len(names) {
		return names[r]
	}
	return "unknown"
}

// Begin appends room for the length prefix and the kind; End fills the length.
func Begin(b []byte, kind Kind) []byte { return append(b, 0, 0, 0, 0, byte(kind)) }

// End writes the length of the frame that Begin started at offset start.
func End(b []byte, start int) []byte {
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-HeaderBytes))
	return b
}

// AppendSequenced appends a whole frame whose body after the sequence number
// is already encoded. The gate encodes a fanned-out body once this way.
func AppendSequenced(b []byte, kind Kind, seq uint64, body []byte) []byte {
	start := len(b)
	b = Begin(b, kind)
	b = binary.AppendUvarint(b, seq)
	b = append(b, body...)
	return End(b, start)
}
