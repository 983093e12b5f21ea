// SPDX-License-Identifier: MIT

package orm_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/orm"
	"github.com/troupe-go/troupe/orm/ormtest"
)

type walletV1 struct{ Copper int64 }

type wallet struct{ Gold int64 }

// loadWallet loads the document of owner 1 with a program that knows typ.
func loadWallet[T any](t *testing.T, store orm.Store, typ *orm.Type, epoch uint64) (*owner, *orm.Doc[T], error) {
	t.Helper()
	db := openDB(t, store, orm.Config{Types: []*orm.Type{typ}, FlushEvery: time.Hour})
	o, doc := newOwner(1, 1, epoch), new(orm.Doc[T])
	doc.Use(db)
	var err error
	o.run(func() { err = doc.Load(t.Context(), o) })
	return o, doc, err
}

// TestVersions: an old document is upgraded when it is loaded and saved in its
// new form; a newer one is refused and left as it is.
func TestVersions(t *testing.T) {
	store := ormtest.NewMemory()
	first := orm.Document[walletV1]("wallet")
	second := orm.Document[wallet]("wallet", orm.Version(2),
		orm.UpgradeFrom(1, func(old walletV1) (wallet, error) { return wallet{Gold: old.Copper / 100}, nil }))

	o, old, err := loadWallet[walletV1](t, store, first, 1)
	if err != nil {
		t.Fatal(err)
	}
	o.run(func() { old.Data.Copper = 700; err = old.Save(t.Context()) })
	if err != nil {
		t.Fatal(err)
	}
	o, now, err := loadWallet[wallet](t, store, second, 2)
	if err != nil || now.Data.Gold != 7 || !now.Dirty() {
		t.Fatalf("upgraded: got %+v, dirty %t, %v", now.Data, now.Dirty(), err)
	}
	wantDoc(t, store, "wallet", "player/1", `{"Copper":700}`) // not before the next save
	o.run(func() { err = now.Save(t.Context()) })
	if err != nil {
		t.Fatal(err)
	}
	wantDoc(t, store, "wallet", "player/1", `{"Gold":7}`)

	_, late, err := loadWallet[walletV1](t, store, first, 3)
	if !errors.Is(err, orm.ErrNewer) || !strings.Contains(fmt.Sprint(err), "version 2") {
		t.Errorf("the old program: got %v, want ErrNewer that names the version", err)
	}
	if late.Data != (walletV1{}) || late.Exists() {
		t.Errorf("the old program has %+v", late.Data)
	}
	wantDoc(t, store, "wallet", "player/1", `{"Gold":7}`)
}

// TestBadConfig: mistakes are reported by Open, with their name.
func TestBadConfig(t *testing.T) {
	cases := []struct {
		cfg  orm.Config
		want error
		text string
	}{
		{orm.Config{FlushEvery: -1}, orm.ErrConfig, "FlushEvery"},
		{orm.Config{MaxDocBytes: -1}, orm.ErrConfig, "MaxDocBytes"},
		{orm.Config{Writers: -1}, orm.ErrConfig, "Writers"},
		{orm.Config{Types: []*orm.Type{orm.Document[wallet]("a"), orm.Document[walletV1]("a")}}, orm.ErrConfig, `"a"`},
		{orm.Config{Types: []*orm.Type{orm.Document[wallet]("a"), orm.Document[wallet]("b")}}, orm.ErrConfig, `both "a" and "b"`},
		{orm.Config{Types: []*orm.Type{orm.Document[struct{ F func() }]("a")}}, orm.ErrType, "a.F"},
	}
	for _, c := range cases {
		_, err := orm.Open(t.Context(), ormtest.NewMemory(), c.cfg)
		if !errors.Is(err, c.want) || !strings.Contains(fmt.Sprint(err), c.text) {
			t.Errorf("got %v, want %v with %s", err, c.want, c.text)
		}
	}
}

// TestBadKey: keys that a database would alter are refused.
func TestBadKey(t *testing.T) {
	for _, name := range []string{strings.Repeat("x", 300), "a\x00b", "\xff"} {
		if _, err := orm.Key(troupe.Name("player", name)); !errors.Is(err, orm.ErrKey) {
			t.Errorf("%.10q: got %v, want ErrKey", name, err)
		}
	}
}
