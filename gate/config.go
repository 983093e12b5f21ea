// SPDX-License-Identifier: MIT

package gate

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/troupe-go/troupe"
)

// Config describes a gate. The zero value of every field is its default; -1
// turns a limit off where the comment says so.
type Config struct {
	// Name is unique in the cluster, normally the node's name. Required.
	Name string
	// Backend is required.
	Backend Backend
	// Peers defaults to none: this is the only gate.
	Peers Peers
	// Keys signs resume tokens and verifies login tokens. Defaults to a random
	// key: tokens then die with the process and no other gate takes them.
	Keys *Keys
	// Authenticate turns a hello into an identity. Defaults to a login token
	// signed by Keys. It may block until ctx ends.
	Authenticate func(ctx context.Context, r AuthRequest) (Identity, error)
	// Authorize is asked before each request, after the method was found to be
	// AccessClient. Defaults to allowing. An error refuses the request; a
	// *StatusError chooses what the client sees.
	Authorize func(ctx context.Context, who Identity, target troupe.Ref, method troupe.MethodInfo) error
	// Routes are the kinds that clients may address beside their own actor, by
	// the name they use for it (at most 32 bytes).
	Routes map[string]Route
	// OnDuplicate decides when a player logs in twice at this gate. Across
	// gates the player's actor decides; see Backend.SessionChanged.
	OnDuplicate DuplicatePolicy
	// OnSlow decides about clients that do not read fast enough.
	OnSlow SlowPolicy
	// OnFlood decides about clients that send faster than Limits allow.
	OnFlood FloodPolicy
	// Limits bound what clients can cost.
	Limits Limits
	// Timeouts bound how long clients can take.
	Timeouts Timeouts
	// TLS makes both listeners speak TLS. Defaults to plain: put a proxy in
	// front, or listen on loopback only.
	TLS *tls.Config
	// Origins are the host patterns (path.Match) from which browsers may open
	// WebSockets, beside the gate's own host. Defaults to none.
	Origins []string
	// TCPAddr and WebSocketURL are what other gates and the login endpoint tell
	// clients. Default to unknown.
	TCPAddr, WebSocketURL string
	// Logger defaults to slog.Default at New.
	Logger *slog.Logger
	// Metrics defaults to none; see Counters.
	Metrics Metrics

	// announce is told the gate's Info every infoInterval and when it changes
	// its mind about new clients.
	announce func(Info)
}

// AuthRequest is what a client says about itself when it logs in. Every string
// is the client's word, bounded in length, not escaped.
type AuthRequest struct {
	Token  string
	Device string
	Client string
	Remote net.Addr
}

// Route makes a kind addressable by clients.
type Route struct {
	// Kind is the kind of the target actors. Required.
	Kind string
	// Authorize decides whether this client may talk to this actor. Required:
	// a virtual actor exists for every id, and each activation costs.
	Authorize func(ctx context.Context, who Identity, target troupe.Ref) error
}

// DuplicatePolicy decides about a second login of a player.
type DuplicatePolicy int

// The policies. ReplaceOld is the default.
const (
	ReplaceOld DuplicatePolicy = iota // the older session ends
	RefuseNew                         // the newer login fails while the older is connected
)

// SlowPolicy decides what happens when a session's window or queue is full.
type SlowPolicy int

// The policies. SlowClose is the default. Volatile pushes are dropped first
// under either.
const (
	SlowClose SlowPolicy = iota // end the session; the client reloads
	SlowDrop                    // drop pushes and tell the client how many
)

// FloodPolicy decides what happens over the message or byte rate.
type FloodPolicy int

// The policies. FloodThrottle is the default.
const (
	FloodThrottle FloodPolicy = iota // read no faster than the rate
	FloodClose                       // end the connection
)

// Limits bound what clients can cost. -1 turns a limit off.
type Limits struct {
	// Connections per IP address (per /64 for IPv6). Defaults to 64.
	ConnsPerIP int
	// Handshakes per second and IP address, and their burst. Default 10 and 50.
	HandshakesPerIP, HandshakeBurst float64
	// Sessions in all, connected or waiting for a resume. Defaults to 20,000.
	Sessions int
	// Pending connections that have not logged in. Defaults to 1,024.
	Pending int
	// MessagesPerSecond and MessageBurst bound a session's frames. Default 50
	// and 200.
	MessagesPerSecond, MessageBurst float64
	// BytesPerSecond and ByteBurst bound a session's bytes as they arrive from
	// the network. Default 64 KiB and 256 KiB.
	BytesPerSecond, ByteBurst float64
	// RoutedPerSecond and RoutedBurst bound requests to actors other than the
	// player's own: each may cost an activation. Default 5 and 20.
	RoutedPerSecond, RoutedBurst float64
	// FrameBytes caps one frame from a client. Defaults to 64 KiB.
	FrameBytes int
	// InboxRequests and InboxBytes bound the requests of one session that wait
	// for their turn; over it the gate stops reading. Default 64 and 256 KiB.
	InboxRequests, InboxBytes int
	// InFlight bounds requests in all that run in the backend; over it they
	// are refused as busy. Defaults to 16,384.
	InFlight int
	// WindowBytes bounds the frames a session keeps until they are
	// acknowledged, each counted with 64 bytes of overhead. Defaults to 256 KiB.
	WindowBytes int
	// QueueBytes bounds the frames a session has not written yet. Volatile
	// pushes are dropped over half of it. Defaults to 256 KiB.
	QueueBytes int
}

