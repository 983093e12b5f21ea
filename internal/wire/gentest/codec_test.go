// SPDX-License-Identifier: MIT

package gentest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/troupe-go/troupe/internal/wire"
	"github.com/troupe-go/troupe/internal/wire/wiretest"
)

// codec is the generated pair of functions for T, and what it is compared with.
type codec[T any] struct {
	append  func(b []byte, v *T) []byte
	parse   func(b []byte, v *T) error
	dynamic protoreflect.MessageDescriptor
	reflect *wire.Codec
}

func newCodec[T any](t testing.TB, appendTo func([]byte, *T) []byte, parse func([]byte, *T) error) codec[T] {
	t.Helper()
	var cache wire.Cache
	reflected, err := cache.For(reflect.TypeFor[T]())
	require.NoError(t, err)
	descriptor, err := wiretest.Descriptor(reflect.TypeFor[T]())
	require.NoError(t, err)
	return codec[T]{append: appendTo, parse: parse, reflect: reflected, dynamic: descriptor}
}

// same compares without printing kilobytes.
func same(t testing.TB, want, got []byte, what string) {
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

// encode returns the encoding of v, on which all paths must agree.
func (c codec[T]) encode(t testing.TB, v *T) []byte {
	t.Helper()
	b := c.append(nil, v)
	same(t, c.reflect.Append(nil, reflect.ValueOf(v).Elem()), b, "generated and reflective bytes")
	return b
}

// roundTrip decodes b, an encoding, by every path and compares what each makes
// of it.
func (c codec[T]) roundTrip(t testing.TB, b []byte) {
	t.Helper()
	var generated, reflected T
	require.NoError(t, c.parse(b, &generated))
	require.NoError(t, c.reflect.Parse(b, reflect.ValueOf(&reflected).Elem()))
	same(t, b, c.encode(t, &generated), "after the generated decoder")
	same(t, b, c.encode(t, &reflected), "after the reflective decoder")

	message := dynamicpb.NewMessage(c.dynamic)
	require.NoError(t, proto.Unmarshal(b, message))
	require.Empty(t, message.GetUnknown())
	again, err := proto.MarshalOptions{Deterministic: true}.Marshal(message)
	require.NoError(t, err)
	if strings.Contains(fmt.Sprint(message), "nan") {
		return // it changes some NaNs on the way
	}
	same(t, b, again, "after google.golang.org/protobuf")
}

func (c codec[T]) test(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	c.roundTrip(t, c.encode(t, new(T)))
	for range 300 {
		v := new(T)
		wiretest.Fill(r, reflect.ValueOf(v).Elem())
		c.roundTrip(t, c.encode(t, v))
	}
}

func TestAllPathsAgree(t *testing.T) {
	t.Run("Echo", func(t *testing.T) {
		newCodec(t, gameEcho.AppendArgs, gameEcho.ParseArgs).test(t)
		newCodec(t, gameEcho.AppendReply, gameEcho.ParseReply).test(t)
	})
	t.Run("EchoPtr", func(t *testing.T) {
		newCodec(t, gameEchoPtr.AppendArgs, gameEchoPtr.ParseArgs).test(t)
		newCodec(t, gameEchoPtr.AppendReply, gameEchoPtr.ParseReply).test(t)
	})
	t.Run("Cast", func(t *testing.T) {
		newCodec(t, gameCast.AppendArgs, gameCast.ParseArgs).test(t)
		newCodec(t, gameCast.AppendReply, gameCast.ParseReply).test(t)
	})
	t.Run("Say", func(t *testing.T) {
		newCodec(t, gameSay.AppendArgs, gameSay.ParseArgs).test(t)
		newCodec(t, gameSay.AppendReply, gameSay.ParseReply).test(t)
	})
	t.Run("Odd", func(t *testing.T) {
		newCodec(t, gameOdd.AppendArgs, gameOdd.ParseArgs).test(t)
		newCodec(t, gameOdd.AppendReply, gameOdd.ParseReply).test(t)
	})
	t.Run("Trees", func(t *testing.T) { newCodec(t, gameTrees.AppendArgs, gameTrees.ParseArgs).test(t) })
	t.Run("Time", func(t *testing.T) { newCodec(t, worldTime.AppendReply, worldTime.ParseReply).test(t) })
	t.Run("Hash", func(t *testing.T) { newCodec(t, hasherHash.AppendReply, hasherHash.ParseReply).test(t) })
	t.Run("Work", func(t *testing.T) { newCodec(t, workerWork.AppendArgs, workerWork.ParseArgs).test(t) })
	t.Run("Position", func(t *testing.T) {
		newCodec(t, func(b []byte, p *Position) []byte { return p.AppendWire(b) }, func(b []byte, p *Position) error { return p.ParseWire(b) }).test(t)
	})
	t.Run("Join", func(t *testing.T) { newCodec(t, chatJoin.AppendArgs, chatJoin.ParseArgs).test(t) })
}

// check feeds arbitrary bytes to both decoders: they agree on what is valid and
// on its meaning, and what they write protobuf reads.
func (c codec[T]) check(t testing.TB, b []byte) {
	before := bytes.Clone(b)
	var generated, reflected T
	err := c.parse(b, &generated)
	errReflect := c.reflect.Parse(b, reflect.ValueOf(&reflected).Elem())
	same(t, before, b, "the input after parsing")
	if err != nil {
		require.EqualError(t, errReflect, err.Error())
		return
	}
	require.NoError(t, errReflect)
	meaning := c.encode(t, &generated)
	same(t, c.encode(t, &reflected), meaning, "meaning of the input")
	require.NoError(t, proto.Unmarshal(b, dynamicpb.NewMessage(c.dynamic)))
	clear(b)
	same(t, meaning, c.encode(t, &generated), "meaning without the input") // nothing refers to it
	c.roundTrip(t, meaning)
}

// seeds returns encodings of random values, short ones only: long ones slow
// the fuzzer down.
func (c codec[T]) seeds(r *rand.Rand, count, limit int) (seeds [][]byte) {
	for len(seeds) < count {
		v := new(T)
		wiretest.Fill(r, reflect.ValueOf(v).Elem())
		if b := c.append(nil, v); len(b) <= limit {
			seeds = append(seeds, b)
		}
	}
	return seeds
}

// mutate changes some bytes of encodings: what a fuzzer does, in each test run.
func (c codec[T]) mutate(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, seed := range c.seeds(r, 50, 1<<20) {
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
			c.check(t, b)
		}
	}
}

