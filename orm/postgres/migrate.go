// SPDX-License-Identifier: MIT

package postgres

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/troupe-go/troupe/orm"
	"github.com/troupe-go/troupe/orm/sqldoc"
)

// dialect returns what sqldoc needs to write PostgreSQL.
func dialect() *sqldoc.Dialect {
	return &sqldoc.Dialect{
		Name:  "postgres",
		Quote: func(ident string) string { return `"` + ident + `"` },
		Param: func(n int) string { return "$" + strconv.Itoa(n) },
		Key:   `text COLLATE "C"`, Int: "bigint", Float: "double precision", Text: `text COLLATE "C"`, Data: "text",
	}
}

// migrateLock is the advisory lock of schema changes: "troupe" as a number.
const migrateLock = 0x74726f757065

// Migrate implements orm.Store.
func (s *Store) Migrate(ctx context.Context, tables []*orm.Table) error {
	conn, err := s.saves.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", int64(migrateLock)); err != nil {
		return fmt.Errorf("postgres: lock the schema: %w", err)
	}
	// A failure leaves the lock to the end of the session.
	defer conn.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", int64(migrateLock)) //nolint:errcheck // see above
	m := migrator(conn)
	for _, t := range tables {
		if err := m.Migrate(ctx, s.statements(t).Statements); err != nil {
			return fmt.Errorf("postgres: %w", err)
		}
	}
	return nil
}

func migrator(conn *pgxpool.Conn) *sqldoc.Migrator {
	names := func(ctx context.Context, query string, args ...any) ([]string, error) {
		rows, err := conn.Query(ctx, query, args...)
		if err != nil {
			return nil, err
		}
		return pgx.CollectRows(rows, pgx.RowTo[string])
	}
	return &sqldoc.Migrator{
		Exec: func(ctx context.Context, query string, args ...any) (int64, error) {
			tag, err := conn.Exec(ctx, query, args...)
			return tag.RowsAffected(), err
		},
		Scan: func(ctx context.Context, each func(func(...any) error) error, query string, args ...any) error {
			rows, err := conn.Query(ctx, query, args...)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				if err := each(rows.Scan); err != nil {
					return err
				}
			}
			return rows.Err()
		},
		ColumnNames: func(ctx context.Context, table string) ([]string, error) {
			return names(ctx, "SELECT column_name::text FROM information_schema.columns"+
				" WHERE table_schema = current_schema() AND table_name = $1", table)
		},
		HasIndex: func(ctx context.Context, table, index string) (bool, error) {
			found, err := names(ctx, "SELECT indexname::text FROM pg_indexes"+
				" WHERE schemaname = current_schema() AND tablename = $1 AND indexname = $2", table, index)
			return len(found) > 0, err
		},
	}
}
