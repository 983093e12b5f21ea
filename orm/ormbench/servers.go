// SPDX-License-Identifier: MIT

package ormbench

import (
	"context"
	"database/sql"
	"path/filepath"
	"sync"

	_ "github.com/go-sql-driver/mysql" // the driver "mysql"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/troupe-go/troupe/orm"
	"github.com/troupe-go/troupe/orm/bolt"
	"github.com/troupe-go/troupe/orm/mysql"
	"github.com/troupe-go/troupe/orm/postgres"
	"github.com/troupe-go/troupe/orm/sqlite"
)

// writers is how many transactions the ORM and the hand-written writer run at a
// time.
const writers = 2

// Postgres returns the contenders on the PostgreSQL server at dsn: the ORM,
// GORM, and by hand. Each is made when its turn comes.
func Postgres(dsn string, load Load) []func(context.Context) (Contender, error) {
	return []func(context.Context) (Contender, error){
		func(ctx context.Context) (Contender, error) {
			store, err := postgres.Open(ctx, dsn, postgres.Options{Writers: writers})
			if err != nil {
				return nil, err
			}
			return NewTroupe(ctx, "troupe/orm, postgres", store, orm.Config{})
		},
		func(context.Context) (Contender, error) { return NewGorm("postgres", dsn, oneConn(load)) },
		func(context.Context) (Contender, error) { return NewGorm("postgres", dsn, load) },
		func(ctx context.Context) (Contender, error) { return handPostgres(ctx, dsn, load) },
	}
}

// MySQL returns the contenders on the MySQL or MariaDB server at dsn.
func MySQL(dsn string, load Load) []func(context.Context) (Contender, error) {
	return []func(context.Context) (Contender, error){
		func(ctx context.Context) (Contender, error) {
			store, err := mysql.Open(dsn, mysql.Options{Writers: writers})
			if err != nil {
				return nil, err
			}
			return NewTroupe(ctx, "troupe/orm, mysql", store, orm.Config{})
		},
		func(context.Context) (Contender, error) { return NewGorm("mysql", dsn, oneConn(load)) },
		func(context.Context) (Contender, error) { return NewGorm("mysql", dsn, load) },
		func(ctx context.Context) (Contender, error) { return handMySQL(ctx, dsn, load) },
	}
}

// Embedded returns the ORM on the embedded stores, and bbolt by hand, with files
// in dir.
func Embedded(dir string) []func(context.Context) (Contender, error) {
	return []func(context.Context) (Contender, error){
		func(ctx context.Context) (Contender, error) { return Bolt(ctx, dir) },
		func(ctx context.Context) (Contender, error) { return BoltBatch(ctx, dir) },
		func(ctx context.Context) (Contender, error) {
			store, err := sqlite.Open(filepath.Join(dir, "sqlite.db"), sqlite.Options{})
			if err != nil {
				return nil, err
			}
			return NewTroupe(ctx, "troupe/orm, sqlite", store, orm.Config{})
		},
	}
}

// Bolt returns the ORM on the embedded store, with its file in dir.
func Bolt(ctx context.Context, dir string) (Contender, error) {
	store, err := bolt.Open(filepath.Join(dir, "bolt.db"), bolt.Options{})
	if err != nil {
		return nil, err
	}
	return NewTroupe(ctx, "troupe/orm, bolt", store, orm.Config{})
}

// oneConn is the usual saver: a loop over all players, one after the other.
func oneConn(load Load) Load {
	load.Conns = 1
	return load
}

func handPostgres(ctx context.Context, dsn string, load Load) (*Hand, error) {
	pool, err := pgxpool.New(ctx, dsn)
	if err != nil {
		return nil, err
	}
	for _, ddl := range handTable("text") {
		if _, err := pool.Exec(ctx, ddl); err != nil {
			return nil, err
		}
	}
	exec := func(ctx context.Context, rows []HandRow) error {
		ids, levels := make([]int64, len(rows)), make([]int32, len(rows))
		guilds, data := make([]string, len(rows)), make([]string, len(rows))
		for i, r := range rows {
			ids[i], levels[i], guilds[i], data[i] = r.ID, r.Level, r.Guild, r.Data
		}
		_, err := pool.Exec(ctx, postgresUpsert, ids, levels, guilds, data)
		return err
	}
	done := func() error {
		_, err := pool.Exec(context.Background(), "DROP TABLE ormbench_hand")
		pool.Close()
		return err
	}
	return NewHand("multi-row upsert by hand", exec, done, writers, load), nil
}

func handMySQL(ctx context.Context, dsn string, load Load) (*Hand, error) {
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		return nil, err
	}
	for _, ddl := range handTable("longtext") {
		if _, err := db.ExecContext(ctx, ddl); err != nil {
			return nil, err
		}
	}
	var mu sync.Mutex
	prepared := make(map[int]*sql.Stmt)
	prepare := func(n int) (*sql.Stmt, error) {
		mu.Lock()
		defer mu.Unlock()
		if prepared[n] != nil {
			return prepared[n], nil
		}
		stmt, err := db.PrepareContext(ctx, mysqlUpsert(n))
		prepared[n] = stmt
		return stmt, err
	}
	exec := func(ctx context.Context, rows []HandRow) error {
		stmt, err := prepare(len(rows))
		if err != nil {
			return err
		}
		args := make([]any, 0, 4*len(rows))
		for _, r := range rows {
			args = append(args, r.ID, r.Level, r.Guild, r.Data)
		}
		_, err = stmt.ExecContext(ctx, args...)
		return err
	}
	done := func() error {
		_, err := db.ExecContext(context.Background(), "DROP TABLE ormbench_hand")
		_ = db.Close()
		return err
	}
	return NewHand("multi-row upsert by hand", exec, done, writers, load), nil
}
