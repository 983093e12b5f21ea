// SPDX-License-Identifier: MIT

package orm

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"
	"unsafe"
)

// TestUnsupported: mistakes in a type are reported with the field's path.
func TestUnsupported(t *testing.T) {
	type inner struct{ Bad any }
	type indexed struct {
		N int `orm:"index"`
	}
	cases := []struct {
		name string
		typ  *Type
		path string
	}{
		{"interface", Document[struct{ A []inner }]("x"), "x.A[].Bad"},
		{"func", Document[struct{ F func() }]("x"), "x.F"},
		{"chan", Document[struct{ C map[string]chan int }]("x"), "x.C[]"},
		{"unexported", Document[struct{ a int }]("x"), "x.a"},
		{"map key", Document[struct{ M map[float64]int }]("x"), "x.M"},
		{"pointer to slice", Document[struct{ P *[]int }]("x"), "x.P"},
		{"complex", Document[struct{ C complex128 }]("x"), "x.C"},
		{"not a struct", Document[int]("x"), "must be a struct"},
		{"tag", Document[struct {
			A int `orm:"indexed"`
		}]("x"), "x.A"},
		{"two names", Document[struct {
			A int
			B int `orm:"name=A"`
		}]("x"), "x.B"},
		{"index in slice", Document[struct{ L []indexed }]("x"), "x.L[].N"},
		{"index on slice", Document[struct {
			L []int `orm:"index"`
		}]("x"), "x.L"},
		{"table name", Document[struct{}]("Bad Name"), `"Bad Name"`},
		{"version", Document[struct{}]("x", Version(-1)), "version -1"},
		{"upgrade", Document[struct{}]("x", Upgrade(1, nil)), "upgrade from version 1"},
	}
	for _, c := range cases {
		if c.typ.err == nil || !strings.Contains(c.typ.err.Error(), c.path) {
			t.Errorf("%s: got %v, want an error with %q", c.name, c.typ.err, c.path)
		}
	}
}

type rare struct {
	Name  string
	Int   int64
	Uint  uint64
	Float float64
	When  time.Time
	Raw   []byte
	List  []string
	Map   map[string]int
	Self  *rare
}

func roundTrip(t *testing.T, in rare) rare {
	t.Helper()
	typ := Document[rare]("rare")
	data, err := typ.encode(unsafe.Pointer(&in))
	if err != nil {
		t.Fatal(err)
	}
	var out rare
	if _, err := typ.decode(1, data, unsafe.Pointer(&out)); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	if !typ.plan.equal(unsafe.Pointer(&in), shadowOf(typ, unsafe.Pointer(&out))) {
		t.Fatalf("got %+v, want %+v", out, in)
	}
	return out
}

func shadowOf(typ *Type, ptr unsafe.Pointer) unsafe.Pointer {
	shadow := typ.newShadow()
	typ.plan.copy(shadow, ptr)
	return shadow
}

// TestRareValues: extremes come back unchanged.
func TestRareValues(t *testing.T) {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Skip("no time zone data here")
	}
	in := rare{
		Name: "'\"\\\x00\x1f\u2028\U0001F409", Int: math.MinInt64, Uint: math.MaxUint64,
		Float: math.SmallestNonzeroFloat64, Raw: []byte{}, List: []string{}, Map: map[string]int{"": 1, "\x00": 2},
	}
	for _, when := range []time.Time{
		{},
		time.Now(), time.Unix(0, 1).UTC(), time.Date(2026, 7, 1, 12, 0, 0, 5, paris),
		time.Date(1890, 1, 1, 0, 0, 0, 0, paris), // an offset with seconds
		time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC).In(paris), time.Date(2026, 10, 25, 1, 30, 0, 0, time.UTC).In(paris),
		time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.FixedZone("", -12*3600)),
		time.Unix(0, 0).In(time.FixedZone("", 0)),
	} {
		in.When = when
		out := roundTrip(t, in)
		if !out.When.Equal(when) {
			t.Errorf("%v became %v", when, out.When)
		}
		if when.Location() == paris && out.When.Location().String() != "Europe/Paris" {
			t.Errorf("%v lost its zone: %v", when, out.When)
		}
	}
	out := roundTrip(t, in)
	if out.Raw == nil || out.List == nil {
		t.Error("empty became nil")
	}
	if out := roundTrip(t, rare{}); out.Raw != nil || out.List != nil || out.Map != nil {
		t.Error("nil became empty")
	}
	if out := roundTrip(t, rare{Float: math.Copysign(0, -1)}); !math.Signbit(out.Float) {
		t.Error("-0 became 0")
	}
}

// TestRefusedValues: what JSON cannot carry is refused with its path.
func TestRefusedValues(t *testing.T) {
	cycle := rare{}
	cycle.Self = &cycle
	cases := []struct {
		in   rare
		path string
	}{
		{rare{Float: math.NaN()}, "rare.Float"},
		{rare{Name: "\xff"}, "rare.Name"},
		{rare{List: []string{"", "a\x80"}}, "rare.List[1]"},
		{rare{Map: map[string]int{"\xfe": 1}}, "rare.Map["},
		{rare{Self: &rare{Float: math.Inf(1)}}, "rare.Self.Float"},
		{rare{When: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}, "rare.When"},
		{rare{When: time.Unix(0, 0).In(time.FixedZone("", 61))}, "rare.When"},
		{cycle, "cycle"},
	}
	typ := Document[rare]("rare")
	for _, c := range cases {
		_, err := typ.encode(unsafe.Pointer(&c.in))
		if !errors.Is(err, ErrValue) || !strings.Contains(err.Error(), c.path) {
			t.Errorf("got %.80v, want ErrValue with %q", err, c.path)
		}
	}
}

