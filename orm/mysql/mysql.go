// SPDX-License-Identifier: MIT

// Package mysql is the document store on MySQL and MariaDB.
package mysql

import (
	"database/sql"
	"errors"
	"fmt"
	"strconv"

	"github.com/go-sql-driver/mysql"

	"github.com/troupe-go/troupe/orm"
	"github.com/troupe-go/troupe/orm/sqldoc"
)

// Options configure a store. A zero field has the documented default.
type Options struct {
	// Prefix is put before the names of tables. Defaults to "doc_".
	Prefix string
	// MaxConns bounds the connections for saves and queries, and again those
	// for loads. Defaults to 16.
	MaxConns int
	// Writers is how many of them save at the same time. Defaults to 2.
	Writers int
}

// Open returns a store on the server that dsn names, in the form of
// github.com/go-sql-driver/mysql: "user:password@tcp(host:3306)/database". It
// does not connect yet.
func Open(dsn string, opts Options) (*sqldoc.Store, error) {
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		return nil, fmt.Errorf("orm/mysql: %w", err)
	}
	cfg.ClientFoundRows = false     // sqldoc.Dialect.Update counts changed rows
	cfg.Logger = &mysql.NopLogger{} // errors are returned, and logged by orm.DB
	if opts.MaxConns == 0 {
		opts.MaxConns = 16
	}
	if opts.Writers == 0 {
		opts.Writers = 2
	}
	loads := cfg.Clone()
	loads.InterpolateParams = true // one round trip instead of three
	if loads.Params == nil {
		loads.Params = make(map[string]string)
	}
	loads.Params["autocommit"] = "0"
	loads.Params["wait_timeout"] = strconv.Itoa(int(idleTimeout.Seconds()))
	l := &loader{}
	if l.db, err = pool(loads, opts.MaxConns); err != nil {
		return nil, err
	}
	l.db.SetConnMaxIdleTime(idleTimeout / 2)
	db, err := pool(cfg, opts.MaxConns)
	if err != nil {
		return nil, errors.Join(err, l.db.Close())
	}
	return sqldoc.New(db, dialect(l), sqldoc.Options{Prefix: opts.Prefix, Writers: opts.Writers, Close: l.close}), nil
}

func pool(cfg *mysql.Config, conns int) (*sql.DB, error) {
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, fmt.Errorf("orm/mysql: %w", err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db, nil
}

// The server's error numbers that matter here.
const (
	errNoSuchTable    = 1146
	errBadField       = 1054
	errPacketTooLarge = 1153
	errDataTooLong    = 1406
	errOutOfRange     = 1264
	errBadValue       = 1366
	errRowTooLarge    = 1118
	errLockTimeout    = 1205
	errDeadlock       = 1213
)

func number(err error) uint16 {
	var e *mysql.MySQLError
	if errors.As(err, &e) {
		return e.Number
	}
	return 0
}

func classify(err error) error {
	if errors.Is(err, mysql.ErrPktTooLarge) {
		return fmt.Errorf("%w: %w", orm.ErrRefused, err)
	}
	switch number(err) {
	case errNoSuchTable, errBadField:
		return fmt.Errorf("%w: %w", orm.ErrSchema, err)
	case errPacketTooLarge, errDataTooLong, errOutOfRange, errBadValue, errRowTooLarge:
		return fmt.Errorf("%w: %w", orm.ErrRefused, err)
	}
	return err
}

// retry: a deadlock rolls the whole transaction back; a lock timeout only its
// statement, but the store abandons the transaction either way.
func retry(err error) bool { return number(err) == errDeadlock || number(err) == errLockTimeout }
