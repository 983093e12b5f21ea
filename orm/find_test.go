// SPDX-License-Identifier: MIT

package orm_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/troupe-go/troupe/orm"
	"github.com/troupe-go/troupe/orm/ormtest"
)

type level uint16

// ranked has an index of every kind, one of them nested.
type ranked struct {
	Level level `orm:"index"`
	Stats struct {
		Rating float64 `orm:"index"`
	}
	Guild string    `orm:"index"`
	Seen  time.Time `orm:"index"`
	Quiet string
}

var (
	rankedType = orm.Document[ranked]("ranked")
	firstSeen  = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
)

// rankedDB has 25 documents: levels 0 to 4, ratings falling, two guilds.
func rankedDB(t *testing.T) *orm.DB {
	db := openDB(t, ormtest.NewMemory(), orm.Config{Types: []*orm.Type{rankedType}, FlushEvery: time.Hour})
	for i := range 25 {
		o := newOwner(int64(i), 1, 1)
		var doc orm.Doc[ranked]
		doc.Use(db)
		o.run(func() {
			if err := doc.Load(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			doc.Data = ranked{Level: level(i % 5), Guild: []string{"ravens", "owls"}[i%2], Seen: firstSeen.Add(time.Duration(i) * time.Hour)}
			doc.Data.Stats.Rating = 100 - float64(i)/4
			if err := doc.Save(t.Context()); err != nil {
				t.Fatal(err)
			}
			doc.Data.Level = 1000 // not saved, so not found
		})
	}
	return db
}

// keys reads all pages.
func keys(t *testing.T, db *orm.DB, options ...orm.FindOption) (all []string, pages int) {
	t.Helper()
	var after *orm.Position
	for {
		page, err := orm.Find[ranked](t.Context(), db, append(slices.Clone(options), orm.After(after))...)
		if err != nil {
			t.Fatal(err)
		}
		pages++
		for _, item := range page.Items {
			all = append(all, strings.TrimPrefix(item.Key, "player/"))
		}
		if page.Next == nil {
			return all, pages
		}
		after = page.Next
	}
}

// TestFind: conditions, ranking by an indexed field, and paging to the end.
func TestFind(t *testing.T) {
	db := rankedDB(t)
	cases := []struct {
		name    string
		options []orm.FindOption
		want    string
	}{
		{"equal", []orm.FindOption{orm.Where("Level", orm.Eq, 3), orm.OrderBy("Seen")}, "3 8 13 18 23"},
		{"two conditions", []orm.FindOption{orm.Where("Level", orm.Eq, level(3)), orm.Where("Guild", orm.Eq, "owls"), orm.OrderBy("Seen")}, "3 13 23"},
		{"ranking", []orm.FindOption{orm.OrderBy("Stats.Rating"), orm.Descending(), orm.Where("Stats.Rating", orm.Gt, 99)}, "0 1 2 3"},
		{"time", []orm.FindOption{orm.Where("Seen", orm.Ge, firstSeen.Add(22*time.Hour)), orm.OrderBy("Seen")}, "22 23 24"},
		{"text", []orm.FindOption{orm.Where("Guild", orm.Ne, "ravens"), orm.Where("Level", orm.Lt, 1), orm.OrderBy("Seen")}, "5 15"},
		{"nobody", []orm.FindOption{orm.Where("Level", orm.Le, 1000), orm.Where("Level", orm.Gt, 4)}, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for _, limit := range []int{1, 2, 100} {
				got, pages := keys(t, db, append(slices.Clone(c.options), orm.Limit(limit))...)
				if strings.Join(got, " ") != c.want {
					t.Errorf("pages of %d: got %v, want %s", limit, got, c.want)
				}
				if want := len(got)/limit + 1; pages != want {
					t.Errorf("pages of %d: got %d, want %d", limit, pages, want)
				}
			}
		})
	}
	// Equal values are ordered by key, and a page may end among them.
	ranking, _ := keys(t, db, orm.OrderBy("Level"), orm.Descending(), orm.Limit(3))
	if len(ranking) != 25 || !slices.IsSortedFunc(ranking, func(a, b string) int {
		var x, y int
		fmt.Sscan(a, &x)
		fmt.Sscan(b, &y)
		return 10*(y%5-x%5) + strings.Compare(b, a)
	}) {
		t.Errorf("ranking: got %v", ranking)
	}
}

// TestBadQuery: mistakes in a query are named.
func TestBadQuery(t *testing.T) {
	db := rankedDB(t)
	cases := []struct {
		name   string
		option orm.FindOption
		text   string
	}{
		{"unknown field", orm.Where("Height", orm.Eq, 1), `"Height"`},
		{"no index", orm.OrderBy("Quiet"), `orm:"index"`},
		{"wrong type", orm.Where("Level", orm.Eq, "3"), "Level is a"},
		{"no number", orm.Where("Level", orm.Eq, 1.5), "Level is a"},
		{"negative", orm.Where("Level", orm.Eq, -1), "Level is a"},
		{"nil", orm.Where("Guild", orm.Eq, nil), "Guild is a"},
		{"too large", orm.Where("Level", orm.Eq, 1<<20), "Level is a"},
		{"comparison", orm.Where("Level", orm.Op(9), 1), "comparison 9"},
		{"limit", orm.Limit(0), "limit 0"},
		{"long text", orm.Where("Guild", orm.Eq, strings.Repeat("x", 300)), "255 bytes"},
	}
	for _, c := range cases {
		_, err := orm.Find[ranked](t.Context(), db, c.option)
		if !errors.Is(err, orm.ErrQuery) || !strings.Contains(fmt.Sprint(err), c.text) {
			t.Errorf("%s: got %v, want ErrQuery with %q", c.name, err, c.text)
		}
	}
	_, err := orm.Find[ranked](t.Context(), db, orm.OrderBy("Level"), orm.After(&orm.Position{Value: "x", Key: "k"}))
	if !errors.Is(err, orm.ErrQuery) {
		t.Errorf("After with another type: got %v, want ErrQuery", err)
	}
	if _, err := orm.Find[player](context.Background(), db); !errors.Is(err, orm.ErrUnknownType) {
		t.Errorf("a type that is not registered: got %v, want ErrUnknownType", err)
	}
}