// TestBadData: what does not fit the type is refused, never truncated.
func TestBadData(t *testing.T) {
	typ := Document[rare]("rare")
	for _, data := range []string{
		``, `null`, `[]`, `{`, `{}x`, `{"Name":"a",}`, `{"Unknown":1}`, `{"Int":1.5}`, `{"Int":9223372036854775808}`,
		`{"Uint":-1}`, `{"Name":1}`, `{"Name":"\ud800"}`, "{\"Name\":\"\xff\"}", "{\"Name\":\"\n\"}", `{"Float":01}`,
		`{"Float":1e999}`, `{"When":"yesterday"}`, `{"Raw":"!"}`, `{"List":[1]}`, `{"Map":{"a":"b"}}`, `{"Name":null}`,
		`{"Self":{"Self":{"Int":"x"}}}`, `{"Float":.5}`, `{"Float":1.}`,
	} {
		var out rare
		if _, err := typ.decode(1, []byte(data), unsafe.Pointer(&out)); !errors.Is(err, ErrData) {
			t.Errorf("%s: got %v, want ErrData", data, err)
		}
	}
	var out rare
	for _, data := range []string{`{}`, ` { "Int" : 5 , "Name" : "\u00e9\ud83d\ude00" } `} {
		if _, err := typ.decode(1, []byte(data), unsafe.Pointer(&out)); err != nil {
			t.Errorf("%s: %v", data, err)
		}
	}
	if out.Int != 5 || out.Name != "é\U0001F600" {
		t.Errorf("got %+v", out)
	}
}

// FuzzDecode: whatever decodes can be saved and comes back the same.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"Name":"a","Int":1,"Self":{"List":["x",""],"Map":{"k":1}},"When":"2026-11-22T18:41:09.5+01:00[Europe/Paris]"}`))
	f.Add([]byte(`{"Raw":"AAECAw==","Float":-0}`))
	typ := Document[rare]("rare")
	f.Fuzz(func(t *testing.T, data []byte) {
		var in rare
		if _, err := typ.decode(1, data, unsafe.Pointer(&in)); err != nil {
			return
		}
		once, err := typ.encode(unsafe.Pointer(&in))
		if err != nil {
			if errors.Is(err, ErrValue) {
				return
			}
			t.Fatal(err)
		}
		var out rare
		if _, err := typ.decode(1, once, unsafe.Pointer(&out)); err != nil {
			t.Fatalf("%s: %v", once, err)
		}
		twice, err := typ.encode(unsafe.Pointer(&out))
		if err != nil || string(twice) != string(once) {
			t.Fatalf("%s became %s, %v", once, twice, err)
		}
	})
}

// The versions of a document through time. Stored documents of old versions
// are recorded below and must load for ever.
type heroV1 struct{ Gold int }

type heroV2 struct {
	Coins int64
	Name  string
}

type heroV3 struct {
	Purse struct{ Coins int64 }
	Name  string
}

func heroType(options ...TypeOption) *Type {
	return Document[heroV3]("hero", append([]TypeOption{
		Version(3),
		UpgradeFrom(1, func(old heroV1) (heroV2, error) {
			return heroV2{Coins: int64(old.Gold), Name: "unnamed"}, nil
		}),
		UpgradeFrom(2, func(old heroV2) (heroV3, error) {
			next := heroV3{Name: old.Name}
			next.Purse.Coins = old.Coins
			return next, nil
		}),
	}, options...)...)
}

func TestUpgrade(t *testing.T) {
	recorded := map[int]string{
		1: `{"Gold":7}`,
		2: `{"Coins":7,"Name":"unnamed"}`,
		3: `{"Purse":{"Coins":7},"Name":"unnamed"}`,
	}
	typ := heroType()
	for version, data := range recorded {
		var h heroV3
		upgraded, err := typ.decode(version, []byte(data), unsafe.Pointer(&h))
		if err != nil || h.Purse.Coins != 7 || h.Name != "unnamed" || upgraded != (version < 3) {
			t.Errorf("version %d: got %+v, %t, %v", version, h, upgraded, err)
		}
	}
	var h heroV3
	if _, err := typ.decode(4, []byte(`{"Future":1}`), unsafe.Pointer(&h)); !errors.Is(err, ErrNewer) {
		t.Errorf("a newer version: got %v, want ErrNewer", err)
	}
	if _, err := typ.decode(1, []byte(`{"Gold":"x"}`), unsafe.Pointer(&h)); !errors.Is(err, ErrUpgrade) {
		t.Errorf("a broken old document: got %v, want ErrUpgrade", err)
	}
	gap := Document[heroV3]("hero", Version(3), Upgrade(2, func(b []byte) ([]byte, error) { return b, nil }))
	if _, err := gap.decode(1, []byte(`{}`), unsafe.Pointer(&h)); !errors.Is(err, ErrUpgrade) {
		t.Errorf("a missing upgrade: got %v, want ErrUpgrade", err)
	}
}
