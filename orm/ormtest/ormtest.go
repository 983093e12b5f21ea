// SPDX-License-Identifier: MIT

// Package ormtest is the conformance suite for document stores: what orm.DB
// relies on, tested. Run it on your own store:
//
//	func TestStore(t *testing.T) {
//		ormtest.Run(t, func(t *testing.T) orm.Store { return open(t) })
//	}
package ormtest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/troupe-go/troupe/orm"
)

// Open returns a store for one test and closes it with t.Cleanup. Two calls may
// return stores of one database: tables have random names.
type Open func(t *testing.T) orm.Store

// Run runs the whole suite, except for the tests named in skip. Skip a test only
// because of what is behind the store, and say why.
func Run(t *testing.T, open Open, skip ...string) {
	tests := []struct {
		name string
		run  func(*testing.T, Open)
	}{
		{"Migrate", testMigrate},
		{"MissingTable", testMissingTable},
		{"MissingColumn", testMissingColumn},
		{"Load", testLoad},
		{"Save", testSave},
		{"Repeat", testRepeat},
		{"Reorder", testReorder},
		{"StaleOwner", testStaleOwner},
		{"LostLoad", testLostLoad},
		{"Delete", testDelete},
		{"Groups", testGroups},
		{"Batch", testBatch},
		{"Bytes", testBytes},
		{"Find", testFind},
		{"Model", testModel},
		{"Race", testRace},
		{"Owners", testOwners},
	}
	for _, test := range tests {
		if !slices.Contains(skip, test.name) {
			t.Run(test.name, func(t *testing.T) { test.run(t, open) })
		}
	}
}

// testOwners is a short RunOwners.
func testOwners(t *testing.T, open Open) {
	t.Run("cluster", func(t *testing.T) { RunOwners(t, open(t), true, 60) })
	t.Run("single", func(t *testing.T) { RunOwners(t, open(t), false, 60) })
}

// Table returns a table with a random name and one column of every kind.
func Table() *orm.Table {
	return &orm.Table{
		Name: "t_" + randomName(),
		Columns: []orm.Column{
			{Name: "ix_level", Path: "Level", Kind: orm.ColumnInt},
			{Name: "ix_rating", Path: "Rating", Kind: orm.ColumnFloat},
			{Name: "ix_guild", Path: "Guild", Kind: orm.ColumnText},
		},
	}
}

func randomName() string {
	b := make([]byte, 6)
	rand.Read(b) // it cannot fail
	return hex.EncodeToString(b)
}

// fixture is a store with one table.
type fixture struct {
	t     *testing.T
	ctx   context.Context
	store orm.Store
	table *orm.Table
}

func newFixture(t *testing.T, open Open) *fixture {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	f := &fixture{t: t, ctx: ctx, store: open(t), table: Table()}
	if err := f.store.Migrate(ctx, []*orm.Table{f.table}); err != nil {
		t.Fatalf("Migrate: %v", err)
	}
	return f
}

func fence(generation, epoch uint64) orm.Fence {
	return orm.Fence{Generation: generation, Epoch: epoch}
}

// load loads and fails the test on any error.
func (f *fixture) load(key string, fence orm.Fence) orm.Row {
	f.t.Helper()
	row, err := f.store.LoadFence(f.ctx, f.table, key, fence)
	if err != nil {
		f.t.Fatalf("LoadFence(%q, %v): %v", key, fence, err)
	}
	return row
}

// write is a write with some index values.
func (f *fixture) write(key string, token orm.Token, data string) orm.Write {
	return orm.Write{
		Table: f.table, Key: key, Token: token, Schema: 1, Data: []byte(data),
		Index: []any{int64(len(data)), float64(len(data)) / 2, data[:min(len(data), 20)]},
	}
}

func (f *fixture) save(groups ...orm.Group) []orm.Outcome {
	f.t.Helper()
	out, err := f.store.Save(f.ctx, groups)
	if err != nil {
		f.t.Fatalf("Save: %v", err)
	}
	if len(out) != len(groups) {
		f.t.Fatalf("Save: %d outcomes for %d groups", len(out), len(groups))
	}
	return out
}

// saveOne saves one document and compares the outcome.
func (f *fixture) saveOne(w orm.Write, want orm.Outcome) {
	f.t.Helper()
	if got := f.save(orm.Group{w})[0]; got != want {
		f.t.Fatalf("Save(%s %v): got outcome %d, want %d", w.Key, w.Token, got, want)
	}
}

// peek returns a row as Find sees it.
func (f *fixture) peek(key string) (orm.Row, bool) {
	f.t.Helper()
	q := orm.Query{Limit: 1000}
	rows, err := f.store.Find(f.ctx, f.table, q)
	if err != nil {
		f.t.Fatalf("Find: %v", err)
	}
	for _, row := range rows {
		if row.Key == key {
			return row, true
		}
	}
	return orm.Row{}, false
}

// expect compares a document's data; "" means that there is none.
func (f *fixture) expect(key, data string) {
	f.t.Helper()
	row, ok := f.peek(key)
	if ok != (data != "") || string(row.Data) != data {
		f.t.Fatalf("%s: got %q (exists %t), want %q", key, row.Data, ok, data)
	}
}

func next(token orm.Token) orm.Token {
	token.Seq++
	return token
}

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%s: got error %v, want %v", what, err, want)
	}
}

func doc(i int) string { return fmt.Sprintf(`{"n":%d}`, i) }
