// SPDX-License-Identifier: MIT

package metastore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/troupe-go/troupe/internal/metastore/core"
)

// Stream carries Raft's own traffic: an authenticated byte stream per dial.
type Stream interface {
	net.Listener
	Dial(ctx context.Context, addr string) (net.Conn, error)
}

// Peers carries requests between nodes. Call sends req to the node at addr and
// returns what that node's Handle returned; an error means that the outcome is
// unknown. It must respect ctx and may be called concurrently. Requests and
// answers are below 1 MiB.
type Peers interface {
	Call(ctx context.Context, addr string, req []byte) ([]byte, error)
}

// Server is a voter: its name and where the others reach it, for both Stream
// and Peers.
type Server struct{ ID, Addr string }

// Bootstrap names the first voters of a new cluster. All of them start with
// the same value, once. A voter that lost its data directory must not be
// started with it again under its old name, because it may vote twice in one
// term: remove it and join under a new name.
type Bootstrap struct {
	Cluster core.ClusterID
	Servers []Server
}

// Config configures a node. Zero values mean the documented defaults.
type Config struct {
	// ID is the node's name, unique in the cluster for ever. Required.
	ID string
	// Addr is where peers reach this node. Required unless it is alone.
	Addr string
	// DataDir holds log, snapshots and identity. Empty keeps them in memory,
	// for development and tests: a restart is then a new node.
	DataDir string
	// Memory, without DataDir, keeps what DataDir would, for tests that restart
	// nodes.
	Memory *Memory
	// Voter makes the node take part in Raft. Others follow the feed.
	Voter bool
	// Bootstrap starts a new cluster if there is no local state. With local
	// state it must name the same cluster, otherwise Open fails. nil joins.
	Bootstrap *Bootstrap
	// Seeds are addresses of voters to ask, for nodes that are not in
	// Bootstrap.Servers.
	Seeds []string
	// FindSeeds, if set, is asked for more of them when none that is known
	// names a leader, every 2 s at most. It may block until its context ends.
	FindSeeds func(ctx context.Context) []string

	// Stream and Peers connect nodes. Both may be nil for a node alone. The node
	// closes the Stream, not the Peers.
	Stream Stream
	Peers  Peers

	// TTL is the session lease. Defaults to 5 s; at least 1 s.
	TTL time.Duration
	// RenewEvery is how long the leader collects renewals for one log entry.
	// Defaults to 100 ms.
	RenewEvery time.Duration
	// ProposeTimeout bounds every request that has no shorter deadline.
	// Defaults to 5 s.
	ProposeTimeout time.Duration
	// ElectionTimeout is Raft's heartbeat and election timeout, and the leader
	// lease. Defaults to 500 ms.
	ElectionTimeout time.Duration
	// SnapshotEvery is after how many log entries a snapshot is taken.
	// Defaults to 8192. TrailingLogs entries are kept behind it. Defaults to
	// 10240.
	SnapshotEvery, TrailingLogs uint64
	// FeedEntries and FeedBytes bound the recent entries that a voter keeps in
	// memory for followers of the feed. Default to 4096 and 16 MiB.
	FeedEntries, FeedBytes int
	// MaxQueued bounds the requests waiting on this node. Defaults to 65536.
	MaxQueued int

	// Timing holds the constants of the lease protocol.
	Timing core.Timing
	// Clock is a monotonic clock in nanoseconds that goes on during suspend.
	// Defaults to CLOCK_BOOTTIME where there is one.
	Clock func() int64
	// Logger defaults to a discarding one.
	Logger *slog.Logger
	// OnFatal is called once, in its own goroutine, when the node halted
	// itself: a failed disk, an entry it does not understand, a stalled leader.
	// The library never exits the process; ending it is the right answer.
	OnFatal func(error)

	// AuthorizeMember decides whether a peer may add (or else demote or remove)
	// the voter id, AuthorizeInfo what it may say about itself when it opens a
	// session. Both default to allowing everything to every peer that the
	// transport lets in, and must not block.
	AuthorizeMember func(from Peer, add bool, id string) error
	AuthorizeInfo   func(from Peer, info core.Info) error

	wrapStore func(logStore) logStore // tests put faults between raft and its store
}

// Peer is who sent a request: the node's name and its roles, as the transport
// has proven them. Node is empty where it proves nothing, in tests: such a peer
// is trusted.
type Peer struct {
	Node  string
	Roles []string
}

func (c Config) withDefaults() Config {
	def := func(p *time.Duration, v time.Duration) {
		if *p == 0 {
			*p = v
		}
	}
	def(&c.TTL, 5*time.Second)
	def(&c.RenewEvery, 100*time.Millisecond)
	def(&c.ProposeTimeout, 5*time.Second)
	def(&c.ElectionTimeout, 500*time.Millisecond)
	if c.SnapshotEvery == 0 {
		c.SnapshotEvery = 8192
	}
	if c.TrailingLogs == 0 {
		c.TrailingLogs = 10240
	}
	if c.FeedEntries == 0 {
		c.FeedEntries = 4096
	}
	if c.FeedBytes == 0 {
		c.FeedBytes = 16 << 20
	}
	if c.MaxQueued == 0 {
		c.MaxQueued = 1 << 16
	}
	if c.Clock == nil {
		c.Clock = bootClock()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.OnFatal == nil {
		c.OnFatal = func(error) {}
	}
	if c.AuthorizeMember == nil {
		c.AuthorizeMember = func(Peer, bool, string) error { return nil }
	}
	if c.AuthorizeInfo == nil {
		c.AuthorizeInfo = func(Peer, core.Info) error { return nil }
	}
	c.Timing = c.Timing.WithDefaults()
	return c
}

func (c *Config) validate() error {
	switch {
	case c.ID == "":
		return errors.New("metastore: Config.ID is empty")
	case c.TTL < time.Second:
		return fmt.Errorf("metastore: Config.TTL is %v, want at least 1s", c.TTL)
	case c.Bootstrap != nil && !c.Voter:
		return errors.New("metastore: Config.Bootstrap without Config.Voter")
	case c.Bootstrap != nil && len(c.Bootstrap.Servers) == 0:
		return errors.New("metastore: Config.Bootstrap.Servers is empty")
	case c.Bootstrap != nil && c.Bootstrap.Cluster == core.ClusterID{}:
		return errors.New("metastore: Config.Bootstrap.Cluster is zero")
	case c.Voter && c.Stream == nil && (c.Bootstrap == nil || len(c.Bootstrap.Servers) > 1):
		return errors.New("metastore: Config.Stream is nil for one of several voters")
	case c.Peers == nil && (!c.Voter || c.Bootstrap == nil || len(c.Bootstrap.Servers) > 1):
		return errors.New("metastore: Config.Peers is nil for one of several nodes")
	}
	if c.Bootstrap != nil {
		for _, s := range c.Bootstrap.Servers {
			if s.ID == c.ID {
				return nil
			}
		}
		return fmt.Errorf("metastore: Config.Bootstrap.Servers does not name %q", c.ID)
	}
	return nil
}
