// SPDX-License-Identifier: MIT

package postgres

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/troupe-go/troupe/orm"
	"github.com/troupe-go/troupe/orm/ormtest"
)

// TestDeadlock: the server ends our transaction (40P01), which is repeated.
func TestDeadlock(t *testing.T) {
	s := open(t, dsn(t))
	ormtest.RunDeadlock(t, s, func(ctx context.Context, table *orm.Table) (ormtest.Locker, error) {
		tx, err := s.loads.Begin(ctx)
		if err != nil {
			return nil, err
		}
		// Whoever looks first ends itself: the Save, after the default of 1 s.
		_, err = tx.Exec(ctx, "SET LOCAL deadlock_timeout = '1min'")
		return &locker{tx, s.statements(table).Quoted()}, err
	})
}

type locker struct {
	tx    pgx.Tx
	table string
}

func (l *locker) Lock(ctx context.Context, key string) error {
	_, err := l.tx.Exec(ctx, "UPDATE "+l.table+" SET schema_version = schema_version WHERE doc_key = $1", key)
	return err
}

func (l *locker) Locked(ctx context.Context, key string) (bool, error) {
	var n int
	err := l.tx.QueryRow(ctx, "SELECT count(*) FROM (SELECT 1 FROM "+l.table+
		" WHERE doc_key = $1 FOR UPDATE SKIP LOCKED) AS free", key).Scan(&n)
	if n > 0 { // it was free, and is ours now
		if _, err := l.tx.Exec(ctx, "ROLLBACK"); err != nil {
			return false, err
		}
		_, err = l.tx.Exec(ctx, "BEGIN")
	}
	return n == 0, err
}

func (l *locker) Rollback(ctx context.Context) error { return l.tx.Rollback(ctx) }
