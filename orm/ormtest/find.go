// SPDX-License-Identifier: MIT

package ormtest

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/troupe-go/troupe/orm"
)

// entry is a row of the reference model.
type entry struct {
	key    string
	values []any
}

func compareValues(a, b any) int {
	switch a := a.(type) {
	case int64:
		return cmp.Compare(a, b.(int64))
	case float64:
		return cmp.Compare(a, b.(float64))
	default:
		return cmp.Compare(a.(string), b.(string))
	}
}

func (e entry) matches(table *orm.Table, q orm.Query) bool {
	for _, c := range q.Where {
		_, i, _ := table.Column(c.Column)
		d := compareValues(e.values[i], c.Value)
		ok := map[orm.Op]bool{
			orm.Eq: d == 0, orm.Ne: d != 0, orm.Lt: d < 0, orm.Le: d <= 0, orm.Gt: d > 0, orm.Ge: d >= 0,
		}[c.Op]
		if !ok {
			return false
		}
	}
	return true
}

// findModel is what Find must return, in the simplest way.
func findModel(table *orm.Table, all []entry, q orm.Query) []string {
	_, by, ordered := table.Column(q.OrderBy)
	order := func(a, b entry) int {
		d := 0
		if ordered {
			d = compareValues(a.values[by], b.values[by])
		}
		if d = cmp.Or(d, cmp.Compare(a.key, b.key)); q.Desc {
			d = -d
		}
		return d
	}
	var found []entry
	for _, e := range all {
		if !e.matches(table, q) {
			continue
		}
		if q.After != nil {
			last := entry{q.After.Key, make([]any, len(table.Columns))}
			if ordered {
				last.values[by] = q.After.Value
			}
			if order(e, last) <= 0 {
				continue
			}
		}
		found = append(found, e)
	}
	slices.SortFunc(found, order)
	var keys []string
	for _, e := range found[:min(len(found), q.Limit)] {
		keys = append(keys, e.key)
	}
	return keys
}

var (
	someInts   = []int64{-1 << 63, -5, -1, 0, 1, 2, 3, 1<<63 - 1}
	someFloats = []float64{-1e300, -2.5, 0, 0.1, 2.5, 1e300}
	someTexts  = []string{"", "A", "a", "aa", "b", "ä", "z", "é'\"\\", "\U0001F409"}
)

// testFind compares many queries with the model, page by page.
func testFind(t *testing.T, open Open) {
	f := newFixture(t, open)
	var all []entry
	var groups []orm.Group
	for i := range 40 {
		e := entry{fmt.Sprintf("k/%d", i*7%40), []any{
			someInts[i*5%len(someInts)], someFloats[i*3%len(someFloats)], someTexts[i*4%len(someTexts)],
		}}
		w := f.write(e.key, next(f.load(e.key, fence(1, 1)).Token), doc(i))
		w.Index = e.values
		groups = append(groups, orm.Group{w})
		all = append(all, e)
	}
	f.save(groups...)
	f.load("k/unsaved", fence(1, 1)) // never found

	// An index entry of an overwritten document must be gone.
	moved := groups[0][0]
	moved.Token = next(moved.Token)
	moved.Index = []any{int64(42), 42.0, "moved"}
	f.saveOne(moved, orm.Saved)
	all[0].values = moved.Index

	rapid.Check(t, func(rt *rapid.T) {
		q := drawQuery(rt, f.table)
		for page := 0; ; page++ {
			rows, err := f.store.Find(f.ctx, f.table, q)
			if err != nil {
				rt.Fatalf("Find(%+v): %v", q, err)
			}
			var got []string
			for _, row := range rows {
				got = append(got, row.Key)
			}
			if want := findModel(f.table, all, q); !slices.Equal(got, want) {
				rt.Fatalf("Find(%+v) after %v, page %d:\n got %v\nwant %v", q, q.After, page, got, want)
			}
			if len(rows) < q.Limit {
				return
			}
			q.After = position(f.table, all, q, got[len(got)-1])
		}
	})
}

func position(table *orm.Table, all []entry, q orm.Query, key string) *orm.Position {
	p := &orm.Position{Key: key}
	_, by, ordered := table.Column(q.OrderBy)
	for _, e := range all {
		if e.key == key && ordered {
			p.Value = e.values[by]
		}
	}
	return p
}

func drawQuery(t *rapid.T, table *orm.Table) orm.Query {
	q := orm.Query{Limit: rapid.IntRange(1, 45).Draw(t, "limit"), Desc: rapid.Bool().Draw(t, "desc")}
	q.OrderBy = rapid.SampledFrom([]string{"", "ix_level", "ix_rating", "ix_guild"}).Draw(t, "order")
	for range rapid.IntRange(0, 2).Draw(t, "conditions") {
		c := orm.Condition{Op: orm.Op(rapid.IntRange(1, 6).Draw(t, "op"))}
		i := rapid.IntRange(0, 2).Draw(t, "column")
		c.Column = table.Columns[i].Name
		switch i {
		case 0:
			c.Value = rapid.SampledFrom(someInts).Draw(t, "int")
		case 1:
			c.Value = rapid.SampledFrom(someFloats).Draw(t, "float")
		default:
			c.Value = rapid.SampledFrom(someTexts).Draw(t, "text")
		}
		q.Where = append(q.Where, c)
	}
	return q
}
