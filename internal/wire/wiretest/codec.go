// SPDX-License-Identifier: MIT

package wiretest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/troupe-go/troupe/internal/wire"
)

// Codec is the generated pair of functions for T, and what it is compared with.
type Codec[T any] struct {
	append  func(b []byte, v *T) []byte
	parse   func(b []byte, v *T) error
	Dynamic protoreflect.MessageDescriptor
	Reflect *wire.Codec // the reflective codec of T
	perByte uint64      // most bytes that parse may allocate for one of input
}

// New returns the codec of T that appendTo and parse are.
func New[T any](t testing.TB, appendTo func([]byte, *T) []byte, parse func([]byte, *T) error) Codec[T] {
	t.Helper()
	var cache wire.Cache
	reflected, err := cache.For(reflect.TypeFor[T]())
	require.NoError(t, err)
	descriptor, err := Descriptor(reflect.TypeFor[T]())
	require.NoError(t, err)
	return Codec[T]{
		append: appendTo, parse: parse, Reflect: reflected, Dynamic: descriptor,
		// A map makes room for 8 entries at the first.
		perByte: 16 * uint64(largest(reflect.TypeFor[T](), map[reflect.Type]bool{})),
	}
}

// Same compares without printing kilobytes.
func Same(t testing.TB, want, got []byte, what string) {
	t.Helper()
	if bytes.Equal(want, got) {
		return
	}
	at := 0
	for at < min(len(want), len(got)) && want[at] == got[at] {
		at++
	}
	window := func(b []byte) []byte { return b[max(0, min(at, len(b))-8):min(len(b), at+24)] }
	t.Fatalf("%s: lengths %d and %d, different at byte %d: got % x, want % x", what, len(got), len(want), at, window(got), window(want))
}

// Encode returns the encoding of v, on which all paths must agree.
func (c Codec[T]) Encode(t testing.TB, v *T) []byte {
	t.Helper()
	b := c.append(nil, v)
	Same(t, c.Reflect.Append(nil, reflect.ValueOf(v).Elem()), b, "generated and reflective bytes")
	return b
}

// roundTrip decodes b, an encoding, by every path and compares what each makes
// of it.
func (c Codec[T]) roundTrip(t testing.TB, b []byte) {
	t.Helper()
	var generated, reflected T
	require.NoError(t, c.parse(b, &generated))
	require.NoError(t, c.Reflect.Parse(b, reflect.ValueOf(&reflected).Elem()))
	Same(t, b, c.Encode(t, &generated), "after the generated decoder")
	Same(t, b, c.Encode(t, &reflected), "after the reflective decoder")

	message := dynamicpb.NewMessage(c.Dynamic)
	require.NoError(t, proto.Unmarshal(b, message))
	require.Empty(t, message.GetUnknown())
	again, err := proto.MarshalOptions{Deterministic: true}.Marshal(message)
	require.NoError(t, err)
	if strings.Contains(fmt.Sprint(message), "nan") {
		return // it changes some NaNs on the way
	}
	Same(t, b, again, "after google.golang.org/protobuf")
}

// Test compares the paths for random values.
func (c Codec[T]) Test(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	c.roundTrip(t, c.Encode(t, new(T)))
	for range 300 {
		v := new(T)
		Fill(r, reflect.ValueOf(v).Elem())
		c.roundTrip(t, c.Encode(t, v))
	}
}

// Check feeds arbitrary bytes to both decoders: they agree on what is valid and
// on its meaning, and what they write protobuf reads.
func (c Codec[T]) Check(t testing.TB, b []byte) {
	before := bytes.Clone(b)
	var generated, reflected T
	err := c.parseBounded(t, b, &generated)
	errReflect := c.Reflect.Parse(b, reflect.ValueOf(&reflected).Elem())
	Same(t, before, b, "the input after parsing")
	if err != nil {
		require.EqualError(t, errReflect, err.Error())
		return
	}
	require.NoError(t, errReflect)
	meaning := c.Encode(t, &generated)
	Same(t, c.Encode(t, &reflected), meaning, "meaning of the input")
	require.NoError(t, proto.Unmarshal(b, dynamicpb.NewMessage(c.Dynamic)))
	clear(b)
	Same(t, meaning, c.Encode(t, &generated), "meaning without the input") // nothing refers to it
	c.roundTrip(t, meaning)
}

// parseBounded is parse, which may allocate a multiple of its input and no more:
// for each byte a few of the largest values that T is made of.
func (c Codec[T]) parseBounded(t testing.TB, b []byte, v *T) error {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := c.parse(b, v)
	runtime.ReadMemStats(&after)
	got, limit := after.TotalAlloc-before.TotalAlloc, uint64(len(b))*c.perByte+slack
	if got > limit {
		t.Fatalf("%d bytes of input made the decoder allocate %d bytes, more than %d", len(b), got, limit)
	}
	return err
}

// slack is what the rest of the process may allocate meanwhile.
const slack = 256 << 10

// largest returns the size of the largest type that t is made of.
func largest(t reflect.Type, seen map[reflect.Type]bool) uintptr {
	if seen[t] {
		return 0
	}
	seen[t] = true
	size := t.Size()
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array:
		size = max(size, largest(t.Elem(), seen))
	case reflect.Map:
		size = max(size, largest(t.Key(), seen)+largest(t.Elem(), seen))
	case reflect.Struct:
		for i := range t.NumField() {
			size = max(size, largest(t.Field(i).Type, seen))
		}
	}
	return size
}

// Seeds returns encodings of random values, short ones only: long ones slow
// the fuzzer down.
func (c Codec[T]) Seeds(r *rand.Rand, count, limit int) (seeds [][]byte) {
	for len(seeds) < count {
		v := new(T)
		Fill(r, reflect.ValueOf(v).Elem())
		if b := c.append(nil, v); len(b) <= limit {
			seeds = append(seeds, b)
		}
	}
	return seeds
}

// Mutate changes some bytes of encodings: what a fuzzer does, in each test run.
func (c Codec[T]) Mutate(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, seed := range c.Seeds(r, 50, 1<<20) {
		for range 40 {
			b := bytes.Clone(seed)
			for range 1 + r.IntN(3) {
				switch at := r.IntN(len(b) + 1); {
				case at == len(b):
					b = append(b, byte(r.Uint32()))
				case r.IntN(4) == 0:
					b = b[:at]
				default:
					b[at] = byte(r.Uint32())
				}
			}
			c.Check(t, b)
		}
	}
}

// Fuzz makes the decoder's fuzz target: it never panics, never allocates more
// than a multiple of its input, and agrees with the other paths.
func (c Codec[T]) Fuzz(f *testing.F) {
	for _, seed := range c.Seeds(rand.New(rand.NewPCG(3, 4)), 8, 1000) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) { c.Check(t, b) })
}

// Decoder is a codec whose type does not matter.
type Decoder interface {
	Check(t testing.TB, b []byte)
	Seeds(r *rand.Rand, count, limit int) [][]byte
}

// FuzzAll is Fuzz for all decoders of a package: the first byte of the input
// chooses one.
func FuzzAll(f *testing.F, decoders ...Decoder) {
	for i, d := range decoders {
		for _, seed := range d.Seeds(rand.New(rand.NewPCG(3, 4)), 2, 1000) {
			f.Add(append([]byte{byte(i)}, seed...))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 0 {
			decoders[int(b[0])%len(decoders)].Check(t, b[1:])
		}
	})
}
