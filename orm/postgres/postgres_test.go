// SPDX-License-Identifier: MIT

package postgres

import (
	"context"
	"crypto/rand"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/troupe-go/troupe/orm"
	"github.com/troupe-go/troupe/orm/ormtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// dsn returns the test server, or skips.
func dsn(t testing.TB) string {
	t.Helper()
	dsn := os.Getenv("TROUPE_TEST_POSTGRES")
	if dsn == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("TROUPE_TEST_POSTGRES is not set")
		}
		t.Skip("set TROUPE_TEST_POSTGRES to postgres://user:password@host:5432/database to run this test")
	}
	return dsn
}

// open returns a store with tables of its own, dropped at the end.
func open(t *testing.T, dsn string) *Store {
	t.Helper()
	opts := Options{Prefix: "ormtest_" + strings.ToLower(rand.Text()[:8]) + "_"}
	s, err := Open(t.Context(), dsn, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.dropTables(t)
		_ = s.Close()
	})
	return s
}

func (s *Store) dropTables(t *testing.T) {
	ctx := context.Background()
	names, err := s.loads.Query(ctx, "SELECT table_name::text FROM information_schema.tables WHERE table_name LIKE $1",
		s.opts.Prefix+"%")
	if err != nil {
		t.Error(err)
		return
	}
	var drop []string
	for names.Next() {
		var name string
		_ = names.Scan(&name)
		drop = append(drop, name)
	}
	names.Close()
	for _, name := range drop {
		if _, err := s.loads.Exec(ctx, `DROP TABLE "`+name+`"`); err != nil {
			t.Error(err)
		}
	}
}

func TestConformance(t *testing.T) {
	ormtest.Run(t, func(t *testing.T) orm.Store { return open(t, dsn(t)) })
}
