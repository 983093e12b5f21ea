// SPDX-License-Identifier: MIT

package ormtest

import (
	"strings"
	"testing"

	"github.com/troupe-go/troupe/orm"
)

func testMigrate(t *testing.T, open Open) {
	f := newFixture(t, open)
	row := f.load("a/1", fence(1, 1))
	f.saveOne(f.write("a/1", next(row.Token), doc(1)), orm.Saved)

	// Again, by another handle of the same table.
	same := &orm.Table{Name: f.table.Name, Columns: f.table.Columns}
	if err := f.store.Migrate(f.ctx, []*orm.Table{same}); err != nil {
		t.Fatalf("second Migrate: %v", err)
	}
	f.expect("a/1", doc(1))

	// A column is added and filled; nothing is lost.
	more := &orm.Table{
		Name:    f.table.Name,
		Columns: append(f.table.Columns[:3:3], orm.Column{Name: "ix_extra", Path: "Extra", Kind: orm.ColumnInt}),
		Extract: func(int, []byte) ([]any, error) { return []any{int64(8), 4.0, "x", int64(77)}, nil },
	}
	if err := f.store.Migrate(f.ctx, []*orm.Table{more}); err != nil {
		t.Fatalf("Migrate with a new column: %v", err)
	}
	f.expect("a/1", doc(1))
	rows, err := f.store.Find(f.ctx, more, orm.Query{
		Where: []orm.Condition{{Column: "ix_extra", Op: orm.Eq, Value: int64(77)}}, Limit: 10,
	})
	if err != nil || len(rows) != 1 || rows[0].Key != "a/1" {
		t.Fatalf("Find by the new column: got %v, %v, want a/1", rows, err)
	}

	// A program that does not know the new column still works.
	row = f.load("a/1", fence(1, 2))
	f.saveOne(f.write("a/1", next(row.Token), doc(2)), orm.Saved)
	row = f.load("a/2", fence(1, 3))
	f.saveOne(f.write("a/2", next(row.Token), doc(3)), orm.Saved)
}

// wantSchema wants ErrSchema and a text that says what to do: to open the DB
// with the type, which a program can, or the statement to run.
func wantSchema(t *testing.T, what string, err error) {
	t.Helper()
	wantErr(t, what, err, orm.ErrSchema)
	if text := err.Error(); !strings.Contains(text, "open the DB with") {
		t.Fatalf("%s: %q does not say what to do", what, text)
	}
}

// testMissingColumn: a program that knows a column which nobody has created.
func testMissingColumn(t *testing.T, open Open) {
	f := newFixture(t, open)
	more := *f.table
	more.Columns = append(f.table.Columns[:3:3], orm.Column{Name: "ix_extra", Path: "Extra", Kind: orm.ColumnInt})
	w := f.write("a/1", next(f.load("a/1", fence(1, 1)).Token), doc(1))
	w.Table, w.Index = &more, append(w.Index[:3:3], int64(1))
	_, err := f.store.Save(f.ctx, []orm.Group{{w}})
	wantSchema(t, "Save", err)
	_, err = f.store.Find(f.ctx, &more, orm.Query{
		Where: []orm.Condition{{Column: "ix_extra", Op: orm.Eq, Value: int64(1)}}, Limit: 1,
	})
	wantSchema(t, "Find", err)
	f.expect("a/1", "")
}

func testMissingTable(t *testing.T, open Open) {
	f := newFixture(t, open)
	absent := Table()
	_, err := f.store.LoadFence(f.ctx, absent, "a/1", fence(1, 1))
	wantSchema(t, "LoadFence", err)
	f.table = absent
	_, err = f.store.Save(f.ctx, []orm.Group{{f.write("a/1", orm.Token{Generation: 1, Epoch: 1, Seq: 1}, doc(1))}})
	wantSchema(t, "Save", err)
	_, err = f.store.Find(f.ctx, absent, orm.Query{Limit: 1})
	wantSchema(t, "Find", err)
}

// testLoad: O1, and who may load after whom.
func testLoad(t *testing.T, open Open) {
	f := newFixture(t, open)
	row := f.load("a/1", fence(1, 5))
	if row.Key != "a/1" || row.Data != nil || row.Token != (orm.Token{Generation: 1, Epoch: 5}) {
		t.Fatalf("first load: got %+v", row)
	}
	again := f.load("a/1", fence(1, 5))
	if want := orm.LoadToken(row.Token, fence(1, 5)); again.Token != want {
		t.Fatalf("load under the same fence: got token %v, want %v", again.Token, want)
	}
	for _, older := range []orm.Fence{fence(1, 4), fence(0, 9), fence(0, 0)} {
		_, err := f.store.LoadFence(f.ctx, f.table, "a/1", older)
		wantErr(t, "load by an older owner", err, orm.ErrFenced)
	}
	if row := f.load("a/1", fence(2, 1)); row.Token != (orm.Token{Generation: 2, Epoch: 1}) {
		t.Fatalf("load by a newer generation: got %v", row.Token)
	}
	largest := orm.Fence{Generation: 1<<63 - 1, Epoch: 1<<63 - 1}
	if row := f.load("a/1", largest); row.Token.Fence() != largest {
		t.Fatalf("load with the largest fence: got %v", row.Token)
	}
	if zero := f.load("a/0", fence(0, 0)); zero.Token.Seq == 0 {
		t.Fatalf("load with the zero fence: got %v, want a token above the absent row's", zero.Token)
	}
}

