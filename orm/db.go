// SPDX-License-Identifier: MIT

package orm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"sync"
	"sync/atomic"
	"time"
)

// DB binds document types to a store and writes changes in the background. One
// DB serves all actors of a node; it is safe for concurrent use.
//
// It runs one flusher goroutine and Config.Writers committer goroutines, from
// Open to Close.
type DB struct {
	store  Store
	cfg    Config
	log    *slog.Logger
	atomic bool
	// volatile: the store may forget loads (Capabilities.VolatileLoads).
	volatile bool
	types    map[reflect.Type]*Type // read-only after Open

	ctx    context.Context // ends when Close gives up waiting
	cancel context.CancelFunc
	quit   chan struct{} // closed by Close: stop flushing
	done   sync.WaitGroup

	touched touchedList
	queue   commitQueue
	stats   counters
	behind  atomic.Bool // the oldest unsaved change is over MaxUnsavedAge

	mu    sync.Mutex
	units map[string]*unit // by key
	close bool
}

// Open creates the tables of cfg.Types in store and starts writing. The DB owns
// store from then on. It blocks on the database.
func Open(ctx context.Context, store Store, cfg Config) (*DB, error) {
	can := store.Capabilities()
	cfg, err := cfg.withDefaults(can)
	if err != nil {
		return nil, err
	}
	db := &DB{
		store: store, cfg: cfg, log: cfg.Logger, atomic: can.AtomicGroups, volatile: can.VolatileLoads,
		types: make(map[reflect.Type]*Type),
		quit:  make(chan struct{}),
		units: make(map[string]*unit),
	}
	tables, err := db.addTypes(cfg.Types)
	if err != nil {
		return nil, err
	}
	if err := store.Migrate(ctx, tables); err != nil {
		return nil, fmt.Errorf("orm: create tables: %w", err)
	}
	db.queue.init(cfg)
	db.stats.metrics = cfg.Metrics
	db.ctx, db.cancel = context.WithCancel(context.Background())
	db.done.Add(1 + cfg.Writers)
	go db.runFlusher()
	for range cfg.Writers {
		go db.runCommitter()
	}
	return db, nil
}

func (db *DB) addTypes(types []*Type) ([]*Table, error) {
	var tables []*Table
	names := make(map[string]bool)
	for _, t := range types {
		switch {
		case t.err != nil:
			return nil, t.err
		case names[t.name]:
			return nil, fmt.Errorf("%w: two document types are named %q", ErrConfig, t.name)
		case db.types[t.goType] != nil:
			return nil, fmt.Errorf("%w: %v is both %q and %q", ErrConfig, t.goType, db.types[t.goType].name, t.name)
		}
		names[t.name] = true
		db.types[t.goType] = t
		tables = append(tables, t.table)
	}
	return tables, nil
}

// Close writes what is on its way and closes the store. Stop the node first:
// actors save their documents when they are deactivated, and changes that no
// flush has picked up are not written by Close. If ctx ends first, waiting
// writes are abandoned and Close returns the reason.
func (db *DB) Close(ctx context.Context) error {
	db.mu.Lock()
	if db.close {
		db.mu.Unlock()
		return ErrClosed
	}
	db.close = true
	db.mu.Unlock()
	close(db.quit)
	idle := db.queue.shut()
	var err error
	select {
	case <-idle:
	case <-ctx.Done():
		err = fmt.Errorf("orm: close: %d documents unsaved: %w", db.queue.docs(), ctx.Err())
	}
	db.cancel()
	db.done.Wait()
	db.queue.abandon()
	return errors.Join(err, db.store.Close())
}

// typeOf returns the registered type of a Go type.
func (db *DB) typeOf(t reflect.Type) (*Type, error) {
	if typ := db.types[t]; typ != nil {
		return typ, nil
	}
	return nil, fmt.Errorf("%w: %v: add orm.Document[%v](...) to Config.Types", ErrUnknownType, t, t)
}

// unitOf returns the unit of owner, whose key is key: the one that exists, or
// a new one. A unit of an earlier activation under the same key is cut off: the
// load that leads here has fenced it.
func (db *DB) unitOf(owner Owner, key string) (*unit, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.close {
		return nil, ErrClosed
	}
	if u := db.units[key]; u != nil {
		if u.owner == owner && !u.ended.Load() {
			return u, nil
		}
		u.superseded.Store(true)
		u.ended.Store(true)
	}
	u := &unit{db: db, owner: owner, key: key}
	u.flush = u.runFlush
	db.units[key] = u
	owner.Attach(u)
	return u, nil
}

// awaitPredecessor waits until the write that an earlier activation left behind
// is in the database: it was stopped, or panicked, while that was on its way.
// Loading now would fence it and lose it.
func (db *DB) awaitPredecessor(ctx context.Context, owner Owner, key string) error {
	db.mu.Lock()
	u := db.units[key]
	db.mu.Unlock()
	if u == nil || u.owner == owner {
		return nil
	}
	j := u.pending.Load()
	if j == nil {
		return nil
	}
	select {
	case <-j.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the last write of the activation before: %w", ctx.Err())
	}
}

func (db *DB) forget(u *unit) {
	db.mu.Lock()
	defer db.mu.Unlock()
	u.ended.Store(true)
	if db.units[u.key] == u {
		delete(db.units, u.key)
	}
}

// runFlusher asks units that ran to look for changes. A change is looked for
// when it is half a FlushEvery old, which leaves the other half for finding and
// writing it.
func (db *DB) runFlusher() {
	defer db.done.Done()
	tick := time.NewTicker(max(db.cfg.FlushEvery/4, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-db.quit:
			return
		case now := <-tick.C:
			db.flushDue(now)
		}
	}
}

func (db *DB) flushDue(now time.Time) {
	db.watchBacklog(now)
	for {
		if db.full() {
			return
		}
		u := db.touched.pop(now.Add(-db.cfg.FlushEvery / 2))
		if u == nil {
			return
		}
		if u.ended.Load() || u.owner.Do(u.flush) != nil {
			db.bury(u, now)
		}
	}
}

// full is the back-pressure: changes wait in their actors.
func (db *DB) full() bool { return db.queue.bytes() >= db.cfg.MaxPendingBytes }

// bury forgets a unit whose owner is gone: Deactivate has saved what there was,
// or a panic has dropped it. While a write of it is on its way, a successor has
// to find it, to wait for that (awaitPredecessor).
func (db *DB) bury(u *unit, now time.Time) {
	u.ended.Store(true)
	if j := u.pending.Load(); j != nil && !j.isDone() {
		db.touched.push(u, now) // later
		return
	}
	db.forget(u)
}

// watchBacklog turns loading off and on with the age of the oldest change.
func (db *DB) watchBacklog(now time.Time) {
	if db.cfg.MaxUnsavedAge < 0 {
		return
	}
	age := db.oldest(now)
	behind := age > db.cfg.MaxUnsavedAge
	if db.behind.Swap(behind) != behind {
		if behind {
			db.log.Error("orm: database is behind, loading is refused", "oldest_unsaved", age)
		} else {
			db.log.Info("orm: database has caught up, loading is allowed")
		}
	}
}

// oldest returns the age of the oldest change that may be unsaved.
func (db *DB) oldest(now time.Time) time.Duration {
	since := db.queue.oldest()
	if t := db.touched.oldest(); !t.IsZero() && (since.IsZero() || t.Before(since)) {
		since = t
	}
	if since.IsZero() {
		return 0
	}
	return max(0, now.Sub(since))
}
