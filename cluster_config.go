// SPDX-License-Identifier: MIT

package troupe

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net"
	"time"

	"github.com/troupe-go/troupe/internal/metastore/core"
	"github.com/troupe-go/troupe/transport"
)

// Defaults of ClusterConfig.
const (
	DefaultTTL           = 5 * time.Second
	DefaultRebalanceRate = 200
)

// ClusterConfig joins a node to a cluster of nodes that run the same binary.
// Config.Name is the node's name in it and must be unique.
//
// Three or five nodes are voters: they keep the cluster's metadata (who lives
// where) in a replicated log under DataDir. The others follow them.
type ClusterConfig struct {
	// Name names the cluster; nodes of different names refuse each other. 1 to
	// 64 letters, digits, '.', '_' or '-'. Required.
	Name string
	// Listen is the address for other nodes, as in net.Listen: "host:port".
	// Required.
	Listen string
	// Advertise is the address others dial. Defaults to the address listened on.
	Advertise string
	// Roles say which kinds this node hosts (see Role) and which services it
	// may use.
	Roles []string

	// Voter makes the node keep the log. DataDir is where; empty keeps it in
	// memory, for tests: a voter that restarts has then forgotten its votes and
	// must come back under a new name.
	Voter   bool
	DataDir string
	// Bootstrap starts a new cluster: the same list of first voters on each of
	// them, once. Later starts ignore it if they belong to the same cluster.
	Bootstrap []Server
	// Join lists addresses of nodes to ask, for nodes that are not in
	// Bootstrap. Discover, if set, is asked for more, at start and whenever no
	// known node answers; see DiscoverDNS.
	Join     []string
	Discover func(ctx context.Context) ([]string, error)

	// Credentials hold the node's certificate and the cluster's CA. Nil means
	// plaintext, which needs Dev, and Dev needs loopback addresses.
	Credentials *transport.Credentials
	Dev         bool

	// TTL is the session lease: how long after a crash the node's actors are
	// taken over. At least 1 s. Defaults to DefaultTTL, 5 s.
	TTL time.Duration
	// StartTimeout bounds joining in Start when its context has no deadline.
	// Defaults to 30 s.
	StartTimeout time.Duration
	// RebalanceRate is how many virtual actors per second move to the node
	// that their placement prefers after the members changed. Defaults to
	// DefaultRebalanceRate, 200; -1 moves none.
	RebalanceRate int
	// Transport, if set, may change the transport's configuration: queue
	// bounds and timeouts, or another network in tests; see package troupetest.
	Transport func(transport.Config) transport.Config
	// Clock replaces the lease clock, for tests: monotonic nanoseconds that go
	// on while the machine is suspended.
	Clock func() int64
	// OnFatal is told, once, when the node's part of the metadata store failed
	// (a broken disk, a stalled leader). The node hosts nothing any more;
	// ending the process is the right answer, and is left to the program.
	OnFatal func(error)
}

// Server is a voter: the Config.Name of its node and the address others dial.
type Server struct{ Name, Addr string }

// DiscoverDNS returns a ClusterConfig.Discover that resolves host to all its
// addresses, such as those of a headless service.
func DiscoverDNS(host string, port int) func(ctx context.Context) ([]string, error) {
	return func(ctx context.Context) ([]string, error) {
		ips, err := net.DefaultResolver.LookupHost(ctx, host)
		if err != nil {
			return nil, fmt.Errorf("discover nodes: %w", err)
		}
		addrs := make([]string, len(ips))
		for i, ip := range ips {
			addrs[i] = net.JoinHostPort(ip, fmt.Sprint(port))
		}
		return addrs, nil
	}
}

func (c ClusterConfig) withDefaults() (ClusterConfig, error) {
	bad := func(field, why string) (ClusterConfig, error) {
		return c, fmt.Errorf("%w: ClusterConfig.%s: %s", ErrBadConfig, field, why)
	}
	switch {
	case c.Name == "":
		return bad("Name", "is empty")
	case c.Listen == "":
		return bad("Listen", "is empty")
	case len(c.Bootstrap) > 0 && !c.Voter:
		return bad("Bootstrap", "this node is not a Voter")
	case len(c.Bootstrap) == 0 && len(c.Join) == 0 && c.Discover == nil:
		return bad("Join", "nobody to ask, and no Bootstrap")
	case c.TTL != 0 && c.TTL < time.Second:
		return bad("TTL", "less than 1s")
	case c.StartTimeout < 0 || c.RebalanceRate < -1:
		return bad("StartTimeout or RebalanceRate", "negative")
	}
	if c.TTL == 0 {
		c.TTL = DefaultTTL
	}
	if c.StartTimeout == 0 {
		c.StartTimeout = 30 * time.Second
	}
	if c.RebalanceRate == 0 {
		c.RebalanceRate = DefaultRebalanceRate
	}
	return c, nil
}

// clusterID is the identity that the metadata store keeps for ever.
func (c ClusterConfig) clusterID() core.ClusterID {
	sum := sha256.Sum256([]byte("troupe cluster " + c.Name))
	return core.ClusterID(sum[:16])
}
