// SPDX-License-Identifier: MIT

package metastore

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/troupe-go/troupe/internal/metastore/core"
)

// ErrNoLog: there is no voter's log in the data directory.
var ErrNoLog = errors.New("metastore: no log")

// openExisting is openStores for a directory that must have a log.
func openExisting(dir string, logger hclog.Logger) (stores, error) {
	if _, err := os.Stat(filepath.Join(dir, logFile)); errors.Is(err, fs.ErrNotExist) {
		return stores{}, fmt.Errorf("%w in %s", ErrNoLog, dir)
	}
	s, err := openStores(dir, nil, logger)
	if err != nil {
		return stores{}, err
	}
	has, err := raft.HasExistingState(s.log, s.log, s.snaps)
	if err == nil && !has {
		err = fmt.Errorf("%w in %s", ErrNoLog, dir)
	}
	if err != nil {
		return stores{}, errors.Join(err, s.log.Close())
	}
	return s, nil
}

// LogEnd is the last entry of a voter's log.
type LogEnd struct {
	Node        string
	Term, Index uint64
}

// ReadLogEnd reads the end of the log in a data directory that no node uses. Of
// several voters, the one with the greatest (Term, Index) would win an election.
func ReadLogEnd(dir string) (end LogEnd, err error) {
	s, err := openExisting(dir, hclog.NewNullLogger())
	if err != nil {
		return end, err
	}
	defer func() { err = errors.Join(err, s.log.Close()) }()
	node, err := s.get(keyNode)
	if err != nil {
		return end, fmt.Errorf("metastore: identity: %w", err)
	}
	end.Node = string(node)
	snaps, err := s.snaps.List()
	if err != nil {
		return end, fmt.Errorf("metastore: snapshots: %w", err)
	}
	for _, m := range snaps {
		end.raise(m.Term, m.Index)
	}
	last, err := s.log.LastIndex()
	if err == nil && last > 0 {
		var entry raft.Log
		if err = s.log.GetLog(last, &entry); err == nil {
			end.raise(entry.Term, entry.Index)
		}
	}
	if err != nil {
		return end, fmt.Errorf("metastore: read log: %w", err)
	}
	return end, nil
}

func (e *LogEnd) raise(term, index uint64) {
	if cmp.Or(cmp.Compare(e.Term, term), cmp.Compare(e.Index, index)) < 0 {
		e.Term, e.Index = term, index
	}
}

// Recover makes the data directory of cfg the only voter of its cluster, after
// a majority was lost for good. It is an offline operation of the operator:
// stop all nodes, copy all data directories, choose the one with the highest
// (term, index), run Recover on it, start it, wait one TTL, and join the others
// as new nodes with empty directories. Entries that were never committed may
// become so. The generation is raised by one, so that no token of before is
// taken for a new one; the caller raises it in the database to the returned
// value before anything serves.
func Recover(cfg Config) (generation uint64, err error) {
	cfg = cfg.withDefaults()
	n := &Node{cfg: cfg, log: cfg.Logger, replica: newReplica(cfg.FeedEntries, cfg.FeedBytes), bridge: newLogBridge(cfg.Logger)}
	n.cluster.Store(&core.ClusterID{})
	if cfg.DataDir == "" {
		return 0, errors.New("metastore: Recover needs Config.DataDir")
	}
	logger := n.bridge.hclogger()
	if n.stores, err = openExisting(cfg.DataDir, logger); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, n.stores.log.Close()) }()
	if err := n.identify(); err != nil {
		return 0, err
	}
	var failed error
	f := &recoverFSM{fsm{n.replica, func(e error) { failed = e }}}
	_, trans := raft.NewInmemTransport(raft.ServerAddress(n.selfAddr()))
	err = raft.RecoverCluster(n.raftConfig(logger), f, n.stores.log, n.stores.log, n.stores.snaps, trans, raft.Configuration{
		Servers: []raft.Server{{ID: raft.ServerID(cfg.ID), Address: raft.ServerAddress(n.selfAddr())}},
	})
	if err = errors.Join(err, failed); err != nil {
		return 0, fmt.Errorf("metastore: recover: %w", err)
	}
	return n.Generation(), nil
}

// recoverFSM raises the generation in the snapshot that replaces the log.
type recoverFSM struct{ fsm }

// Snapshot implements raft.FSM.
func (f *recoverFSM) Snapshot() (raft.FSMSnapshot, error) {
	f.r.state.Load().BumpGeneration()
	return f.fsm.Snapshot()
}