// Timeouts bound how long clients can take. -1 turns one off.
type Timeouts struct {
	// Handshake bounds TLS and the WebSocket upgrade. Defaults to 5 s.
	Handshake time.Duration
	// Login is the time from the connection to a complete hello, and then for
	// the auth hook and the backend. Defaults to 10 s.
	Login time.Duration
	// Frame is the time from a frame's first byte to its last. Defaults to 10 s.
	Frame time.Duration
	// Heartbeat is how often a silent client must ping. Defaults to 15 s.
	Heartbeat time.Duration
	// Idle is the silence after which a connection is given up. Defaults to
	// three heartbeats.
	Idle time.Duration
	// Write bounds one write to a client. Defaults to 10 s.
	Write time.Duration
	// Resume is how long a session without a connection is kept. Defaults to 60 s.
	Resume time.Duration
	// Call bounds one request in the backend. Defaults to 5 s.
	Call time.Duration
	// Announce is the interval of Alive events per connected session, which also
	// keep the player's actor from being passivated. After a request that
	// failed for lack of an actor the next one comes within a second. Defaults
	// to 5 s.
	Announce time.Duration
	// Linger is how long a connection stays half open after a goodbye, so that
	// the client can read it. Defaults to 1 s.
	Linger time.Duration
}

func orDefault[N int | float64 | time.Duration](v *N, def N) {
	if *v == 0 {
		*v = def
	}
}

// withDefaults fills the zero values.
func (l Limits) withDefaults() Limits {
	orDefault(&l.ConnsPerIP, 64)
	orDefault(&l.HandshakesPerIP, 10)
	orDefault(&l.HandshakeBurst, 50)
	orDefault(&l.Sessions, 20000)
	orDefault(&l.Pending, 1024)
	orDefault(&l.MessagesPerSecond, 50)
	orDefault(&l.MessageBurst, 200)
	orDefault(&l.BytesPerSecond, 64<<10)
	orDefault(&l.ByteBurst, 256<<10)
	orDefault(&l.RoutedPerSecond, 5)
	orDefault(&l.RoutedBurst, 20)
	orDefault(&l.FrameBytes, 64<<10)
	orDefault(&l.InboxRequests, 64)
	orDefault(&l.InboxBytes, 256<<10)
	orDefault(&l.InFlight, 16384)
	orDefault(&l.WindowBytes, 256<<10)
	orDefault(&l.QueueBytes, 256<<10)
	return l
}

// withDefaults fills the zero values.
func (t Timeouts) withDefaults() Timeouts {
	orDefault(&t.Handshake, 5*time.Second)
	orDefault(&t.Login, 10*time.Second)
	orDefault(&t.Frame, 10*time.Second)
	orDefault(&t.Heartbeat, 15*time.Second)
	orDefault(&t.Idle, 3*t.Heartbeat)
	orDefault(&t.Write, 10*time.Second)
	orDefault(&t.Resume, time.Minute)
	orDefault(&t.Call, 5*time.Second)
	orDefault(&t.Announce, 5*time.Second)
	orDefault(&t.Linger, time.Second)
	return t
}

// validate checks c and fills its defaults.
func (c *Config) validate() error {
	switch {
	case c.Name == "" || len(c.Name) > 64:
		return fmt.Errorf("%w: Name must have 1 to 64 bytes", ErrConfig)
	case c.Backend == nil:
		return fmt.Errorf("%w: Backend is missing", ErrConfig)
	case c.Limits.FrameBytes < 0 || c.Limits.FrameBytes > 16<<20:
		return fmt.Errorf("%w: Limits.FrameBytes must be at most 16 MiB", ErrConfig)
	case c.Timeouts.Heartbeat < 0:
		return fmt.Errorf("%w: Timeouts.Heartbeat must not be negative", ErrConfig)
	}
	for name, route := range c.Routes {
		if name == "" || len(name) > 32 || route.Kind == "" || route.Authorize == nil {
			return fmt.Errorf("%w: Routes[%q] needs a name, Kind and Authorize", ErrConfig, name)
		}
	}
	if c.Keys == nil {
		c.Keys = NewKeys()
	}
	if err := c.Keys.validate(); err != nil {
		return err
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Metrics == nil {
		c.Metrics = noMetrics{}
	}
	c.Limits, c.Timeouts = c.Limits.withDefaults(), c.Timeouts.withDefaults()
	return nil
}
