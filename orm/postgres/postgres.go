// SPDX-License-Identifier: MIT

// Package postgres is the document store on PostgreSQL.
//
// A Save is one UPDATE per table with arrays as parameters, whatever the number
// of documents. Documents are stored as text that holds JSON: data::jsonb
// queries them. (A jsonb column would cost a third of the speed, reorder
// fields, and refuse the NUL character.)
package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/troupe-go/troupe/orm"
	"github.com/troupe-go/troupe/orm/sqldoc"
)

// Options configure a Store. A zero field has the documented default.
type Options struct {
	// Prefix is put before the names of tables. Defaults to "doc_".
	Prefix string
	// Writers is how many transactions save at the same time. Defaults to 2.
	Writers int
	// LoadConns bounds the connections for loads and queries. Defaults to 16.
	LoadConns int
	// PgBouncer avoids prepared statements, for connection poolers that hand
	// every transaction another server connection.
	PgBouncer bool
}

// Store is a document store on PostgreSQL.
type Store struct {
	opts Options
	// saves commits durably. loads does not wait for the disk: a fence that a
	// crash of the server takes away can only belong to an owner that has not
	// saved since, because a durable commit carries everything before it. That
	// owner is refused at its first save, so nothing acknowledged is lost. Fences
	// of generation 0 are the exception, see durably.
	saves, loads *pgxpool.Pool

	tables sync.Map // *orm.Table -> *statements
}

// Open returns a store on the server that dsn names: a URL
// ("postgres://user:password@host:5432/database") or keywords
// ("host=... dbname=..."). It does not connect yet.
func Open(ctx context.Context, dsn string, opts Options) (*Store, error) {
	if opts.Prefix == "" {
		opts.Prefix = "doc_"
	}
	if opts.Writers == 0 {
		opts.Writers = 2
	}
	if opts.LoadConns == 0 {
		opts.LoadConns = 16
	}
	s := &Store{opts: opts}
	var err error
	if s.saves, err = pool(ctx, dsn, opts, opts.Writers+1, "on"); err != nil {
		return nil, err
	}
	if s.loads, err = pool(ctx, dsn, opts, opts.LoadConns, "off"); err != nil {
		s.saves.Close()
		return nil, err
	}
	return s, nil
}

func pool(ctx context.Context, dsn string, opts Options, conns int, syncCommit string) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("orm/postgres: %w", err)
	}
	cfg.MaxConns = int32(conns)
	if _, set := cfg.ConnConfig.RuntimeParams["synchronous_commit"]; !set {
		cfg.ConnConfig.RuntimeParams["synchronous_commit"] = syncCommit
	}
	if opts.PgBouncer {
		// Poolers refuse unknown startup parameters.
		delete(cfg.ConnConfig.RuntimeParams, "synchronous_commit")
		cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	}
	p, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("orm/postgres: %w", err)
	}
	return p, nil
}

var _ orm.Store = (*Store)(nil)

// Capabilities implements orm.Store.
func (s *Store) Capabilities() orm.Capabilities {
	return orm.Capabilities{AtomicGroups: true, Writers: s.opts.Writers, VolatileLoads: true}
}

// Close closes all connections.
func (s *Store) Close() error {
	s.saves.Close()
	s.loads.Close()
	return nil
}

// LoadFence implements orm.Store: one statement, one round trip, if the row
// exists; otherwise a second one makes it, or finds that it is newer.
func (s *Store) LoadFence(ctx context.Context, t *orm.Table, key string, fence orm.Fence) (orm.Row, error) {
	st := s.statements(t)
	row := orm.Row{Key: key, Token: orm.Token{Generation: fence.Generation, Epoch: fence.Epoch}}
	loadOld, load := st.loadOld, st.load
	if fence.Generation == 0 {
		loadOld, load = loadOld+durably, load+durably
	}
	err := s.repeat(s.loads, func() error {
		var seq int64
		to := []any{&seq, &row.Schema, &row.Data}
		if fence.Generation == 0 {
			to = append(to, new(string))
		}
		err := s.loads.QueryRow(ctx, loadOld, key, int64(fence.Generation), int64(fence.Epoch)).Scan(to...)
		if errors.Is(err, pgx.ErrNoRows) {
			err = s.loads.QueryRow(ctx, load, sqldoc.LoadArgs(key, fence)...).Scan(to...)
		}
		row.Token.Seq = uint64(seq)
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return orm.Row{}, fmt.Errorf("%s: %w", st.Name, orm.ErrFenced)
	}
	if err != nil {
		return orm.Row{}, fail(st, err)
	}
	return row, nil
}

// durably is appended to the RETURNING of a load that must survive a crash of
// the server: it switches the one transaction.
const durably = ", set_config('synchronous_commit', 'on', true)"

// Find implements orm.Store.
func (s *Store) Find(ctx context.Context, t *orm.Table, q orm.Query) ([]orm.Row, error) {
	st := s.statements(t)
	query, args, err := st.Find(q)
	if err != nil {
		return nil, err
	}
	var found []orm.Row
	err = s.repeat(s.loads, func() error {
		found = nil
		rows, err := s.loads.Query(ctx, query, args...)
		if err != nil {
			return err
		}
		found, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (orm.Row, error) {
			return sqldoc.ReadRow(r.Scan)
		})
		return err
	})
	return found, fail(st, err)
}

// repeat runs fn again when the server did nothing: a deadlock, or a prepared
// statement that no longer fits because the table was altered or recreated.
func (s *Store) repeat(p *pgxpool.Pool, fn func() error) error {
	for attempt := 0; ; attempt++ {
		err := fn()
		switch code(err) {
		case "42804", "0A000":
			if attempt > 0 {
				return err
			}
			p.Reset()
		case "40P01", "40001":
			if attempt >= maxRetries {
				return err
			}
		default:
			return err
		}
	}
}

// maxRetries is how often a deadlocked transaction is repeated at once; after
// that, orm.DB repeats it with a pause.
const maxRetries = 3

func code(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// fail maps SQLSTATE codes: 42P01 and 42703 are a missing table and column,
// classes 22, 23 and 54 are data that this table can never take.
func fail(st *statements, err error) error {
	switch c := code(err); {
	case c == "42P01" || c == "42703":
		return fmt.Errorf("%w: %w (open the DB with this document type, which creates it, or run: %s)",
			orm.ErrSchema, err, strings.Join(strings.Fields(st.CreateTable()), " "))
	case strings.HasPrefix(c, "22") || strings.HasPrefix(c, "23") || strings.HasPrefix(c, "54"):
		return fmt.Errorf("%w: %w", orm.ErrRefused, err)
	}
	return err
}
