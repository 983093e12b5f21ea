// SPDX-License-Identifier: MIT

package sqldoc

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/troupe-go/troupe/orm"
)

// Options configure a Store.
type Options struct {
	// Prefix is put before the names of tables. Defaults to "doc_".
	Prefix string
	// Writers is how many transactions are useful at a time. Defaults to 1.
	Writers int
	// Close, if set, is called when the store is closed: for what a dialect has
	// of its own.
	Close func() error
}

// Store is an orm.Store over database/sql.
type Store struct {
	db   *sql.DB
	d    *Dialect
	opts Options

	tables sync.Map // *orm.Table -> *Statements
}

// New returns a store on db, which it owns from then on.
func New(db *sql.DB, d *Dialect, opts Options) *Store {
	if opts.Prefix == "" {
		opts.Prefix = "doc_"
	}
	return &Store{db: db, d: d, opts: opts}
}

var _ orm.Store = (*Store)(nil)

// maxBatchBytes keeps a statement below the smallest common packet limits.
const maxBatchBytes = 4 << 20

// Capabilities implements orm.Store.
func (s *Store) Capabilities() orm.Capabilities {
	return orm.Capabilities{
		AtomicGroups: true, Writers: max(1, s.opts.Writers), MaxBatchBytes: maxBatchBytes,
		VolatileLoads: s.d.VolatileLoads,
	}
}

// Close closes the database handle.
func (s *Store) Close() error {
	err := s.db.Close()
	if s.opts.Close != nil {
		err = errors.Join(err, s.opts.Close())
	}
	return err
}

func (s *Store) statements(t *orm.Table) *Statements {
	if st, ok := s.tables.Load(t); ok {
		return st.(*Statements)
	}
	st := s.d.Statements(t, s.opts.Prefix)
	st.db = s.db
	got, _ := s.tables.LoadOrStore(t, st)
	return got.(*Statements)
}

// fail adds the table to an error, and what to do about a missing one.
func (s *Store) fail(st *Statements, err error) error {
	if err == nil {
		return nil
	}
	err = s.d.Classify(err)
	if errors.Is(err, orm.ErrSchema) {
		return fmt.Errorf("%w (open the DB with this document type, which creates it, or run: %s)",
			err, strings.Join(strings.Fields(st.CreateTable()), " "))
	}
	return err
}

// Migrate implements orm.Store.
func (s *Store) Migrate(ctx context.Context, tables []*orm.Table) error {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close() // it goes back to the pool
	if s.d.Lock != "" {
		if _, err := conn.ExecContext(ctx, s.d.Lock); err != nil {
			return fmt.Errorf("lock the schema: %w", err)
		}
		// A failure leaves the lock to the end of the session.
		defer conn.ExecContext(context.WithoutCancel(ctx), s.d.Unlock) //nolint:errcheck // see above
	}
	m := s.migrator(conn)
	for _, t := range tables {
		if err := m.Migrate(ctx, s.statements(t)); err != nil {
			return fmt.Errorf("%s: %w", s.d.Name, err)
		}
	}
	return nil
}

func (s *Store) migrator(conn *sql.Conn) *Migrator {
	return &Migrator{
		Exec: func(ctx context.Context, query string, args ...any) (int64, error) {
			res, err := conn.ExecContext(ctx, query, args...)
			if err != nil {
				return 0, err
			}
			return res.RowsAffected()
		},
		Scan: func(ctx context.Context, each func(func(...any) error) error, query string, args ...any) error {
			return scan(ctx, conn, each, query, args...)
		},
		ColumnNames: func(ctx context.Context, table string) ([]string, error) {
			return s.d.ColumnNames(ctx, conn, table)
		},
		HasIndex: func(ctx context.Context, table, index string) (bool, error) {
			return s.d.HasIndex(ctx, conn, table, index)
		},
	}
}

