// SPDX-License-Identifier: MIT

package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/troupe-go/troupe/orm"
	"github.com/troupe-go/troupe/orm/bolt"
	"github.com/troupe-go/troupe/orm/mysql"
	"github.com/troupe-go/troupe/orm/postgres"
)

// ErrDatabase: the -db flag names a database that this program cannot open.
var ErrDatabase = errors.New("unknown database: want a file, memory: for a file that is deleted at the end, postgres://... or mysql://user:password@tcp(host:port)/name")

// database opens stores for the nodes of a process. The embedded store is one
// file with one handle, which the nodes share; servers give each node its own
// connections.
type database struct {
	server string // postgres:// or mysql://
	path   string
	remove bool

	mu    sync.Mutex
	store *bolt.Store
	users int
}

func openDatabase(dsn string) (*database, error) {
	switch {
	case dsn == "memory:":
		dir, err := os.MkdirTemp("", "mmo-")
		if err != nil {
			return nil, fmt.Errorf("database: %w", err)
		}
		return &database{path: filepath.Join(dir, "mmo.db"), remove: true}, nil
	case strings.HasPrefix(dsn, "postgres://"), strings.HasPrefix(dsn, "mysql://"):
		return &database{server: dsn}, nil
	case strings.Contains(dsn, "://") || dsn == "":
		return nil, fmt.Errorf("%w: %q", ErrDatabase, dsn)
	}
	return &database{path: dsn}, nil
}

// open returns a store for one orm.DB, which closes it.
func (d *database) open(ctx context.Context) (orm.Store, error) {
	if dsn, ok := strings.CutPrefix(d.server, "mysql://"); ok {
		return mysql.Open(dsn, mysql.Options{})
	}
	if d.server != "" {
		return postgres.Open(ctx, d.server, postgres.Options{})
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.store == nil {
		s, err := bolt.Open(d.path, bolt.Options{})
		if err != nil {
			return nil, fmt.Errorf("database: %w", err)
		}
		d.store = s
	}
	d.users++
	return &sharedStore{Store: d.store, database: d}, nil
}

// release closes the file with its last user.
func (d *database) release() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.users--; d.users > 0 {
		return nil
	}
	s := d.store
	d.store = nil
	return s.Close()
}

// close removes a file that was to be temporary.
func (d *database) close() error {
	if d.remove {
		return os.RemoveAll(filepath.Dir(d.path))
	}
	return nil
}

// sharedStore is one user's view of the store.
type sharedStore struct {
	orm.Store
	database *database
	once     sync.Once
}

// Close gives the share back.
func (s *sharedStore) Close() (err error) {
	s.once.Do(func() { err = s.database.release() })
	return err
}

// find reads all documents of a type in pages, for the audit at the end.
func find[T any](ctx context.Context, db *orm.DB, each func(orm.Found[T])) error {
	var after *orm.Position
	for {
		page, err := orm.Find[T](ctx, db, orm.Limit(500), orm.After(after))
		if err != nil {
			return err
		}
		for _, f := range page.Items {
			each(f)
		}
		if page.Next == nil {
			return nil
		}
		after = page.Next
	}
}
