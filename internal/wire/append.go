// SPDX-License-Identifier: MIT

package wire

import (
	"cmp"
	"math"
	"reflect"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	prim "github.com/troupe-go/troupe/wire"
)

func appendMessage(b []byte, m *message, v reflect.Value, depth int) []byte {
	for i := range m.fields {
		f := &m.fields[i]
		b = appendField(b, f, v.Field(f.index), depth)
	}
	return b
}

// appendField appends f with its tag, or nothing if v is absent.
func appendField(b []byte, f *field, v reflect.Value, depth int) []byte {
	switch f.shape {
	case single:
		return appendSingle(b, f, v, depth)
	case optional:
		if v.IsNil() {
			return b
		}
		return appendElement(b, f, v.Elem(), depth)
	case mapping:
		return appendMap(b, f, v, depth)
	case array:
		if f.elem.numeric() && zeroArray(&f.elem, v) {
			return b
		}
	}
	n := v.Len()
	if n == 0 {
		return b
	}
	if !f.elem.numeric() {
		for i := range n {
			b = appendElement(b, f, v.Index(i), depth)
		}
		return b
	}
	b = prim.AppendVarint(b, f.packedTag())
	start := len(b)
	b = append(b, 0)
	for i := range n {
		b = appendNumber(b, &f.elem, v.Index(i))
	}
	return prim.Close(b, start)
}

// zeroFloat reports whether v is +0: the only absent float, as in protobuf.
func zeroFloat(v reflect.Value) bool { return math.Float64bits(v.Float()) == 0 }

func zeroArray(e *value, v reflect.Value) bool {
	if e.kind != kindFloat {
		return v.IsZero()
	}
	for i := range v.Len() {
		if !zeroFloat(v.Index(i)) {
			return false
		}
	}
	return true
}

// appendSingle appends a value that is absent when it is zero. A struct is
// absent when nothing in it is present.
func appendSingle(b []byte, f *field, v reflect.Value, depth int) []byte {
	switch f.elem.kind {
	case kindStruct:
		before := len(b)
		b = prim.AppendVarint(b, f.tag)
		body := len(b)
		b = appendStruct(b, before, f, v, depth)
		if len(b) == body+1 && b[body] == 0 {
			return b[:before]
		}
		return b
	case kindBytes:
		if v.Len() == 0 {
			return b
		}
	case kindTime:
		if v.Interface().(time.Time).IsZero() {
			return b
		}
	case kindFloat:
		if zeroFloat(v) {
			return b
		}
	default:
		if v.IsZero() {
			return b
		}
	}
	return appendElement(b, f, v, depth)
}

// appendStruct appends the length and content of a struct behind its tag,
// which starts at before. Beyond MaxDepth the field becomes a refused one.
func appendStruct(b []byte, before int, f *field, v reflect.Value, depth int) []byte {
	if depth >= prim.MaxDepth {
		return prim.AppendRefused(b[:before], int32(f.num))
	}
	start := len(b)
	b = append(b, 0)
	b = appendMessage(b, f.elem.plan, v, depth+1)
	return prim.Close(b, start)
}

// appendElement appends one present value with its tag.
func appendElement(b []byte, f *field, v reflect.Value, depth int) []byte {
	before := len(b)
	if f.elem.kind == kindProto {
		return prim.AppendMessage(b, int32(f.num), v.Interface().(proto.Message))
	}
	b = prim.AppendVarint(b, f.tag)
	switch f.elem.kind {
	case kindString:
		return prim.AppendString(b, v.String())
	case kindBytes:
		return prim.AppendBytes(b, v.Bytes())
	case kindByteArray:
		n := v.Len()
		b = prim.AppendVarint(b, uint64(n))
		for i := range n {
			b = append(b, byte(v.Index(i).Uint()))
		}
		return b
	case kindTime:
		return prim.AppendTime(b, v.Interface().(time.Time))
	case kindDuration:
		return prim.AppendDuration(b, time.Duration(v.Int()))
	case kindStruct:
		return appendStruct(b, before, f, v, depth)
	case kindPointer:
		if v.IsNil() { // in a list or map: an empty message
			return append(b, 0)
		}
		return appendStruct(b, before, f, v.Elem(), depth)
	}
	return appendNumber(b, &f.elem, v)
}

func appendNumber(b []byte, e *value, v reflect.Value) []byte {
	switch e.kind {
	case kindBool:
		return prim.AppendBool(b, v.Bool())
	case kindInt:
		return prim.AppendVarint(b, uint64(v.Int()))
	case kindUint:
		return prim.AppendVarint(b, v.Uint())
	case kindZigZag:
		return prim.AppendZigZag(b, v.Int())
	case kindFixedInt:
		return appendFixed(b, e.bits, uint64(v.Int()))
	case kindFixedUint:
		return appendFixed(b, e.bits, v.Uint())
	}
	if e.bits == 64 {
		return prim.AppendFloat64(b, v.Float())
	}
	return prim.AppendFloat32(b, float32Of(v))
}

// float32Of returns v bit by bit: going through float64 would change NaNs.
func float32Of(v reflect.Value) float32 {
	f := v.Float()
	if math.IsNaN(f) {
		return v.Convert(reflect.TypeFor[float32]()).Interface().(float32)
	}
	return float32(f)
}

func appendFixed(b []byte, bits int, v uint64) []byte {
	if bits == 32 {
		return prim.AppendFixed32(b, uint32(v))
	}
	return prim.AppendFixed64(b, v)
}

// appendMap appends one entry per key, in order of the keys, each with both of
// its fields.
func appendMap(b []byte, f *field, v reflect.Value, depth int) []byte {
	if v.Len() == 0 {
		return b
	}
	if depth >= prim.MaxDepth {
		return prim.AppendRefused(b, int32(f.num))
	}
	keys := v.MapKeys()
	slices.SortFunc(keys, compareKeys)
	keyField := field{num: 1, tag: protowire.EncodeTag(1, f.key.wireType()), elem: *f.key}
	valueField := field{num: 2, tag: protowire.EncodeTag(2, f.elem.wireType()), elem: f.elem}
	for _, key := range keys {
		b = prim.AppendVarint(b, f.packedTag())
		start := len(b)
		b = append(b, 0)
		b = appendElement(b, &keyField, key, depth)
		b = appendElement(b, &valueField, v.MapIndex(key), depth+1)
		b = prim.Close(b, start)
	}
	return b
}

func compareKeys(a, b reflect.Value) int {
	switch {
	case a.Kind() == reflect.String:
		return cmp.Compare(a.String(), b.String())
	case a.Kind() == reflect.Bool:
		if a.Bool() == b.Bool() {
			return 0
		} else if b.Bool() {
			return -1
		}
		return 1
	case a.CanInt():
		return cmp.Compare(a.Int(), b.Int())
	}
	return cmp.Compare(a.Uint(), b.Uint())
}
