// SPDX-License-Identifier: MIT

package ormbench

import (
	"os"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/troupe-go/troupe/orm"
	"github.com/troupe-go/troupe/orm/postgres"
)

// BenchmarkLoad compares a load, which also installs the fence, with a bare
// SELECT of the same row. Run it with -cpu 1: one client, one connection.
func BenchmarkLoad(b *testing.B) {
	dsn := os.Getenv("TROUPE_TEST_POSTGRES")
	if dsn == "" {
		b.Skip("set TROUPE_TEST_POSTGRES")
	}
	ctx := b.Context()
	store, err := postgres.Open(ctx, dsn, postgres.Options{})
	if err != nil {
		b.Fatal(err)
	}
	tr, err := NewTroupe(ctx, "", store, orm.Config{})
	if err != nil {
		b.Fatal(err)
	}
	defer tr.Close() // end of the benchmark
	const players = 1000
	for id := range int64(players) {
		if err := tr.Save(ctx, id+1, 1); err != nil {
			b.Fatal(err)
		}
	}
	keys := make([]string, players)
	for i := range keys {
		keys[i], _ = orm.Key(playerRef(int64(i + 1)))
	}
	b.Run("select", func(b *testing.B) {
		pool, err := pgxpool.New(ctx, dsn)
		if err != nil {
			b.Fatal(err)
		}
		defer pool.Close()
		for i := 0; b.Loop(); i++ {
			var data []byte
			var schema int
			err := pool.QueryRow(ctx, "SELECT schema_version, data FROM doc_ormbench_player WHERE doc_key = $1",
				keys[i%players]).Scan(&schema, &data)
			if err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("load", func(b *testing.B) {
		table := PlayerType().Table()
		for i := 0; b.Loop(); i++ {
			if _, err := store.LoadFence(ctx, table, keys[i%players], orm.Fence{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
