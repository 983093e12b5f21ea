// SPDX-License-Identifier: MIT

package transport

import (
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"time"
)

// Config configures an Endpoint. Zero fields mean the documented default.
type Config struct {
	// Self is the identity of this node. Self.Addr is what others are told to
	// dial; it defaults to the address listened on.
	Self Peer

	// Listen is the address to accept connections on, as for net.Listen. When
	// empty the endpoint only dials.
	Listen string

	// Credentials hold the certificate of this node and the cluster's CA. Nil
	// means plaintext, which needs Dev.
	Credentials *Credentials

	// Dev allows plaintext without authentication, on loopback addresses only.
	Dev bool

	// Services says which roles may use a service, on both ends of it. A
	// service that is not listed does not exist; an empty list admits every
	// member. Defaults to {"rpc": nil, "raft": {"voter"}}. Frames are "rpc".
	Services map[string][]string

	// Admit decides when a second incarnation of a known node appears: nil
	// replaces the first, whose link then closes with ErrSuperseded; an error
	// refuses the second. live says whether the first has a connection.
	// Defaults to RefuseSecond. It is called with no lock held and must not
	// block.
	Admit func(current, second Peer, live bool) error

	// MaxFrameBytes is the largest frame that this node takes, and the largest
	// it sends; the peer's own limit is learned when connecting. At least
	// 64 KiB. Defaults to 4 MiB.
	MaxFrameBytes int

	// QueueBytes and QueueFrames bound what one lane of one link holds before
	// Send answers ErrBackpressure. Default to 16 MiB and 131,072.
	QueueBytes  int
	QueueFrames int

	// DialTimeout bounds making a connection; HandshakeTimeout bounds TLS and
	// the handshake on it, on both ends. Both default to 5 s.
	DialTimeout      time.Duration
	HandshakeTimeout time.Duration

	// MaxHandshakes is how many incoming connections may be in the handshake
	// at once; more are closed at accept. Defaults to 128.
	MaxHandshakes int

	// PingEvery is how long a connection stays silent before it is pinged;
	// IdleTimeout is how long nothing may arrive before it is given up, and,
	// where the system knows it, how long sent bytes may stay unacknowledged.
	// Default to 1 s and 5 s.
	PingEvery   time.Duration
	IdleTimeout time.Duration

	// WriteTimeout is how long one write may be stuck before the connection is
	// given up. Defaults to 10 s.
	WriteTimeout time.Duration

	// UnreachableAfter is how long a link queues frames while it has no
	// connection. After that the queue is dropped and Send fails until the
	// peer is back. Defaults to 2 s.
	UnreachableAfter time.Duration

	// BackoffMin and BackoffMax bound the pause between dials, which doubles
	// and is jittered. Default to 50 ms and 2 s.
	BackoffMin, BackoffMax time.Duration

	// CloseTimeout is how long Close flushes. Defaults to 1 s.
	CloseTimeout time.Duration

	// CertWarning is how long before its expiry OnCertExpiring is called with
	// the end of this node's certificate, then every hour. Defaults to 7 days.
	CertWarning    time.Duration
	OnCertExpiring func(notAfter time.Time)

	// Network defaults to TCP. One with a method InProcess() bool that returns
	// true may carry plaintext without Dev.
	Network Network

	// Intercept injects faults into received frames; nil for none.
	Intercept Interceptor

	// Jitter returns numbers in [0, 1) for the backoff. Defaults to
	// math/rand/v2.Float64.
	Jitter func() float64

	// Logger defaults to one that discards.
	Logger *slog.Logger

	// Metrics defaults to none.
	Metrics Metrics
}

// RefuseSecond is the default of Config.Admit: a node id belongs to whoever is
// connected until that connection ends.
func RefuseSecond(current, second Peer, live bool) error {
	if !live {
		return nil
	}
	return fmt.Errorf("%w: %v is connected, refused %v", ErrDuplicateNode, current, second)
}

// NewestWins is a Config.Admit for nodes whose incarnations grow from start to
// start: a larger one replaces a smaller one, which may still be half open, and
// a smaller one is refused for good.
func NewestWins(current, second Peer, _ bool) error {
	if second.Incarnation > current.Incarnation {
		return nil
	}
	return fmt.Errorf("%w: %v is known, refused %v", ErrSuperseded, current, second)
}

