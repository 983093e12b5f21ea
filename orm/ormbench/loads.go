// SPDX-License-Identifier: MIT

package ormbench

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/troupe-go/troupe/orm"
	"github.com/troupe-go/troupe/orm/mysql"
	"github.com/troupe-go/troupe/orm/postgres"
)

// loadRows is how many documents there are to load.
const loadRows = 1000

// Loads reads documents of 2 KiB, the i-th of loadRows, in two ways: as the ORM
// loads them, which installs the owner's fence, and with the driver's SELECT of
// the same row by a prepared statement, which does not.
type Loads struct {
	// Load is a load by the ORM, without decoding.
	Load func(i int) error
	// Select reads with the bare driver.
	Select func(i int) error

	close []func() error
}

// Close releases both.
func (l *Loads) Close() error {
	var err error
	for _, f := range l.close {
		err = errors.Join(err, f())
	}
	return err
}

// Rows returns how many documents there are.
func (l *Loads) Rows() int { return loadRows }

// loadFence is one of a cluster; the fences of single nodes wait for the disk.
var loadFence = orm.Fence{Generation: 1, Epoch: 1}

const loadSelect = "SELECT schema_version, data FROM doc_ormbench_player WHERE doc_key = "

// PostgresLoads prepares documents on the server at dsn.
func PostgresLoads(ctx context.Context, dsn string) (*Loads, error) {
	store, err := postgres.Open(ctx, dsn, postgres.Options{})
	if err != nil {
		return nil, err
	}
	l, keys, err := newLoads(ctx, store)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.New(ctx, dsn)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	l.close = append(l.close, func() error { pool.Close(); return nil })
	l.Select = func(i int) error {
		return checkRow(func(to ...any) error {
			return pool.QueryRow(ctx, loadSelect+"$1", keys[i]).Scan(to...)
		})
	}
	return l, nil
}

// MySQLLoads prepares documents on the server at dsn.
func MySQLLoads(ctx context.Context, dsn string) (*Loads, error) {
	store, err := mysql.Open(dsn, mysql.Options{})
	if err != nil {
		return nil, err
	}
	l, keys, err := newLoads(ctx, store)
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	l.close = append(l.close, db.Close)
	prepared, err := db.PrepareContext(ctx, loadSelect+"?")
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	l.Select = func(i int) error {
		return checkRow(func(to ...any) error { return prepared.QueryRowContext(ctx, keys[i]).Scan(to...) })
	}
	return l, nil
}

// newLoads saves the documents and returns their keys.
func newLoads(ctx context.Context, store orm.Store) (*Loads, []string, error) {
	typ := PlayerType()
	l := &Loads{close: []func() error{store.Close}}
	if err := store.Migrate(ctx, []*orm.Table{typ.Table()}); err != nil {
		return nil, nil, errors.Join(err, l.Close())
	}
	keys := make([]string, loadRows)
	for i := range keys {
		keys[i] = fmt.Sprintf("load/%d", i)
		if err := saveOne(ctx, store, typ.Table(), keys[i], int64(i)); err != nil {
			return nil, nil, errors.Join(err, l.Close())
		}
	}
	l.Load = func(i int) error {
		row, err := store.LoadFence(ctx, typ.Table(), keys[i], loadFence)
		if err == nil && len(row.Data) < 1000 {
			err = errShortRow
		}
		return err
	}
	return l, keys, nil
}

// saveOne puts one document into the store without an actor.
func saveOne(ctx context.Context, store orm.Store, table *orm.Table, key string, id int64) error {
	row, err := store.LoadFence(ctx, table, key, loadFence)
	if err != nil {
		return err
	}
	var p Player
	p.Fill(id)
	data, err := json.Marshal(&p)
	if err != nil {
		return err
	}
	row.Token.Seq++
	_, err = store.Save(ctx, []orm.Group{{{
		Table: table, Key: key, Token: row.Token, Schema: 1, Data: data, Index: []any{int64(p.Level), p.Guild},
	}}})
	return err
}

var errShortRow = errors.New("ormbench: the document is not there")

func checkRow(scan func(to ...any) error) error {
	var schema int
	var data []byte
	if err := scan(&schema, &data); err != nil {
		return err
	}
	if len(data) < 1000 {
		return errShortRow
	}
	return nil
}
