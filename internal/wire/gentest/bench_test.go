// SPDX-License-Identifier: MIT

package gentest

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/troupe-go/troupe/internal/wire"
	"github.com/troupe-go/troupe/internal/wire/gentest/castpb"

	"github.com/troupe-go/troupe/internal/wire/wiretest"
)

// castArgs is a typical game call: int64, string, small struct, slice of 8
// structs.
func castArgs() gameCastArgs {
	a := gameCastArgs{Target: 7_112_345_678_901, Spell: "chain of lightning", At: Position{X: 12.5, Y: -3.25, Z: 100}}
	for i := range 8 {
		a.Hits = append(a.Hits, Stats{ID: 7_112_345_678_000 + int64(i), Level: int32(10 + i), Count: int32(i * 1000), Bound: i%2 == 0})
	}
	return a
}

func castMessage() *castpb.Cast {
	a := castArgs()
	m := &castpb.Cast{Target: a.Target, Spell: a.Spell, At: &castpb.Position{X: a.At.X, Y: a.At.Y, Z: a.At.Z}}
	for _, h := range a.Hits {
		m.Hits = append(m.Hits, &castpb.Stats{Id: h.ID, Level: h.Level, Count: h.Count, Bound: h.Bound})
	}
	return m
}

// TestSameBytesAsGeneratedProtobuf also makes sure that the benchmarks compare
// the same work.
func TestSameBytesAsGeneratedProtobuf(t *testing.T) {
	a := castArgs()
	want, err := proto.Marshal(castMessage())
	require.NoError(t, err)
	wiretest.Same(t, want, gameCastAppendArgs(nil, &a), "encoding")
	var back gameCastArgs
	require.NoError(t, gameCastParseArgs(want, &back))
	require.Equal(t, a, back)
}

// TestEncodingIntoReusedBufferAllocatesNothing is the bound of the issue, and
// one better.
func TestEncodingIntoReusedBufferAllocatesNothing(t *testing.T) {
	a := castArgs()
	b := make([]byte, 0, 512)
	require.Zero(t, testing.AllocsPerRun(100, func() { b = gameCastAppendArgs(b[:0], &a) }))
}

func BenchmarkEncode(b *testing.B) {
	a, m := castArgs(), castMessage()
	size := int64(len(gameCastAppendArgs(nil, &a)))
	b.Run("generated", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(size)
		var buf []byte
		for b.Loop() {
			buf = gameCastAppendArgs(buf[:0], &a)
		}
	})
	b.Run("reflective", func(b *testing.B) {
		b.ReportAllocs()
		codec := wiretest.New(b, gameCastAppendArgs, gameCastParseArgs).Reflect
		v := reflect.ValueOf(&a).Elem()
		var buf []byte
		for b.Loop() {
			buf = codec.Append(buf[:0], v)
		}
	})
	b.Run("protobuf", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(size)
		var buf []byte
		for b.Loop() {
			buf, _ = proto.MarshalOptions{}.MarshalAppend(buf[:0], m)
		}
	})
	b.Run("json", func(b *testing.B) {
		b.ReportAllocs()
		var buf bytes.Buffer
		enc := json.NewEncoder(&buf)
		for b.Loop() {
			buf.Reset()
			_ = enc.Encode(&a)
		}
	})
	b.Run("gob", func(b *testing.B) { // a stream: types are sent once only
		b.ReportAllocs()
		var buf bytes.Buffer
		enc := gob.NewEncoder(&buf)
		for b.Loop() {
			buf.Reset()
			_ = enc.Encode(&a)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	a := castArgs()
	data := gameCastAppendArgs(nil, &a)
	b.Run("generated", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var out gameCastArgs
			if err := gameCastParseArgs(data, &out); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("reflective", func(b *testing.B) {
		b.ReportAllocs()
		var cache wire.Cache
		codec, _ := cache.For(reflect.TypeFor[gameCastArgs]())
		for b.Loop() {
			var out gameCastArgs
			if err := codec.Parse(data, reflect.ValueOf(&out).Elem()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("protobuf", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var out castpb.Cast
			if err := proto.Unmarshal(data, &out); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("json", func(b *testing.B) {
		b.ReportAllocs()
		text, _ := json.Marshal(&a)
		for b.Loop() {
			var out gameCastArgs
			if err := json.Unmarshal(text, &out); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("gob", func(b *testing.B) { // a stream: types are read once only
		b.ReportAllocs()
		const batch = 1000
		var stream bytes.Buffer
		enc := gob.NewEncoder(&stream)
		for range batch {
			_ = enc.Encode(&a)
		}
		dec, left := gob.NewDecoder(bytes.NewReader(stream.Bytes())), batch
		for b.Loop() {
			if left == 0 { // 0.1 % of the rounds also read the types
				dec, left = gob.NewDecoder(bytes.NewReader(stream.Bytes())), batch
			}
			left--
			var out gameCastArgs
			if err := dec.Decode(&out); err != nil {
				b.Fatal(err)
			}
		}
	})
}
