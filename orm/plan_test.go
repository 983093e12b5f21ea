// SPDX-License-Identifier: MIT

package orm

import (
	"fmt"
	"math"
	"reflect"
	"testing"
	"time"
	"unsafe"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type itemID int32

type item struct {
	ID    itemID
	Count int64
	Name  string
	Tags  []string
	Cache map[string]int `orm:"-"`
	Power float32
}

type tree struct {
	Value    int
	Children []*tree
}

// everything has every supported shape at least once.
type everything struct {
	Flag   bool
	I8     int8
	U16    uint16
	I32    int32
	hidden func() `orm:"-"`
	U64    uint64
	F32    float32
	F64    float64
	Text   string
	Raw    []byte
	When   time.Time
	Took   time.Duration
	Fixed  [3]int16
	Names  [2]string
	Nested struct {
		A  uint8
		B  string
		In struct{ X, Y float64 }
	}
	Bag      []item
	Items    map[itemID]item
	Counts   map[itemID]int64
	Scores   map[string]float64
	Labels   map[uint64]string
	Small    map[int8]bool
	Deep     map[string]map[string][]int32
	Best     *item
	Missing  *int64
	Pointers []*item
	Matrix   [][]int32
	Moments  []time.Time
	Empty    struct{}
	Tree     *tree
}

func planOf[T any](t testing.TB) *plan {
	t.Helper()
	p, err := compilePlan("doc", reflect.TypeFor[T]())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// sameValue is the reference comparer: what would be stored is the same.
func sameValue(a, b reflect.Value) bool {
	switch a.Kind() {
	case reflect.Float32, reflect.Float64:
		return math.Float64bits(a.Float()) == math.Float64bits(b.Float())
	case reflect.Pointer:
		if a.IsNil() || b.IsNil() {
			return a.IsNil() == b.IsNil()
		}
		return sameValue(a.Elem(), b.Elem())
	case reflect.Slice, reflect.Array:
		if a.Kind() == reflect.Slice && a.IsNil() != b.IsNil() || a.Len() != b.Len() {
			return false
		}
		for i := range a.Len() {
			if !sameValue(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Map:
		if a.IsNil() != b.IsNil() || a.Len() != b.Len() {
			return false
		}
		for _, k := range a.MapKeys() {
			if v := b.MapIndex(k); !v.IsValid() || !sameValue(a.MapIndex(k), v) {
				return false
			}
		}
		return true
	case reflect.Struct:
		if a.Type() == timeType {
			x, y := a.Interface().(time.Time), b.Interface().(time.Time)
			_, ox := x.Zone()
			_, oy := y.Zone()
			return x.Equal(y) && ox == oy
		}
		for i := range a.NumField() {
			if a.Type().Field(i).Tag.Get("orm") != "-" && !sameValue(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	}
	return a.Interface() == b.Interface()
}

// randomize sets v to a random value.
func randomize(t *rapid.T, v reflect.Value, depth int) {
	n := func(max int) int { return rapid.IntRange(0, max).Draw(t, "n") }
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(rapid.Int64().Draw(t, "int") >> (64 - 8*v.Type().Size()))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(rapid.Uint64().Draw(t, "uint") >> (64 - 8*v.Type().Size()))
	case reflect.Float32:
		v.SetFloat(float64(rapid.Float32().Draw(t, "float32")))
	case reflect.Float64:
		v.SetFloat(rapid.OneOf(rapid.Float64(), rapid.Just(math.Copysign(0, -1))).Draw(t, "float64"))
	case reflect.String:
		v.SetString(rapid.SampledFrom([]string{"", "a", "b", "\x00", "\"\\'", "\U0001F409", "é\n\t\u2028"}).Draw(t, "text"))
	case reflect.Pointer:
		v.SetZero()
		if depth < 4 && n(2) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			randomize(t, v.Elem(), depth+1)
		}
	case reflect.Slice:
		v.SetZero()
		if depth < 4 && n(3) > 0 {
			v.Set(reflect.MakeSlice(v.Type(), n(3), 4))
			for i := range v.Len() {
				randomize(t, v.Index(i), depth+1)
			}
		}
	case reflect.Array:
		for i := range v.Len() {
			randomize(t, v.Index(i), depth+1)
		}
	case reflect.Map:
		v.SetZero()
		if n(3) > 0 {
			v.Set(reflect.MakeMap(v.Type()))
			for range n(3) {
				randomEntry(t, v, depth)
			}
		}
	case reflect.Struct:
		if v.Type() == timeType {
			v.Set(reflect.ValueOf(randomTime(t)))
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).Tag.Get("orm") != "-" {
				randomize(t, v.Field(i), depth+1)
			}
		}
	}
}

func randomEntry(t *rapid.T, m reflect.Value, depth int) {
	k, v := reflect.New(m.Type().Key()).Elem(), reflect.New(m.Type().Elem()).Elem()
	randomize(t, k, depth+1)
	randomize(t, v, depth+1)
	m.SetMapIndex(k, v)
}

func randomTime(t *rapid.T) time.Time {
	when := time.Unix(rapid.Int64Range(-1e10, 1e10).Draw(t, "sec"), rapid.Int64Range(0, 1e9-1).Draw(t, "nsec"))
	switch rapid.IntRange(0, 3).Draw(t, "zone") {
	case 0:
		return time.Time{}
	case 1:
		return when.UTC()
	case 2:
		return when.In(time.FixedZone("", 60*rapid.IntRange(-14*60, 14*60).Draw(t, "offset")))
	}
	return when.In(time.FixedZone("XYZ", 3600))
}

// edit changes one random place of v.
func edit(t *rapid.T, v reflect.Value, depth int) {
	whole := func() bool { return rapid.IntRange(0, 4).Draw(t, "whole") == 0 }
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() != timeType && v.NumField() > 0 {
			i := rapid.IntRange(0, v.NumField()-1).Draw(t, "field")
			if v.Type().Field(i).Tag.Get("orm") != "-" {
				edit(t, v.Field(i), depth+1)
			}
			return
		}
	case reflect.Slice, reflect.Array:
		if v.Len() > 0 && !whole() {
			edit(t, v.Index(rapid.IntRange(0, v.Len()-1).Draw(t, "index")), depth+1)
			return
		}
		if v.Kind() == reflect.Slice && !whole() {
			e := reflect.New(v.Type().Elem()).Elem()
			randomize(t, e, depth+1)
			v.Set(reflect.Append(v, e))
			return
		}
	case reflect.Map:
		if v.Len() > 0 && !whole() { // change the value of a key
			e := reflect.New(v.Type().Elem()).Elem()
			k := v.MapKeys()[0]
			e.Set(v.MapIndex(k))
			edit(t, e, depth+1)
			v.SetMapIndex(k, e)
			return
		}
		if !v.IsNil() && !whole() {
			randomEntry(t, v, depth)
			return
		}
	case reflect.Pointer:
		if !v.IsNil() && !whole() {
			edit(t, v.Elem(), depth+1)
			return
		}
	}
	randomize(t, v, depth)
}

// TestCompareAndCopy drives random edits against the reference comparer. The
// deep copy is made by the encoder and decoder, which also tests those.
func TestCompareAndCopy(t *testing.T) {
	p := planOf[everything](t)
	var z zones
	rapid.Check(t, func(rt *rapid.T) {
		live, shadow := new(everything), new(everything)
		var saved everything
		for range rapid.IntRange(1, 6).Draw(rt, "rounds") {
			for range rapid.IntRange(0, 3).Draw(rt, "edits") {
				edit(rt, reflect.ValueOf(live).Elem(), 0)
			}
			same := sameValue(reflect.ValueOf(live).Elem(), reflect.ValueOf(&saved).Elem())
			if got := p.equal(unsafe.Pointer(live), unsafe.Pointer(shadow)); got != same {
				rt.Fatalf("equal: got %t, want %t", got, same)
			}
			data, err := encodeFrom("doc", p, &z, nil, unsafe.Pointer(live))
			if err != nil {
				rt.Fatalf("encode: %v", err)
			}
			p.copy(unsafe.Pointer(shadow), unsafe.Pointer(live))
			if !p.equal(unsafe.Pointer(live), unsafe.Pointer(shadow)) {
				rt.Fatal("not equal after copy")
			}
			saved = everything{}
			if err := decodeInto("doc", p, &z, data, unsafe.Pointer(&saved)); err != nil {
				rt.Fatalf("decode %s: %v", data, err)
			}
			if !sameValue(reflect.ValueOf(live).Elem(), reflect.ValueOf(&saved).Elem()) {
				rt.Fatalf("round trip lost something:\n%s", data)
			}
		}
	})
}

// wide has 200 fields of the usual types.
type wide struct {
	G [10]struct { // 10 x 20 fields
		A, B, C, D, E, F int64
		S, T, U, V       string
		X, Y, Z, W       float64
		P, Q, R, O       int32
		M, N             bool
	}
}

func newWide() *wide {
	w := new(wide)
	for i := range w.G {
		w.G[i].A, w.G[i].X = int64(i), float64(i)/3
		w.G[i].S = fmt.Sprintf("some text %d", i)
	}
	return w
}

// bag is a player's document with nested parts.
type bag struct {
	wide  `orm:"-"`
	Wide  wide
	Items [60]struct {
		ID    int64
		Count int32
		Bound bool
		Name  string
	}
	Loot   []item2
	Skills map[int32]int32
}

type item2 struct {
	ID    int64
	Count int32
	Name  string
}

func newBag() *bag {
	b := &bag{Wide: *newWide(), Skills: make(map[int32]int32)}
	for i := range 60 {
		b.Loot = append(b.Loot, item2{int64(i), 3, "sword"})
	}
	for i := range int32(40) {
		b.Skills[i] = i * i
	}
	return b
}

func benchCompare[T any](b *testing.B, live *T) {
	p := planOf[T](b)
	shadow := new(T)
	p.copy(unsafe.Pointer(shadow), unsafe.Pointer(live))
	b.ReportAllocs()
	for b.Loop() {
		if !p.equal(unsafe.Pointer(live), unsafe.Pointer(shadow)) {
			b.Fatal("changed")
		}
	}
}

func BenchmarkUnchangedWide(b *testing.B) { benchCompare(b, newWide()) }
func BenchmarkUnchangedBag(b *testing.B)  { benchCompare(b, newBag()) }

func benchRefresh[T any](b *testing.B, live *T, change func(i int)) {
	p := planOf[T](b)
	shadow := new(T)
	p.copy(unsafe.Pointer(shadow), unsafe.Pointer(live))
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		change(i)
		if p.equal(unsafe.Pointer(live), unsafe.Pointer(shadow)) {
			b.Fatal("not changed")
		}
		p.copy(unsafe.Pointer(shadow), unsafe.Pointer(live))
	}
}

func BenchmarkChangedWide(b *testing.B) {
	w := newWide()
	benchRefresh(b, w, func(i int) { w.G[9].W = float64(i) })
}

func BenchmarkChangedBag(b *testing.B) {
	v := newBag()
	benchRefresh(b, v, func(i int) { v.Skills[3] = int32(i + 1000) })
}

func BenchmarkEncodeBag(b *testing.B) {
	v := newBag()
	p := planOf[bag](b)
	var z zones
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf, _ = encodeFrom("doc", p, &z, buf[:0], unsafe.Pointer(v))
	}
	b.SetBytes(int64(len(buf)))
}

// TestUnchangedAllocatesNothing keeps the dirty check free of garbage.
func TestUnchangedAllocatesNothing(t *testing.T) {
	live, shadow := newBag(), new(bag)
	p := planOf[bag](t)
	p.copy(unsafe.Pointer(shadow), unsafe.Pointer(live))
	if n := testing.AllocsPerRun(100, func() { p.equal(unsafe.Pointer(live), unsafe.Pointer(shadow)) }); n != 0 {
		t.Errorf("equal: %v allocations, want 0", n)
	}
	if n := testing.AllocsPerRun(100, func() { p.copy(unsafe.Pointer(shadow), unsafe.Pointer(live)) }); n != 0 {
		t.Errorf("copy: %v allocations, want 0", n)
	}
}