func scan(ctx context.Context, q Querier, each func(func(...any) error) error, query string, args ...any) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close() // reading reports errors
	for rows.Next() {
		if err := each(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Strings returns the first column of a query, for dialects.
func Strings(ctx context.Context, q Querier, query string, args ...any) ([]string, error) {
	var out []string
	err := scan(ctx, q, func(read func(...any) error) error {
		var v string
		err := read(&v)
		out = append(out, v)
		return err
	}, query, args...)
	return out, err
}

// LoadFence implements orm.Store.
func (s *Store) LoadFence(ctx context.Context, t *orm.Table, key string, fence orm.Fence) (orm.Row, error) {
	st := s.statements(t)
	for attempt := 0; ; attempt++ {
		row, err := s.d.Load(ctx, s.db, st, key, fence)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return orm.Row{}, fmt.Errorf("%s: %w", st.Name, orm.ErrFenced)
		case err != nil && attempt < maxRetries && s.d.Retry(err):
			continue
		}
		return row, s.fail(st, err)
	}
}

// Find implements orm.Store.
func (s *Store) Find(ctx context.Context, t *orm.Table, q orm.Query) ([]orm.Row, error) {
	st := s.statements(t)
	query, args, err := st.Find(q)
	if err != nil {
		return nil, err
	}
	var found []orm.Row
	err = scan(ctx, s.db, func(read func(...any) error) error {
		row, err := ReadRow(read)
		found = append(found, row)
		return err
	}, query, args...)
	return found, s.fail(st, err)
}

// maxRetries is how often a transaction that the database rolled back (a
// deadlock) is repeated at once; after that, orm.DB repeats it with a pause.
const maxRetries = 3

// Save implements orm.Store: all groups in one transaction, less those that
// turn out to be fenced.
func (s *Store) Save(ctx context.Context, groups []orm.Group) ([]orm.Outcome, error) {
	plan := PlanSave(groups)
	for attempt := 0; ; {
		fenced, err := s.try(ctx, plan)
		switch {
		case err != nil && attempt < maxRetries && s.d.Retry(err):
			attempt++
		case err != nil:
			return nil, err
		case len(fenced) == 0:
			return plan.Outcomes, nil
		default:
			plan.Drop(fenced)
		}
	}
}

// try runs the transaction. When it finds fenced writes, it changes nothing and
// returns them.
func (s *Store) try(ctx context.Context, plan *SavePlan) (fenced []*orm.Write, err error) {
	if len(plan.Tables) == 0 {
		return nil, nil
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback() // after Commit it does nothing
	for _, part := range plan.Tables {
		st := s.statements(part.Table)
		all, err := s.d.Update(ctx, tx, st, part.Writes)
		if err != nil {
			return nil, s.fail(st, err)
		}
		if all {
			continue
		}
		behind, err := s.unapplied(ctx, tx, st, part.Writes)
		if err != nil {
			return nil, s.fail(st, err)
		}
		fenced = append(fenced, behind...)
	}
	if len(fenced) > 0 {
		return fenced, nil
	}
	return nil, tx.Commit()
}

// unapplied returns the writes whose rows do not carry their token.
func (s *Store) unapplied(ctx context.Context, q Querier, st *Statements, writes []*orm.Write) ([]*orm.Write, error) {
	tokens := make(map[string]orm.Token, len(writes))
	for part := range slices.Chunk(writes, 100) {
		keys := make([]any, len(part))
		for i, w := range part {
			keys[i] = w.Key
		}
		err := scan(ctx, q, func(read func(...any) error) error {
			var key string
			var generation, epoch, seq int64
			err := read(&key, &generation, &epoch, &seq)
			tokens[key] = orm.Token{Generation: uint64(generation), Epoch: uint64(epoch), Seq: uint64(seq)}
			return err
		}, st.Tokens(len(keys)), keys...)
		if err != nil {
			return nil, err
		}
	}
	var behind []*orm.Write
	for _, w := range writes {
		if token, ok := tokens[w.Key]; !ok || token != w.Token {
			behind = append(behind, w)
		}
	}
	return behind, nil
}

// Tokens returns the statement that reads the tokens of n keys.
func (s *Statements) Tokens(n int) string {
	return fmt.Sprintf("SELECT doc_key, generation, epoch, seq FROM %s WHERE doc_key IN (%s)",
		s.Quoted(), s.Dialect.Params(1, n))
}
