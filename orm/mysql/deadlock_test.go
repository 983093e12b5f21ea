// SPDX-License-Identifier: MIT

package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"testing"

	"github.com/troupe-go/troupe/orm"
	"github.com/troupe-go/troupe/orm/ormtest"
	"github.com/troupe-go/troupe/orm/sqldoc"
)

// TestDeadlock: the server ends our transaction (1213), which is repeated.
func TestDeadlock(t *testing.T) {
	dsn := dsn(t)
	prefix := newPrefix()
	s, err := Open(dsn, Options{Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = s.Close(), db.Close()
		dropTables(t, dsn, prefix)
	})
	ormtest.RunDeadlock(t, s, func(ctx context.Context, table *orm.Table) (ormtest.Locker, error) {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return nil, err
		}
		l := &locker{tx, "`" + prefix + table.Name + "`"}
		return l, l.gainWeight(ctx)
	})
}

type locker struct {
	tx    *sql.Tx
	table string
}

// gainWeight changes many rows: the server ends the transaction that has
// changed fewer.
func (l *locker) gainWeight(ctx context.Context) error {
	for i := range 50 {
		_, err := l.tx.ExecContext(ctx, "INSERT INTO "+l.table+
			" (doc_key, generation, epoch, seq, schema_version) VALUES (?, 0, 0, 0, 0)", fmt.Sprintf("%p/%d", l, i))
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *locker) Lock(ctx context.Context, key string) error {
	_, err := l.tx.ExecContext(ctx, "UPDATE "+l.table+" SET schema_version = schema_version + 1 WHERE doc_key = ?", key)
	return err
}

func (l *locker) Locked(ctx context.Context, key string) (bool, error) {
	rows, err := sqldoc.Strings(ctx, l.tx, "SELECT doc_key FROM "+l.table+" WHERE doc_key = ? FOR UPDATE SKIP LOCKED", key)
	if len(rows) > 0 { // it was free, and is ours now: InnoDB keeps such locks
		if _, err := l.tx.ExecContext(ctx, "ROLLBACK"); err != nil {
			return false, err
		}
		_, err = l.tx.ExecContext(ctx, "START TRANSACTION")
	}
	return len(rows) == 0, err
}

func (l *locker) Rollback(context.Context) error { return l.tx.Rollback() }
