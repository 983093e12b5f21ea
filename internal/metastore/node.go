// SPDX-License-Identifier: MIT

package metastore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/troupe-go/troupe/internal/metastore/core"
)

// Node is one node's metastore: a Raft voter, or a follower of a voter's feed.
// All methods are safe for concurrent use.
type Node struct {
	cfg     Config
	log     *slog.Logger
	stores  stores
	cluster atomic.Pointer[core.ClusterID]
	replica *replica
	outbox  *outbox
	secret  []byte // proves a later start on the same data directory

	// Voters only.
	raft     *raft.Raft
	trans    raftTransport
	stream   *raftStream
	pipes    *netTransport
	packer   *packer
	grants   *granting
	renewals *renewals
	snaps    feedSnapshots

	// Followers of the feed only.
	found    atomic.Pointer[[]string] // by Config.FindSeeds
	lookedAt atomic.Int64             // for them; by Config.Clock
	fedAt    atomic.Int64             // when the feed last answered with a healthy voter behind it

	hint    atomic.Pointer[string] // address of the last known leader
	fault   atomic.Pointer[error]
	running atomic.Pointer[raft.Raft] // raft, for fatal: raft's goroutines call it before NewRaft returned
	session atomic.Pointer[Session]

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	bridge *logBridge
}

// raftTransport is what a node needs of raft's transports.
type raftTransport interface {
	raft.Transport
	raft.WithPreVote
	raft.WithClose
}

// Open starts a node. It returns once the local state is loaded; use WaitReady
// to wait for the cluster. Close it to release the data directory.
func Open(cfg Config) (*Node, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	n := &Node{cfg: cfg, log: cfg.Logger, replica: newReplica(cfg.FeedEntries, cfg.FeedBytes)}
	n.cluster.Store(&core.ClusterID{})
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.bridge = newLogBridge(cfg.Logger)
	n.outbox = newOutbox(cfg.MaxQueued, cfg.ProposeTimeout+cfg.ProposeTimeout/8, n.sendToLeader)
	if err := n.open(); err != nil {
		n.cancel()
		if n.stores.log != nil {
			_ = n.stores.log.Close()
		}
		return nil, err
	}
	n.wg.Go(func() { n.bridge.runLog(n.ctx) })
	n.wg.Go(func() { n.outbox.runOutbox(n.ctx) })
	if n.raft != nil {
		n.wg.Go(func() { n.packer.runPacker(n.ctx) })
		n.wg.Go(func() { n.renewals.runRenewals(n.ctx) })
		n.wg.Go(func() { n.grants.runGrantor(n.ctx) })
	} else {
		n.wg.Go(func() { n.runFeed(n.ctx) })
	}
	return n, nil
}

func (n *Node) open() error {
	logger := n.bridge.hclogger()
	var err error
	if n.stores, err = openStores(n.cfg.DataDir, n.cfg.Memory, logger); err != nil {
		return err
	}
	if n.cfg.wrapStore != nil {
		n.stores.log = n.cfg.wrapStore(n.stores.log)
	}
	if err := n.identify(); err != nil {
		return err
	}
	if n.cfg.Voter {
		return n.openRaft(logger)
	}
	return nil
}

// identify checks that the data directory is this node's and this cluster's.
func (n *Node) identify() error {
	node, err := n.stores.get(keyNode)
	if err != nil {
		return fmt.Errorf("metastore: identity: %w", err)
	}
	if node == nil {
		err = n.stores.log.Set(keyNode, []byte(n.cfg.ID))
	} else if string(node) != n.cfg.ID {
		err = fmt.Errorf("%w: of %q, this is %q", ErrWrongNode, node, n.cfg.ID)
	}
	if err != nil {
		return err
	}
	if n.secret, err = n.stores.get(keySession); err == nil && n.secret == nil {
		n.secret = make([]byte, 32)
		_, _ = rand.Read(n.secret) // never fails, see crypto/rand
		err = n.stores.log.Set(keySession, n.secret)
	}
	if err != nil {
		return fmt.Errorf("metastore: identity: %w", err)
	}
	stored, err := n.stores.get(keyCluster)
	if err != nil {
		return fmt.Errorf("metastore: identity: %w", err)
	}
	if stored != nil {
		return n.adopt(core.ClusterID(stored))
	}
	return nil
}

