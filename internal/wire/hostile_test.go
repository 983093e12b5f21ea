// SPDX-License-Identifier: MIT

package wire_test

import (
	"bytes"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/troupe-go/troupe/internal/wire"
	"github.com/troupe-go/troupe/internal/wire/wiretest"
	prim "github.com/troupe-go/troupe/wire"
)

// roundTrip encodes v and decodes the bytes into a new value.
func roundTrip[T any](t testing.TB, v T) (T, error) {
	t.Helper()
	codec := codecFor(t, v)
	var out T
	err := codec.Parse(codec.Append(nil, reflect.ValueOf(v)), reflect.ValueOf(&out).Elem())
	return out, err
}

// parseInto decodes b into v.
func parseInto[T any](b []byte, v *T) error {
	var cache wire.Cache
	codec, err := cache.For(reflect.TypeFor[T]())
	if err != nil {
		return err
	}
	return codec.Parse(b, reflect.ValueOf(v).Elem())
}

func TestWhatHasNoEncodingIsRefusedByTheReceiver(t *testing.T) {
	_, err := roundTrip(t, everything{String: "\xff"})
	require.ErrorIs(t, err, prim.ErrUTF8)
	require.ErrorContains(t, err, "everything.String")
	_, err = roundTrip(t, everything{MapStringInt: map[string]int64{"\xff": 1}})
	require.ErrorIs(t, err, prim.ErrUTF8)

	cyclic := &tree{Value: 1}
	cyclic.Left = cyclic
	_, err = roundTrip(t, everything{Tree: *cyclic})
	require.ErrorIs(t, err, prim.ErrRefused)
	cyclic = &tree{}
	cyclic.Named = map[string]*tree{"self": cyclic}
	_, err = roundTrip(t, everything{Tree: *cyclic})
	require.ErrorIs(t, err, prim.ErrRefused)

	type withProto struct{ M *wrapperspb.StringValue }
	_, err = roundTrip(t, withProto{wrapperspb.String("\xff")})
	require.ErrorIs(t, err, prim.ErrRefused, "a proto message that does not marshal")
	_, err = roundTrip(t, time.Unix(1<<50, 0))
	require.ErrorIs(t, err, prim.ErrRange)
}

func TestDepthLimit(t *testing.T) {
	nest := func(depth int) tree {
		v := tree{Value: 1}
		for range depth - 1 {
			v = tree{Kids: []tree{v}}
		}
		return v
	}
	_, err := roundTrip(t, nest(prim.MaxDepth))
	require.NoError(t, err)
	_, err = roundTrip(t, nest(prim.MaxDepth+1))
	require.ErrorIs(t, err, prim.ErrRefused)

	// Hostile bytes need no encoder: 1 MB of nesting.
	var b []byte
	for len(b) < 1<<20 {
		b = protowire.AppendBytes(protowire.AppendTag(nil, 3, protowire.BytesType), b)
		if len(b) > 4096 {
			b = append(b, b...)
		}
	}
	var out tree
	require.Error(t, parseInto(b, &out))
}

