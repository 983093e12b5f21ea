// SPDX-License-Identifier: MIT

package gate

import (
	"context"

	"github.com/troupe-go/troupe"
)

// Identity is who a session belongs to. It comes from the auth hook or a
// resume token, never from a later frame.
type Identity struct {
	// Player is the actor that requests without a route go to.
	Player troupe.Ref
	// Device is what the client's hello said, at most 64 bytes. Informational,
	// except that resume tokens are bound to it.
	Device string
	// Level is the caller's rank, for Config.Authorize.
	Level int32
	// Issued is the login token's Claims.Issued. A login that was held up on
	// its way does not end the session of one that was begun after it. 0: the
	// login that arrives last wins.
	Issued int64
}

// SessionRef names a session in the cluster. It is a plain value that can be
// stored and sent in messages; push through it from any node.
type SessionRef struct {
	// Gate is the name of the gate that has the session.
	Gate string `troupe:"1"`
	// ID is the session's number: random, unique in the cluster, the same
	// after the session moves to another gate.
	ID uint64 `troupe:"2"`
}

// IsZero reports whether s names no session.
func (s SessionRef) IsZero() bool { return s == SessionRef{} }

// Change says what happened to a session.
type Change int32

// The changes, in order of life. Online and Offline may repeat.
const (
	// Opened: a player logged in. The only change that a Backend may refuse.
	Opened Change = 1
	// Moved: the session is now at another gate, with the same number.
	Moved Change = 2
	// Online: the client is connected again.
	Online Change = 3
	// Offline: the connection was lost; the session waits for a resume.
	Offline Change = 4
	// Alive repeats the session's place every Config.AnnounceEvery, for
	// players' actors that were activated again elsewhere.
	Alive Change = 5
	// Closed: the session is gone.
	Closed Change = 6
	// Settled: what the player's actor pushed by way of the session's former
	// gate has arrived at the present one; see Presence.
	Settled Change = 7
)

// SessionEvent tells the cluster about a session.
type SessionEvent struct {
	Change   Change
	Session  SessionRef
	Identity Identity
	// Reason is set for Offline and Closed, for logs.
	Reason string
}

// Backend is what the gate needs of the cluster. NewNodeBackend makes one from
// a *troupe.Node; tests make their own.
//
// All methods may be called from many goroutines at once. A panic in one costs
// the request that caused it.
type Backend interface {
	// Describe returns what is known of a method, or false. The gate refuses
	// methods that are not AccessClient before Call sees them.
	Describe(kind string, method int32) (troupe.MethodInfo, bool)
	// Call runs the method for a client and returns the encoded reply. The
	// error may be a *StatusError. args belongs to the callee.
	Call(ctx context.Context, target troupe.Ref, method int32, args []byte) ([]byte, error)
	// Send is Call without a reply. It does not block.
	Send(target troupe.Ref, method int32, args []byte) error
	// SessionChanged tells the player's actor. For Opened an error refuses the
	// login (ErrDuplicate and *StatusError reach the client). For every other
	// change it must not block and the error is only logged.
	SessionChanged(ctx context.Context, e SessionEvent) error
}

// Peers reaches the other gates of the cluster. A nil Peers is a cluster of
// one gate.
type Peers interface {
	// Release asks the gate that holds a session to give it up; see
	// Gate.Release. ErrReload when that gate is gone or has no such session.
	Release(ctx context.Context, gate string, r ReleaseRequest) (SessionState, error)
	// Forward passes pushes on to the gate that the sessions moved to. It does
	// not block.
	Forward(gate string, ids []uint64, p Push) error
	// Elsewhere returns the best other gate, or false when there is none.
	Elsewhere() (Info, bool)
}

// Info describes a gate to those who hand out addresses.
type Info struct {
	Name string `troupe:"1" json:"name"`
	// TCP ("host:port") and WebSocket ("wss://host/path") are the addresses for
	// clients; empty when the gate does not listen there.
	TCP       string `troupe:"2" json:"tcp,omitempty"`
	WebSocket string `troupe:"3" json:"ws,omitempty"`
	// Sessions is the load.
	Sessions int32 `troupe:"4" json:"-"`
	// Draining gates get no new clients.
	Draining bool `troupe:"5" json:"-"`
}

// LeastLoaded returns the gate with the fewest sessions that is not draining
// and not named not. Ties go to the smaller name.
func LeastLoaded(gates []Info, not string) (best Info, ok bool) {
	for _, g := range gates {
		if g.Draining || g.Name == not {
			continue
		}
		fewer := g.Sessions < best.Sessions || g.Sessions == best.Sessions && g.Name < best.Name
		if !ok || fewer {
			best, ok = g, true
		}
	}
	return best, ok
}
