// SPDX-License-Identifier: MIT

// Package bolt is the embedded document store: one file, no server, pure Go.
//
// The file is locked while it is open, so there is exactly one process with one
// Store. That is why a load costs no disk write here: fences are kept in memory
// until the first save of the document. When the process dies, so do all owners
// that a fence could have kept out.
//
// Every Save is one transaction with one fsync.
package bolt

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/troupe-go/troupe/orm"
)

// Options configure a Store. A zero field has the documented default.
type Options struct {
	// LockTimeout bounds how long Open waits for another process that has the
	// file. Defaults to 1 s.
	LockTimeout time.Duration
	// MaxFences bounds the fences kept in memory, one for every document that
	// was loaded and never saved; then they are written to the file. Defaults
	// to 100,000, some 20 MB.
	MaxFences int
}

// Store is a document store in one file.
type Store struct {
	db        *bbolt.DB
	maxFences int

	saving sync.Mutex // one Save at a time; taken before mu

	mu     sync.Mutex
	tables map[*orm.Table]*table
	names  map[string]*table
	fences map[rowID]orm.Token     // loaded, newer than the file
	busy   map[rowID]chan struct{} // in a Save; closed when it is over
}

// rowID names a document.
type rowID struct{ table, key string }

// Open opens or creates the file at path.
func Open(path string, opts Options) (*Store, error) {
	if opts.LockTimeout == 0 {
		opts.LockTimeout = time.Second
	}
	if opts.MaxFences == 0 {
		opts.MaxFences = 100_000
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout:        opts.LockTimeout,
		FreelistType:   bbolt.FreelistMapType,
		NoFreelistSync: true,
	})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("orm/bolt: %s is in use by another process: %w", path, err)
	}
	if err != nil {
		return nil, fmt.Errorf("orm/bolt: open %s: %w", path, err)
	}
	return &Store{
		db: db, maxFences: opts.MaxFences,
		tables: make(map[*orm.Table]*table), names: make(map[string]*table),
		fences: make(map[rowID]orm.Token), busy: make(map[rowID]chan struct{}),
	}, nil
}

var _ orm.Store = (*Store)(nil)

// Capabilities implements orm.Store.
func (s *Store) Capabilities() orm.Capabilities {
	return orm.Capabilities{AtomicGroups: true, Writers: 1}
}

// Close closes the file.
func (s *Store) Close() error { return s.db.Close() }

// LoadFence implements orm.Store. It reads the file and writes nothing.
func (s *Store) LoadFence(ctx context.Context, t *orm.Table, key string, fence orm.Fence) (orm.Row, error) {
	tab, err := s.table(t)
	if err != nil {
		return orm.Row{}, err
	}
	if err := s.spillFences(); err != nil {
		return orm.Row{}, err
	}
	id := rowID{t.Name, key}
	if err := s.lockIdle(ctx, id); err != nil {
		return orm.Row{}, err
	}
	defer s.mu.Unlock()
	var rec record
	err = s.db.View(func(tx *bbolt.Tx) error {
		var err error
		rec, err = tab.get(tx, key)
		rec.data = cloneData(rec.data)
		return err
	})
	if err != nil {
		return orm.Row{}, err
	}
	token := rec.token
	if newer, ok := s.fences[id]; ok {
		token = newer
	}
	if !orm.CanLoad(token, fence) {
		return orm.Row{}, fmt.Errorf("row has token %v: %w", token, orm.ErrFenced)
	}
	token = orm.LoadToken(token, fence)
	s.fences[id] = token
	return orm.Row{Key: key, Token: token, Schema: rec.schema, Data: rec.data}, nil
}

// lockIdle locks s.mu at a moment when no Save has the row.
func (s *Store) lockIdle(ctx context.Context, id rowID) error {
	for {
		s.mu.Lock()
		over, busy := s.busy[id]
		if !busy {
			return nil
		}
		s.mu.Unlock()
		select {
		case <-over:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// table returns the buckets of t.
func (s *Store) table(t *orm.Table) (*table, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if tab := s.tables[t]; tab != nil {
		return tab, nil
	}
	tab := s.names[t.Name]
	if tab == nil {
		return nil, fmt.Errorf("%w: no table %s: open the DB with its type", orm.ErrSchema, t.Name)
	}
	bound, err := tab.bind(t)
	if err != nil {
		return nil, err
	}
	s.tables[t] = bound
	return bound, nil
}

func cloneData(b []byte) []byte {
	if b == nil {
		return nil
	}
	return append(make([]byte, 0, len(b)), b...)
}