// adopt makes cluster this node's for ever.
func (n *Node) adopt(cluster core.ClusterID) error {
	if b := n.cfg.Bootstrap; b != nil && b.Cluster != cluster {
		return fmt.Errorf("%w: the data directory belongs to cluster %x, not %x", ErrWrongCluster, cluster, b.Cluster)
	}
	old := *n.cluster.Load()
	if old == cluster {
		return nil
	}
	if old != (core.ClusterID{}) {
		return fmt.Errorf("%w: %x, this node is of %x", ErrWrongCluster, cluster, old)
	}
	if err := n.stores.log.Set(keyCluster, cluster[:]); err != nil {
		return fmt.Errorf("metastore: identity: %w", err)
	}
	n.cluster.Store(&cluster)
	return nil
}

func (n *Node) raftConfig(logger hclog.Logger) *raft.Config {
	c := raft.DefaultConfig()
	c.LocalID = raft.ServerID(n.cfg.ID)
	c.ProtocolVersion = 3 // pinned: raft does not negotiate it
	c.HeartbeatTimeout = n.cfg.ElectionTimeout
	c.ElectionTimeout = n.cfg.ElectionTimeout
	// As long as Raft allows: followers that are only slow, on a machine with
	// too much to do, must not cost the leader its place, and with it every
	// session another TTL. An isolated leader grants nothing meanwhile, because
	// everything that grants is a committed entry.
	c.LeaderLeaseTimeout = n.cfg.ElectionTimeout
	c.BatchApplyCh = false // breaks Apply's timeouts; the packer batches
	c.SnapshotThreshold = n.cfg.SnapshotEvery
	c.TrailingLogs = n.cfg.TrailingLogs
	c.ShutdownOnRemove = true
	c.Logger = logger
	return c
}

func (n *Node) openRaft(logger hclog.Logger) error {
	if err := n.openTransport(logger); err != nil {
		return err
	}
	logs := watchedStore{n.stores.log, n.fatal}
	has, err := raft.HasExistingState(logs, logs, n.stores.snaps)
	if err != nil {
		return fmt.Errorf("metastore: read log: %w", err)
	}
	conf := n.raftConfig(logger)
	if b := n.cfg.Bootstrap; b != nil && !has {
		if err := n.bootstrap(conf, logs, b); err != nil {
			return errors.Join(err, n.trans.Close())
		}
	}
	cache, err := raft.NewLogCache(logCacheEntries, logs)
	if err != nil {
		return fmt.Errorf("metastore: log cache: %w", err)
	}
	n.grants = &granting{n: n, g: core.NewGrantor(n.cfg.Timing)}
	n.replica.onTouched = n.grants.touched
	n.packer = newPacker(func(entry []byte) (applied, error) { return raftApply(n.raft, entry, n.cfg.ElectionTimeout) })
	n.renewals = &renewals{
		every: n.cfg.RenewEvery, admit: n.grants.admit, propose: n.packer.propose, wake: make(chan struct{}, 1),
	}
	n.raft, err = raft.NewRaft(conf, &fsm{n.replica, n.fatal}, cache, logs, n.stores.snaps, n.trans)
	if err != nil {
		return errors.Join(fmt.Errorf("metastore: start raft: %w", err), n.trans.Close())
	}
	n.running.Store(n.raft)
	if p := n.fault.Load(); p != nil { // it failed before it could be stopped
		return errors.Join(*p, n.raft.Shutdown().Error(), n.trans.Close())
	}
	return nil
}

