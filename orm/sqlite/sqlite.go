// SPDX-License-Identifier: MIT

// Package sqlite is the document store on SQLite, in pure Go: one file that can
// be opened with any SQLite tool.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/troupe-go/troupe/orm"
	"github.com/troupe-go/troupe/orm/sqldoc"
)

// Options configure a store. A zero field has the documented default.
type Options struct {
	// Prefix is put before the names of tables. Defaults to "doc_".
	Prefix string
	// BusyTimeout bounds how long a statement waits for another process.
	// Defaults to 5 s.
	BusyTimeout time.Duration
	// Unsafe skips the sync at every commit (synchronous=NORMAL): a power
	// failure may lose what was confirmed last. For development.
	Unsafe bool
}

// Open opens or creates the database file at path, in WAL mode.
func Open(path string, opts Options) (*sqldoc.Store, error) {
	if opts.BusyTimeout == 0 {
		opts.BusyTimeout = 5 * time.Second
	}
	sync := "FULL"
	if opts.Unsafe {
		sync = "NORMAL"
	}
	q := url.Values{"_txlock": {"immediate"}, "_pragma": {
		"busy_timeout(" + strconv.FormatInt(opts.BusyTimeout.Milliseconds(), 10) + ")",
		"journal_mode(WAL)", "synchronous(" + sync + ")",
	}}
	dsn := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: q.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, fmt.Errorf("orm/sqlite: open %s: %w", path, err)
	}
	db.SetMaxOpenConns(1) // SQLite has one writer
	return sqldoc.New(db, Dialect(), sqldoc.Options{Prefix: opts.Prefix}), nil
}

// Dialect returns the dialect of SQLite.
func Dialect() *sqldoc.Dialect {
	return &sqldoc.Dialect{
		Name: "sqlite",
		// SQLite takes a name in double quotes that it does not know for a text.
		Quote: func(ident string) string { return "`" + ident + "`" },
		Param: func(int) string { return "?" },
		Key:   "TEXT", Int: "INTEGER", Float: "REAL", Text: "TEXT", Data: "TEXT",
		Lock: "BEGIN IMMEDIATE", Unlock: "COMMIT",
		ColumnNames: func(ctx context.Context, q sqldoc.Querier, table string) ([]string, error) {
			return sqldoc.Strings(ctx, q, "SELECT name FROM pragma_table_info(?)", table)
		},
		HasIndex: func(ctx context.Context, q sqldoc.Querier, _, index string) (bool, error) {
			names, err := sqldoc.Strings(ctx, q, "SELECT name FROM sqlite_master WHERE type = 'index' AND name = ?", index)
			return len(names) > 0, err
		},
		Load:     sqldoc.LoadByUpsert,
		Update:   sqldoc.UpdateRowByRow,
		Classify: classify,
		Retry:    func(error) bool { return false }, // the busy timeout has waited already
	}
}

// classify maps SQLite's result codes. A missing table or column is a plain
// SQLITE_ERROR while the statement is compiled; nothing else is that in a
// program whose statements are fixed.
func classify(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_ERROR:
		return fmt.Errorf("%w: %w", orm.ErrSchema, err)
	case sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_RANGE:
		return fmt.Errorf("%w: %w", orm.ErrRefused, err)
	}
	return err
}