func testSave(t *testing.T, open Open) {
	f := newFixture(t, open)
	row := f.load("a/1", fence(1, 1))
	f.expect("a/1", "")
	token := row.Token
	for i := range 5 {
		token = next(token)
		f.saveOne(f.write("a/1", token, doc(i)), orm.Saved)
		f.expect("a/1", doc(i))
	}
	got := f.load("a/1", fence(1, 2))
	if string(got.Data) != doc(4) || got.Schema != 1 {
		t.Fatalf("load: got %+v", got)
	}
	// A row that nobody loaded cannot be written.
	f.saveOne(f.write("a/2", token, doc(1)), orm.Fenced)
	f.expect("a/2", "")
	f.load("a/2", fence(1, 1))
}

// testRepeat: O3.
func testRepeat(t *testing.T, open Open) {
	f := newFixture(t, open)
	w := f.write("a/1", next(f.load("a/1", fence(1, 1)).Token), doc(1))
	for range 3 {
		f.saveOne(w, orm.Saved)
	}
	f.expect("a/1", doc(1))
	row, _ := f.peek("a/1")
	if row.Token != w.Token {
		t.Fatalf("token: got %v, want %v", row.Token, w.Token)
	}
}

// testReorder: two writes of one owner arrive in the wrong order.
func testReorder(t *testing.T, open Open) {
	f := newFixture(t, open)
	first := f.write("a/1", next(f.load("a/1", fence(1, 1)).Token), doc(1))
	second := f.write("a/1", next(first.Token), doc(2))
	f.saveOne(second, orm.Saved)
	f.saveOne(first, orm.Fenced)
	f.expect("a/1", doc(2))

	// The same between two loads under one fence.
	again := f.load("a/1", fence(1, 1))
	f.saveOne(f.write("a/1", next(second.Token), doc(3)), orm.Fenced)
	f.saveOne(f.write("a/1", next(again.Token), doc(4)), orm.Saved)
	f.expect("a/1", doc(4))
}

// testStaleOwner: a paused owner wakes up after its successor has loaded.
func testStaleOwner(t *testing.T, open Open) {
	f := newFixture(t, open)
	old := f.load("a/1", fence(1, 1))
	f.saveOne(f.write("a/1", next(old.Token), doc(1)), orm.Saved)
	fresh := f.load("a/1", fence(1, 2))
	if string(fresh.Data) != doc(1) {
		t.Fatalf("successor loaded %q", fresh.Data)
	}
	late := old.Token
	late.Seq += 100
	f.saveOne(f.write("a/1", late, doc(2)), orm.Fenced)
	f.expect("a/1", doc(1))
	f.saveOne(f.write("a/1", next(fresh.Token), doc(3)), orm.Saved)
	f.saveOne(f.write("a/1", late, doc(2)), orm.Fenced)
	f.expect("a/1", doc(3))
}

// testLostLoad: an owner whose load the database has forgotten, in a crash,
// must not overwrite what others have written since.
func testLostLoad(t *testing.T, open Open) {
	f := newFixture(t, open)
	row := f.load("a/1", fence(0, 0))
	lost := orm.LoadToken(row.Token, fence(0, 0)) // what a load now would install
	f.saveOne(f.write("a/1", next(row.Token), doc(1)), orm.Saved)
	f.saveOne(f.write("a/1", next(lost), doc(2)), orm.Fenced)
	f.expect("a/1", doc(1))
	f.saveOne(f.write("a/1", next(next(row.Token)), doc(3)), orm.Saved)
	f.expect("a/1", doc(3))
}

// testDelete: O6.
func testDelete(t *testing.T, open Open) {
	f := newFixture(t, open)
	row := f.load("a/1", fence(1, 1))
	w := f.write("a/1", next(row.Token), doc(1))
	f.saveOne(w, orm.Saved)
	gone := orm.Write{Table: f.table, Key: "a/1", Token: next(w.Token), Schema: 1, Index: f.table.ZeroIndex()}
	f.saveOne(gone, orm.Saved)
	f.saveOne(gone, orm.Saved)
	f.expect("a/1", "")
	f.saveOne(w, orm.Fenced)
	f.expect("a/1", "")
	if _, err := f.store.LoadFence(f.ctx, f.table, "a/1", fence(0, 9)); err == nil {
		t.Fatal("an older owner loaded a deleted document")
	}
	// The owner may create it again.
	f.saveOne(f.write("a/1", next(gone.Token), doc(2)), orm.Saved)
	f.expect("a/1", doc(2))
}