func TestDamagedInput(t *testing.T) {
	t.Run("Echo", func(t *testing.T) { newCodec(t, gameEcho.AppendArgs, gameEcho.ParseArgs).mutate(t) })
	t.Run("Odd", func(t *testing.T) { newCodec(t, gameOdd.AppendArgs, gameOdd.ParseArgs).mutate(t) })
	t.Run("Trees", func(t *testing.T) { newCodec(t, gameTrees.AppendArgs, gameTrees.ParseArgs).mutate(t) })
}

// TestAllocationIsBounded: no input makes a decoder allocate more than the
// elements it describes, with room for the growth of slices and maps.
func TestAllocationIsBounded(t *testing.T) {
	const count = 10000
	inputs := newCodec(t, gameEcho.AppendReply, gameEcho.ParseReply).seeds(rand.New(rand.NewPCG(9, 9)), 100, 1<<20)
	for _, repeated := range [][]byte{{0xda, 3, 0}, {0xe2, 3, 0}, {0xc2, 3, 0}, {0xba, 3, 0}, {0xda, 0x3e, 0}, {0xc2, 3, 0, 0xba, 3, 0}} {
		inputs = append(inputs, protowire.AppendBytes([]byte{0xa}, bytes.Repeat(repeated, count)))
	}
	const perByte = 80 // the largest element, 40 bytes for every 2 of input, with slack for append's growth
	for i, b := range inputs {
		var before, after runtime.MemStats
		out := new(gameEchoReply)
		runtime.ReadMemStats(&before)
		_ = gameEcho.ParseReply(b, out)
		runtime.ReadMemStats(&after)
		require.LessOrEqual(t, after.TotalAlloc-before.TotalAlloc, uint64(len(b)*perByte+16<<10), "input %d of %d bytes", i, len(b))
		runtime.KeepAlive(out)
	}
}

func (c codec[T]) fuzz(f *testing.F) {
	for _, seed := range c.seeds(rand.New(rand.NewPCG(3, 4)), 8, 1000) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) { c.check(t, b) })
}

func FuzzEchoArgs(f *testing.F)  { newCodec(f, gameEcho.AppendArgs, gameEcho.ParseArgs).fuzz(f) }
func FuzzEchoReply(f *testing.F) { newCodec(f, gameEcho.AppendReply, gameEcho.ParseReply).fuzz(f) }
func FuzzEchoPtrArgs(f *testing.F) {
	newCodec(f, gameEchoPtr.AppendArgs, gameEchoPtr.ParseArgs).fuzz(f)
}
func FuzzCastArgs(f *testing.F)  { newCodec(f, gameCast.AppendArgs, gameCast.ParseArgs).fuzz(f) }
func FuzzSayArgs(f *testing.F)   { newCodec(f, gameSay.AppendArgs, gameSay.ParseArgs).fuzz(f) }
func FuzzOddArgs(f *testing.F)   { newCodec(f, gameOdd.AppendArgs, gameOdd.ParseArgs).fuzz(f) }
func FuzzOddReply(f *testing.F)  { newCodec(f, gameOdd.AppendReply, gameOdd.ParseReply).fuzz(f) }
func FuzzTreesArgs(f *testing.F) { newCodec(f, gameTrees.AppendArgs, gameTrees.ParseArgs).fuzz(f) }
func FuzzJoinArgs(f *testing.F)  { newCodec(f, chatJoin.AppendArgs, chatJoin.ParseArgs).fuzz(f) }
