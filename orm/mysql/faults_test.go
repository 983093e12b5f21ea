// SPDX-License-Identifier: MIT

package mysql

import (
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/troupe-go/troupe/orm"
	"github.com/troupe-go/troupe/orm/ormtest"
)

func TestFaults(t *testing.T) {
	dsn := dsn(t)
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	prefix := newPrefix()
	t.Cleanup(func() { dropTables(t, dsn, prefix) })
	ormtest.RunFaults(t, cfg.Addr, func(t *testing.T, addr string) orm.Store {
		through := cfg.Clone()
		through.Addr = addr
		s, err := Open(through.FormatDSN(), Options{Prefix: prefix})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	})
}
