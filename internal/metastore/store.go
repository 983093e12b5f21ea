// SPDX-License-Identifier: MIT

package metastore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"
)

// logStore is the seam between raft and the disk: one file for the log, the
// term and vote, and the identity of the node. Whatever implements it must not
// return from a write before it is durable.
type logStore interface {
	raft.LogStore
	raft.StableStore
	Close() error
}

// stores is everything a node keeps. The identity keys live in logStore too.
type stores struct {
	log   logStore
	snaps raft.SnapshotStore
}

// Identity keys in the stable store.
var (
	keyNode    = []byte("troupe/node")
	keyCluster = []byte("troupe/cluster")
	keySession = []byte("troupe/session")
)

const (
	logFile         = "raft.db"
	snapshotsKept   = 2
	lockWait        = time.Second
	logCacheEntries = 512
)

// Memory stands in for a data directory in tests: what a node keeps survives
// Close, and a node opened on it again is a restart.
type Memory struct {
	log   *raft.InmemStore
	snaps *raft.InmemSnapshotStore
	used  atomic.Bool
}

// NewMemory returns an empty Memory.
func NewMemory() *Memory {
	return &Memory{log: raft.NewInmemStore(), snaps: raft.NewInmemSnapshotStore()}
}

// openStores opens the data directory and takes its lock (bolt's flock), or
// uses stores in memory.
func openStores(dir string, mem *Memory, logger hclog.Logger) (stores, error) {
	if dir == "" {
		if mem == nil {
			mem = NewMemory()
		}
		if !mem.used.CompareAndSwap(false, true) {
			return stores{}, fmt.Errorf("%w: Config.Memory", ErrLocked)
		}
		return stores{memStore{mem.log, mem}, mem.snaps}, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return stores{}, fmt.Errorf("metastore: data directory: %w", err)
	}
	bolt, err := raftboltdb.New(raftboltdb.Options{
		Path: filepath.Join(dir, logFile),
		BoltOptions: &bbolt.Options{
			Timeout:        lockWait,
			NoFreelistSync: true,
			FreelistType:   bbolt.FreelistMapType,
		},
	})
	if errors.Is(err, bbolterrors.ErrTimeout) {
		return stores{}, fmt.Errorf("%w: %s", ErrLocked, dir)
	}
	if err != nil {
		return stores{}, fmt.Errorf("metastore: open %s: %w", dir, err)
	}
	snaps, err := raft.NewFileSnapshotStoreWithLogger(dir, snapshotsKept, logger)
	if err != nil {
		_ = bolt.Close()
		return stores{}, fmt.Errorf("metastore: snapshots in %s: %w", dir, err)
	}
	return stores{bolt, snaps}, nil
}

type memStore struct {
	*raft.InmemStore
	m *Memory
}

// Close implements logStore.
func (s memStore) Close() error {
	s.m.used.Store(false)
	return nil
}

// get reads an identity key; empty when absent.
func (s stores) get(key []byte) ([]byte, error) {
	v, err := s.log.Get(key)
	if err != nil && err.Error() == "not found" { // both stores have this text and no shared sentinel
		return nil, nil
	}
	return v, err
}

// watchedStore reports the first failed write. After one, what is on disk is
// unknown and raft's own picture may be wrong, so the node must stop; a failed
// fsync must never be repeated.
type watchedStore struct {
	logStore
	fail func(error)
}

func (w watchedStore) check(op string, err error) error {
	if err != nil {
		w.fail(fmt.Errorf("%w: %s: %w", ErrStore, op, err))
	}
	return err
}

// StoreLog implements raft.LogStore.
func (w watchedStore) StoreLog(l *raft.Log) error {
	return w.check("store log", w.logStore.StoreLog(l))
}

// StoreLogs implements raft.LogStore.
func (w watchedStore) StoreLogs(l []*raft.Log) error {
	return w.check("store logs", w.logStore.StoreLogs(l))
}

// DeleteRange implements raft.LogStore.
func (w watchedStore) DeleteRange(from, to uint64) error {
	return w.check("delete logs", w.logStore.DeleteRange(from, to))
}

// Set implements raft.StableStore.
func (w watchedStore) Set(key, val []byte) error { return w.check("set", w.logStore.Set(key, val)) }

// SetUint64 implements raft.StableStore.
func (w watchedStore) SetUint64(key []byte, val uint64) error {
	return w.check("set", w.logStore.SetUint64(key, val))
}
