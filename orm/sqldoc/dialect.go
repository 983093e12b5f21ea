// SPDX-License-Identifier: MIT

// Package sqldoc is the document store for databases behind database/sql. It
// links no driver: packages orm/mysql and orm/sqlite bring one, with the
// Dialect for it. Package orm/postgres shares the SQL of this package and talks
// to its driver directly.
//
// Every document type has a table:
//
//	doc_key         primary key, compared by its bytes
//	generation, epoch, seq    the token of the row
//	schema_version  version of the type that wrote data
//	data            the document as JSON, NULL if there is none
//	ix_...          one column per indexed field, each with an index
//
// Columns are created when they are missing, and never dropped or altered. All
// values are bound parameters.
package sqldoc

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"unsafe"

	"github.com/troupe-go/troupe/orm"
)

// Dialect is how one database spells what the store needs.
type Dialect struct {
	// Name is used in error texts.
	Name string
	// Quote quotes an identifier. Identifiers here are made of a-z, 0-9 and _.
	Quote func(string) string
	// Param returns the n-th placeholder, counted from 1.
	Param func(n int) string
	// Types of columns. Key and Text must compare by bytes.
	Key, Int, Float, Text, Data string
	// TableOptions is appended to CREATE TABLE.
	TableOptions string

	// Lock and Unlock are statements around schema changes, run on one
	// connection; empty for none.
	Lock, Unlock string
	// ColumnNames lists the columns of a table, none if it does not exist.
	ColumnNames func(ctx context.Context, q Querier, table string) ([]string, error)
	// HasIndex reports whether the table has the index.
	HasIndex func(ctx context.Context, q Querier, table, index string) (bool, error)

	// Load installs a fence and returns the row; sql.ErrNoRows when a newer
	// owner has it.
	Load func(ctx context.Context, db *sql.DB, s *Statements, key string, fence orm.Fence) (orm.Row, error)
	// VolatileLoads: Load does not wait for the disk; see orm.Capabilities.
	VolatileLoads bool
	// Update applies writes to one table inside tx, each under the rule of
	// Token.CanWrite. It reports false when at least one may not have been
	// applied; the caller then looks.
	Update func(ctx context.Context, tx *sql.Tx, s *Statements, writes []*orm.Write) (all bool, err error)

	// Classify wraps a driver error in orm.ErrSchema or orm.ErrRefused if it is
	// one. Retry reports whether the transaction was rolled back as a whole and
	// may be repeated at once: deadlocks and the like.
	Classify func(error) error
	Retry    func(error) bool
}

// Querier is *sql.DB, *sql.Conn or *sql.Tx.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// Statements is the SQL of one table. It is safe for concurrent use.
type Statements struct {
	Dialect *Dialect
	Table   *orm.Table
	// Name is the table's name in the database, unquoted.
	Name string

	db       *sql.DB
	mu       sync.Mutex
	prepared map[int]*sql.Stmt
}

// Prepared returns the statement for n rows, made by text when it is needed for
// the first time. It lives as long as the store.
func (s *Statements) Prepared(ctx context.Context, n int, text func(n int) string) (*sql.Stmt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if stmt := s.prepared[n]; stmt != nil {
		return stmt, nil
	}
	stmt, err := s.db.PrepareContext(ctx, text(n))
	if err != nil {
		return nil, err
	}
	if s.prepared == nil {
		s.prepared = make(map[int]*sql.Stmt)
	}
	s.prepared[n] = stmt
	return stmt, nil
}

// Statements returns the SQL of table t. prefix is prepended to its name.
func (d *Dialect) Statements(t *orm.Table, prefix string) *Statements {
	return &Statements{Dialect: d, Table: t, Name: prefix + t.Name}
}

// Quoted returns the quoted name of the table.
func (s *Statements) Quoted() string { return s.Dialect.Quote(s.Name) }

// WriteColumns returns the quoted columns that a write fills, in the order of
// WriteArgs.
func (s *Statements) WriteColumns() []string {
	cols := []string{"doc_key", "generation", "epoch", "seq", "schema_version", "data"}
	for _, c := range s.Table.Columns {
		cols = append(cols, c.Name)
	}
	for i, c := range cols {
		cols[i] = s.Dialect.Quote(c)
	}
	return cols
}

// WriteArgs appends the values of w, in the order of WriteColumns.
func WriteArgs(args []any, w *orm.Write) []any {
	args = append(args, w.Key, int64(w.Token.Generation), int64(w.Token.Epoch), int64(w.Token.Seq), w.Schema, dataArg(w))
	return append(args, w.Index...)
}

// dataArg returns the document as a parameter: text, or NULL for none.
func dataArg(w *orm.Write) any {
	if w.Data == nil {
		return nil
	}
	return Text(w.Data)
}

// Text returns data as a string without copying it. Drivers copy it once more
// when they send it; nobody may keep it longer than the call.
func Text(data []byte) string { return unsafe.String(unsafe.SliceData(data), len(data)) }

// Params returns n placeholders from the first on, separated by commas.
func (d *Dialect) Params(first, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(d.Param(first + i))
	}
	return b.String()
}

// UpsertLoad returns the statement that installs a fence and returns the row,
// for databases with ON CONFLICT and RETURNING. Its parameters are the key and
// the generation, epoch and seq of orm.LoadToken for an absent row. Without a
// result row, a newer owner has it.
func (s *Statements) UpsertLoad() string {
	return fmt.Sprintf(`INSERT INTO %[1]s AS d (doc_key, generation, epoch, seq, schema_version)
VALUES (%[2]s, 0)
ON CONFLICT (doc_key) DO UPDATE SET
	generation = excluded.generation, epoch = excluded.epoch,
	seq = CASE WHEN d.generation = excluded.generation AND d.epoch = excluded.epoch
		THEN ((d.seq >> 32) + 1) << 32 ELSE 0 END
WHERE (d.generation, d.epoch) <= (excluded.generation, excluded.epoch)
RETURNING seq, schema_version, data`, s.Quoted(), s.Dialect.Params(1, 4))
}

// LoadArgs returns the parameters of UpsertLoad.
func LoadArgs(key string, fence orm.Fence) []any {
	first := orm.LoadToken(orm.Token{}, fence)
	return []any{key, int64(first.Generation), int64(first.Epoch), int64(first.Seq)}
}

// LoadByUpsert is a Dialect.Load that runs UpsertLoad.
func LoadByUpsert(ctx context.Context, db *sql.DB, s *Statements, key string, fence orm.Fence) (orm.Row, error) {
	row := orm.Row{Key: key, Token: orm.Token{Generation: fence.Generation, Epoch: fence.Epoch}}
	var seq int64
	err := db.QueryRowContext(ctx, s.UpsertLoad(), LoadArgs(key, fence)...).Scan(&seq, &row.Schema, &row.Data)
	row.Token.Seq = uint64(seq)
	return row, err
}