func (n *Node) openTransport(logger hclog.Logger) error {
	if n.cfg.Stream == nil {
		_, t := raft.NewInmemTransport(raft.ServerAddress(n.selfAddr()))
		n.trans = t
		return nil
	}
	n.stream = newRaftStream(n.cfg.Stream, &n.cluster)
	n.pipes = newNetTransport(&raft.NetworkTransportConfig{
		Stream: n.stream, MaxPool: 3, Timeout: max(2*n.cfg.ElectionTimeout, time.Second), Logger: logger,
	})
	n.trans = n.pipes
	return nil
}

func (n *Node) selfAddr() string {
	if n.cfg.Addr == "" {
		return n.cfg.ID
	}
	return n.cfg.Addr
}

// bootstrap writes the first configuration. The caller checked that there is
// no local state.
func (n *Node) bootstrap(conf *raft.Config, logs watchedStore, b *Bootstrap) error {
	if own := *n.cluster.Load(); own != (core.ClusterID{}) {
		// The identity is written first and the log second: same cluster means
		// a crash in between, or a lost log next to a kept identity.
		n.log.Warn("bootstrapping with an identity but no log")
	}
	if err := n.adopt(b.Cluster); err != nil {
		return err
	}
	var c raft.Configuration
	for _, s := range b.Servers {
		addr := s.Addr
		if s.ID == n.cfg.ID && addr == "" {
			addr = n.selfAddr()
		}
		c.Servers = append(c.Servers, raft.Server{ID: raft.ServerID(s.ID), Address: raft.ServerAddress(addr)})
	}
	if err := raft.BootstrapCluster(conf, logs, logs, n.stores.snaps, n.trans, c); err != nil {
		return fmt.Errorf("metastore: bootstrap: %w", err)
	}
	return nil
}

// fatal halts the node: it stops answering and speaking Raft at once, so that
// the others elect somebody else, and tells the owner. Only the first call
// counts.
func (n *Node) fatal(err error) {
	if !n.fault.CompareAndSwap(nil, &err) {
		return
	}
	n.log.Error("metastore halted", "node", n.cfg.ID, "err", err)
	n.shutStream()
	n.cancel()
	if r := n.running.Load(); r != nil {
		r.Shutdown() // without waiting: it may be stuck in the disk
	}
	go n.cfg.OnFatal(err)
}

// shutStream ends the connections to the other voters: Raft's goroutines wait
// for them, some of them for ever.
func (n *Node) shutStream() {
	if n.stream != nil {
		n.stream.shut()
		n.pipes.shut()
	}
}

// handOver spares the others an election, if this node leads several voters.
func (n *Node) handOver() {
	if n.raft == nil || n.ctx.Err() != nil || len(n.Voters()) < 2 {
		return
	}
	if _, self := n.leader(); !self {
		return
	}
	n.raft.LeadershipTransfer() // its result may never come, so look for the effect
	ctx, cancel := context.WithTimeout(n.ctx, 2*n.cfg.ElectionTimeout)
	defer cancel()
	for ctx.Err() == nil {
		if addr, self := n.leader(); !self && addr != "" {
			return
		}
		sleep(ctx, 10*time.Millisecond)
	}
}

// Close stops the node and waits for its goroutines. A session that is still
// open is not closed: close it before, or let it expire. A leader hands
// leadership over first, for up to two election timeouts. With a hanging disk
// Close waits for the disk.
func (n *Node) Close() error {
	n.handOver()
	n.cancel()
	var err error
	if n.raft != nil {
		n.shutStream()
		if e := n.raft.Shutdown().Error(); e != nil {
			err = fmt.Errorf("metastore: stop raft: %w", e)
		}
		err = errors.Join(err, n.trans.Close())
	}
	n.wg.Wait()
	if e := n.stores.log.Close(); e != nil {
		err = errors.Join(err, fmt.Errorf("metastore: close store: %w", e))
	}
	return err
}