func orDefault[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

// withDefaults fills in the defaults.
func (c Config) withDefaults() Config {
	orDefault(&c.MaxFrameBytes, 4<<20)
	orDefault(&c.QueueBytes, 16<<20)
	orDefault(&c.QueueFrames, 128<<10)
	orDefault(&c.DialTimeout, 5*time.Second)
	orDefault(&c.HandshakeTimeout, 5*time.Second)
	orDefault(&c.MaxHandshakes, 128)
	orDefault(&c.PingEvery, time.Second)
	orDefault(&c.IdleTimeout, 5*time.Second)
	orDefault(&c.WriteTimeout, 10*time.Second)
	orDefault(&c.UnreachableAfter, 2*time.Second)
	orDefault(&c.BackoffMin, 50*time.Millisecond)
	orDefault(&c.BackoffMax, 2*time.Second)
	orDefault(&c.CloseTimeout, time.Second)
	orDefault(&c.CertWarning, 7*24*time.Hour)
	if c.Services == nil {
		c.Services = map[string][]string{serviceRPC: nil, "raft": {"voter"}}
	}
	c.Services = maps.Clone(c.Services)
	if c.Admit == nil {
		c.Admit = RefuseSecond
	}
	if c.Jitter == nil {
		c.Jitter = rand.Float64
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Metrics == nil {
		c.Metrics = noMetrics{}
	}
	return c
}

// validate names the field that is wrong. It expects the defaults filled in.
func (c *Config) validate() error {
	if err := c.Self.Validate(); err != nil {
		return err
	}
	for name, v := range map[string]int{
		"MaxFrameBytes": c.MaxFrameBytes, "QueueBytes": c.QueueBytes, "QueueFrames": c.QueueFrames, "MaxHandshakes": c.MaxHandshakes,
	} {
		if v <= 0 || v > lengthMask {
			return fmt.Errorf("transport: Config.%s = %d: want 1 to %d", name, v, lengthMask)
		}
	}
	for name, v := range map[string]time.Duration{
		"DialTimeout": c.DialTimeout, "HandshakeTimeout": c.HandshakeTimeout, "PingEvery": c.PingEvery,
		"IdleTimeout": c.IdleTimeout, "WriteTimeout": c.WriteTimeout, "UnreachableAfter": c.UnreachableAfter,
		"BackoffMin": c.BackoffMin, "BackoffMax": c.BackoffMax, "CloseTimeout": c.CloseTimeout,
	} {
		if v <= 0 {
			return fmt.Errorf("transport: Config.%s = %v: want more than zero", name, v)
		}
	}
	if c.BackoffMax < c.BackoffMin {
		return fmt.Errorf("transport: Config.BackoffMax = %v is less than BackoffMin = %v", c.BackoffMax, c.BackoffMin)
	}
	if c.MaxFrameBytes < minMaxFrameBytes {
		return fmt.Errorf("transport: Config.MaxFrameBytes = %d: want at least %d", c.MaxFrameBytes, minMaxFrameBytes)
	}
	if c.WriteTimeout <= c.PingEvery {
		return fmt.Errorf("transport: Config.WriteTimeout = %v: want more than PingEvery = %v", c.WriteTimeout, c.PingEvery)
	}
	if c.IdleTimeout <= c.PingEvery {
		return fmt.Errorf("transport: Config.IdleTimeout = %v: want more than PingEvery = %v", c.IdleTimeout, c.PingEvery)
	}
	for service := range c.Services {
		if !validName(service, maxServiceBytes) {
			return fmt.Errorf("transport: Config.Services: bad name %.40q", service)
		}
	}
	if c.Credentials == nil {
		return nil
	}
	id, err := c.Credentials.identity()
	if err != nil {
		return err
	}
	self := c.Self
	if id.NodeID != self.NodeID {
		return fmt.Errorf("%w: it is for node %q, Config.Self is %q", ErrIdentity, id.NodeID, self.NodeID)
	}
	other := Peer{ClusterID: self.ClusterID} // checkRemote wants another node
	if err := checkRemote(other, self, &id); err != nil {
		return err
	}
	return nil
}
