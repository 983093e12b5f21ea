// SPDX-License-Identifier: MIT

package ormtest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/troupe-go/troupe/orm"
)

// testGroups: groups over several tables, with a fenced member.
func testGroups(t *testing.T, open Open) {
	f := newFixture(t, open)
	other := &fixture{t: t, ctx: f.ctx, store: f.store, table: Table()}
	if err := f.store.Migrate(f.ctx, []*orm.Table{other.table}); err != nil {
		t.Fatalf("Migrate: %v", err)
	}
	a := next(f.load("a/1", fence(1, 1)).Token)
	b := next(other.load("a/1", fence(1, 1)).Token)
	c := next(f.load("a/2", fence(1, 1)).Token)
	out := f.save(
		orm.Group{f.write("a/1", a, doc(1)), other.write("a/1", b, doc(2))},
		orm.Group{f.write("a/2", c, doc(3))},
	)
	if out[0] != orm.Saved || out[1] != orm.Saved {
		t.Fatalf("outcomes: got %v", out)
	}
	f.expect("a/1", doc(1))
	other.expect("a/1", doc(2))

	// One document of the first group belongs to somebody else now.
	other.load("a/1", fence(1, 2))
	out = f.save(
		orm.Group{f.write("a/1", next(a), doc(11)), other.write("a/1", next(b), doc(12))},
		orm.Group{f.write("a/2", next(c), doc(13))},
	)
	if out[0] != orm.Fenced || out[1] != orm.Saved {
		t.Fatalf("outcomes with a fenced group: got %v", out)
	}
	other.expect("a/1", doc(2))
	f.expect("a/2", doc(13))
	if f.store.Capabilities().AtomicGroups {
		f.expect("a/1", doc(1))
	}

	// A group of which one half is there already, as after a crash of a store
	// that is not atomic.
	d := next(f.load("a/3", fence(1, 1)).Token)
	e := next(other.load("a/3", fence(1, 1)).Token)
	f.saveOne(f.write("a/3", d, doc(21)), orm.Saved)
	out = f.save(orm.Group{f.write("a/3", d, doc(21)), other.write("a/3", e, doc(22))})
	if out[0] != orm.Saved {
		t.Fatalf("outcome of a half-written group: got %v", out)
	}
	f.expect("a/3", doc(21))
	other.expect("a/3", doc(22))
}

// testBatch: many groups in one call, some of them fenced or repeated.
func testBatch(t *testing.T, open Open) {
	f := newFixture(t, open)
	n := 60
	tokens := make([]orm.Token, n)
	groups := make([]orm.Group, n)
	for i := range n {
		key := fmt.Sprintf("a/%03d", i)
		tokens[i] = next(f.load(key, fence(1, 1)).Token)
		groups[i] = orm.Group{f.write(key, tokens[i], doc(i))}
	}
	for i, out := range f.save(groups...) {
		if out != orm.Saved {
			t.Fatalf("group %d: got %v", i, out)
		}
	}
	want := make([]orm.Outcome, n)
	for i := range n {
		key := fmt.Sprintf("a/%03d", i)
		want[i] = orm.Saved
		switch i % 3 {
		case 0: // newer
			groups[i][0] = f.write(key, next(tokens[i]), doc(i+1000))
		case 1: // taken over
			f.load(key, fence(1, 2))
			groups[i][0] = f.write(key, next(tokens[i]), doc(i+1000))
			want[i] = orm.Fenced
		} // 2: a repeat
	}
	for i, out := range f.save(groups...) {
		if out != want[i] {
			t.Fatalf("group %d: got %v, want %v", i, out, want[i])
		}
	}
	rows, err := f.store.Find(f.ctx, f.table, orm.Query{Limit: n + 1})
	if err != nil || len(rows) != n {
		t.Fatalf("Find: %d rows, %v, want %d", len(rows), err, n)
	}
	for i, row := range rows {
		data := doc(i)
		if i%3 == 0 {
			data = doc(i + 1000)
		}
		if row.Key != fmt.Sprintf("a/%03d", i) || string(row.Data) != data {
			t.Fatalf("row %d: got %s %s, want %s", i, row.Key, row.Data, data)
		}
	}
	if out := f.save(); len(out) != 0 {
		t.Fatalf("Save of nothing: got %v", out)
	}
}

// awkward holds text that databases like to alter.
var awkward = []string{
	`plain`, `'single' "double" back\slash`, "percent % under _ semi ; -- comment /* */",
	"tab\tnewline\ncarriage\r", "emoji \U0001F409 and \u00e9 and e\u0301", "trailing space ",
	"A", "a", "ä", "ß", "\u2028", "zero\u200bwidth", "$1 ? :name {0} %s", "\x7f",
}

// testBytes: keys, documents and index values come back unchanged, and keys
// that differ only a little are different documents.
func testBytes(t *testing.T, open Open) {
	f := newFixture(t, open)
	want := make(map[string]string)
	var groups []orm.Group
	for i, text := range awkward {
		key := "k/@" + text
		data := fmt.Sprintf(`{"text":%q,"nul":"\u0000"}`, strings.Repeat("x", i))
		w := f.write(key, next(f.load(key, fence(1, 1)).Token), data)
		w.Index[2] = text
		groups = append(groups, orm.Group{w})
		want[key] = data
	}
	long := "k/" + strings.Repeat("é", (orm.MaxKeyBytes-2)/2)
	big := `"` + strings.Repeat("0123456789abcdef", 1<<14) + `"` // 256 KiB
	w := f.write(long, next(f.load(long, fence(1, 1)).Token), big)
	w.Index = []any{int64(-1 << 63), -1.5e300, strings.Repeat("é", orm.MaxIndexTextBytes/2)}
	groups = append(groups, orm.Group{w})
	want[long] = big
	for i, out := range f.save(groups...) {
		if out != orm.Saved {
			t.Fatalf("group %d: got %v", i, out)
		}
	}
	rows, err := f.store.Find(f.ctx, f.table, orm.Query{Limit: 1000})
	if err != nil || len(rows) != len(want) {
		t.Fatalf("Find: %d rows, %v, want %d", len(rows), err, len(want))
	}
	for i, row := range rows {
		if string(row.Data) != want[row.Key] {
			t.Errorf("%q: got %.60q, want %.60q", row.Key, row.Data, want[row.Key])
		}
		if i > 0 && rows[i-1].Key >= row.Key {
			t.Errorf("keys out of order: %q before %q", rows[i-1].Key, row.Key)
		}
	}
	for i, text := range awkward {
		rows, err := f.store.Find(f.ctx, f.table, orm.Query{
			Where: []orm.Condition{{Column: "ix_guild", Op: orm.Eq, Value: text}}, Limit: 10,
		})
		if err != nil || len(rows) != 1 || rows[0].Key != "k/@"+text {
			t.Errorf("text %d, %q: got %d rows, %v, want 1", i, text, len(rows), err)
		}
	}
}
