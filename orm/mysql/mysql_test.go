// SPDX-License-Identifier: MIT

package mysql

import (
	"context"
	"crypto/rand"
	"database/sql"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/troupe-go/troupe/orm"
	"github.com/troupe-go/troupe/orm/ormtest"
	"github.com/troupe-go/troupe/orm/sqldoc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// dsn returns the test server, or skips.
func dsn(t testing.TB) string {
	t.Helper()
	dsn := os.Getenv("TROUPE_TEST_MYSQL")
	if dsn == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("TROUPE_TEST_MYSQL is not set")
		}
		t.Skip("set TROUPE_TEST_MYSQL to user:password@tcp(host:3306)/database to run this test")
	}
	return dsn
}

func TestConformance(t *testing.T) {
	ormtest.Run(t, func(t *testing.T) orm.Store {
		return open(t, dsn(t))
	})
}

// open returns a store with tables of its own, dropped at the end.
func open(t *testing.T, dsn string) *sqldoc.Store {
	t.Helper()
	prefix := newPrefix()
	s, err := Open(dsn, Options{Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.Close()
		dropTables(t, dsn, prefix)
	})
	return s
}

func newPrefix() string { return "ormtest_" + strings.ToLower(rand.Text()[:8]) + "_" }

func dropTables(t *testing.T, dsn, prefix string) {
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Error(err)
		return
	}
	defer db.Close() // end of the test
	ctx := context.Background()
	names, err := sqldoc.Strings(ctx, db, "SELECT table_name FROM information_schema.tables"+
		" WHERE table_schema = DATABASE() AND table_name LIKE ?", prefix+"%")
	if err != nil {
		t.Error(err)
	}
	for _, name := range names {
		if _, err := db.ExecContext(ctx, "DROP TABLE `"+name+"`"); err != nil {
			t.Error(err)
		}
	}
}