func TestNumbersOutOfRange(t *testing.T) {
	field := func(num protowire.Number, v uint64) []byte {
		return protowire.AppendVarint(protowire.AppendTag(nil, num, protowire.VarintType), v)
	}
	for name, b := range map[string][]byte{
		"int8 128": field(2, 128), "int8 -129": field(2, math.MaxUint64-128), "int16": field(3, 1<<15),
		"int32": field(4, 1<<31), "uint8": field(7, 256), "uint16": field(8, 1<<16), "uint32": field(9, 1<<32),
		"zigzag": field(30, 1<<32), "packed": {0x9a, 0x03, 5, 0x80, 0x80, 0x80, 0x80, 0x10},
		"duration": {0x92, 0x01, 12, 8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x10, 0},
		"time":     {0x8a, 0x01, 10, 8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
	} {
		var out everything
		require.ErrorIs(t, parseInto(b, &out), prim.ErrRange, name)
	}
	var out everything
	require.NoError(t, parseInto(field(2, math.MaxUint64-127), &out))
	require.Equal(t, int8(-128), out.I8)
}

func TestMalformedInput(t *testing.T) {
	for name, c := range map[string]struct {
		b    []byte
		want error
	}{
		"field number 0":      {[]byte{0, 0}, prim.ErrTag},
		"huge field number":   {protowire.AppendVarint(nil, 1<<35), prim.ErrTag},
		"tag only":            {[]byte{8}, prim.ErrTruncated},
		"long varint":         {[]byte{8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2}, prim.ErrVarint},
		"eleven bytes":        {[]byte{8, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 1}, prim.ErrVarint},
		"string over the end": {[]byte{14<<3 | 2, 5, 'a'}, prim.ErrTruncated},
		"huge length":         {[]byte{14<<3 | 2, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1}, prim.ErrTruncated},
		"wrong type":          {[]byte{8 | 5, 0, 0, 0, 0}, prim.ErrType},
		"undefined type":      {[]byte{8 | 7}, prim.ErrType},
		"refused":             {prim.AppendRefused(nil, 1), prim.ErrRefused},
		"short digest":        {protowire.AppendBytes([]byte{0x82, 1}, []byte{1}), prim.ErrLength},
		"long array":          {protowire.AppendBytes([]byte{0xb2, 4}, []byte{1, 1, 1, 1}), prim.ErrLength},
	} {
		var out everything
		require.ErrorIs(t, parseInto(c.b, &out), c.want, name)
	}
	var s []string
	require.ErrorIs(t, parseInto(make([]byte, prim.MaxBytes+1), &s), prim.ErrTooLarge)
}

func TestOldValueIsGone(t *testing.T) {
	out := everything{Int: 1, Strings: []string{"old"}, MapBool: map[bool]inner1{true: {}}}
	require.NoError(t, parseInto([]byte{8, 1}, &out))
	require.Equal(t, everything{Bool: true}, out)
}

func TestUnknownFieldsAreSkipped(t *testing.T) {
	var b []byte
	b = protowire.AppendVarint(protowire.AppendTag(b, 500, protowire.VarintType), 1)
	b = protowire.AppendFixed32(protowire.AppendTag(b, 501, protowire.Fixed32Type), 1)
	b = protowire.AppendFixed64(protowire.AppendTag(b, 502, protowire.Fixed64Type), 1)
	b = protowire.AppendBytes(protowire.AppendTag(b, 503, protowire.BytesType), []byte("x"))
	b = protowire.AppendTag(protowire.AppendTag(b, 504, protowire.StartGroupType), 504, protowire.EndGroupType)
	b = append(b, 8, 1)
	var out everything
	require.NoError(t, parseInto(b, &out))
	require.Equal(t, everything{Bool: true}, out)
}

// TestAllocationIsBounded: no input makes the decoder allocate more than the
// elements it describes, with room for the growth of slices and maps.
func TestAllocationIsBounded(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	codec := codecFor(t, everything{})
	inputs := [][]byte{
		bytes.Repeat([]byte{0xda, 3, 0}, 10000),                     // empty structs
		bytes.Repeat([]byte{0xe2, 3, 0}, 10000),                     // pointers to them
		bytes.Repeat([]byte{0xc2, 3, 0}, 10000),                     // empty blobs
		bytes.Repeat([]byte{0xba, 3, 0}, 10000),                     // empty strings
		bytes.Repeat([]byte{0xda, 0x3e, 0}, 10000),                  // map entries with one key
		append([]byte{0x9a, 3, 0x90, 0x4e}, make([]byte, 10000)...), // packed numbers
	}
	for range 200 {
		v := reflect.New(reflect.TypeFor[everything]()).Elem()
		wiretest.Fill(r, v)
		b := codec.Append(nil, v)
		for range 3 {
			b[r.IntN(len(b))] = byte(r.Uint32())
		}
		inputs = append(inputs, b)
	}
	const perByte = 80 // the largest element, 40 bytes for every 2 of input, with slack for append's growth
	for i, b := range inputs {
		var before, after runtime.MemStats
		out := new(everything)
		runtime.ReadMemStats(&before)
		_ = codec.Parse(b, reflect.ValueOf(out).Elem())
		runtime.ReadMemStats(&after)
		used := int64(after.TotalAlloc - before.TotalAlloc)
		limit := int64(len(b))*perByte + int64(unsafe.Sizeof(*out))*2 + 16<<10
		require.LessOrEqual(t, used, limit, "input %d of %d bytes", i, len(b))
		runtime.KeepAlive(out)
	}
}

func TestTypesWithoutEncoding(t *testing.T) {
	type closed struct{ secret int }
	type twice struct {
		A int `troupe:"2"`
		B int
	}
	type badOption struct {
		A string `troupe:"1,zigzag"`
	}
	type badNumber struct {
		A int `troupe:"19000"`
	}
	type outer struct{ Inner []struct{ Deep chan int } }
	type protoValue struct{ D durationpb.Duration }
	for _, c := range []struct {
		v    any
		want string
	}{
		{closed{}, "closed.secret (int): unexported fields"},
		{twice{}, "fields A and B have the same number 2"},
		{badOption{}, "option zigzag does not apply"},
		{badNumber{}, "reserved by protobuf"},
		{outer{}, "outer.Inner.Deep (chan int): chan has no encoding"},
		{protoValue{}, "proto messages are passed by pointer"},
		{func() {}, "func has no encoding"},
		{[][]int{}, "slices inside slices"},
		{[]map[string]int{}, "maps inside slices"},
		{map[float64]int{}, "map keys"},
		{new(*int), "must point to structs"},
		{[]any{}, "interfaces have no encoding"},
		{complex(1, 1), "complex128 has no encoding"},
		{uintptr(1), "uintptr has no encoding"},
	} {
		var cache wire.Cache
		_, err := cache.For(reflect.TypeOf(c.v))
		var typeError *wire.TypeError
		require.ErrorAs(t, err, &typeError, "%T", c.v)
		require.ErrorContains(t, err, c.want)
	}
}

func TestCacheIsSafeForConcurrentUse(t *testing.T) {
	var cache wire.Cache
	done := make(chan *wire.Codec)
	for range 8 {
		go func() {
			codec, err := cache.For(reflect.TypeFor[everything]())
			if err != nil {
				t.Error(err)
			}
			done <- codec
		}()
	}
	first := <-done
	for range 7 {
		require.Same(t, first, <-done)
	}
}

func TestErrorsNameThePath(t *testing.T) {
	_, err := roundTrip(t, everything{Tree: tree{Kids: []tree{{Named: map[string]*tree{"\xff": nil}}}}})
	require.EqualError(t, err, "everything.Tree.Kids.Named: wire: string is not valid UTF-8")
	require.False(t, strings.Contains(err.Error(), "\xff"))
}
