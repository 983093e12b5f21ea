// SPDX-License-Identifier: MIT

package postgres

import (
	"testing"

	"github.com/troupe-go/troupe/orm"
	"github.com/troupe-go/troupe/orm/ormtest"
)

// TestRecreatedTable: prepared statements that no longer fit are made again.
func TestRecreatedTable(t *testing.T) {
	s := open(t, dsn(t))
	ctx := t.Context()
	table := ormtest.Table()
	fence := orm.Fence{Generation: 1, Epoch: 1}
	load := func() orm.Row {
		t.Helper()
		row, err := s.LoadFence(ctx, table, "k/1", fence)
		if err != nil {
			t.Fatal(err)
		}
		return row
	}
	save := func(row orm.Row) {
		t.Helper()
		row.Token.Seq++
		out, err := s.Save(ctx, []orm.Group{{{
			Table: table, Key: row.Key, Token: row.Token, Schema: 1, Data: []byte("{}"), Index: []any{int64(1), 2.0, "x"},
		}}})
		if err != nil || out[0] != orm.Saved {
			t.Fatalf("save: %v, %v", out, err)
		}
	}
	exec := func(sql string) {
		t.Helper()
		if _, err := s.loads.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Migrate(ctx, []*orm.Table{table}); err != nil {
		t.Fatal(err)
	}
	save(load())
	name := s.statements(table).Quoted()
	exec("ALTER TABLE " + name + " ALTER COLUMN data TYPE varchar(100000), ALTER COLUMN schema_version TYPE int")
	save(load())
	exec("DROP TABLE " + name)
	if err := s.Migrate(ctx, []*orm.Table{table}); err != nil {
		t.Fatal(err)
	}
	save(load())
}
