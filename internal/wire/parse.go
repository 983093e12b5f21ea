// SPDX-License-Identifier: MIT

package wire

import (
	"math"
	"reflect"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	prim "github.com/troupe-go/troupe/wire"
)

// parseMessage merges b into v. With bare, v is the only field itself.
func parseMessage(b []byte, m *message, v reflect.Value, bare bool, depth int) error {
	if depth > prim.MaxDepth {
		return prim.ErrDepth
	}
	var filled []int // elements seen of each array
	if m.arrays > 0 {
		filled = make([]int, m.arrays)
	}
	for len(b) > 0 {
		tag, n := prim.Tag(b)
		if n < 0 {
			return prim.Error(n)
		}
		rest := b[n:]
		f := m.find(tag >> 3)
		if f == nil {
			if n = prim.Skip(rest, tag); n < 0 {
				return prim.Error(n)
			}
			b = rest[n:]
			continue
		}
		target := v
		if !bare {
			target = v.Field(f.index)
		}
		n, err := parseField(b, rest, tag, f, target, filled, depth)
		if err != nil {
			if bare {
				return err
			}
			return prim.InField(m.name+"."+f.name, err)
		}
		b = rest[n:]
	}
	return nil
}

// parseField merges one occurrence of f into v and returns its size. The
// buffer whole starts with the tag, b behind it.
func parseField(whole, b []byte, tag uint64, f *field, v reflect.Value, filled []int, depth int) (int, error) {
	if f.elem.numeric() && (f.shape == list || f.shape == array) && tag == f.packedTag() {
		return parsePacked(b, f, v, filled)
	}
	if f.shape == mapping {
		if tag != f.packedTag() {
			return 0, prim.WrongType(tag)
		}
		return parseEntry(b, f, v, depth)
	}
	if tag != f.tag {
		return 0, prim.WrongType(tag)
	}
	switch f.shape {
	case optional:
		if v.IsNil() {
			v.Set(reflect.New(f.elem.typ))
		}
		v = v.Elem()
	case list:
		if v.Len() == v.Cap() && !f.elem.numeric() {
			v.Grow(max(1, prim.CountFields(whole, tag)))
		}
		v = extend(v)
	case array:
		if filled[f.slot] == v.Len() {
			return 0, prim.ErrLength
		}
		v = v.Index(filled[f.slot])
		filled[f.slot]++
	}
	return parseElement(b, &f.elem, v, depth)
}

// extend adds a zero element to the slice v and returns it.
func extend(v reflect.Value) reflect.Value {
	n := v.Len()
	if n == v.Cap() {
		v.Grow(1)
	}
	v.SetLen(n + 1)
	return v.Index(n)
}

func parsePacked(b []byte, f *field, v reflect.Value, filled []int) (int, error) {
	packed, size := prim.Bytes(b)
	if size < 0 {
		return 0, prim.Error(size)
	}
	if f.shape == list {
		count := len(packed) * 8 / max(f.elem.bits, 8)
		if f.elem.wireType() == protowire.VarintType {
			count = prim.CountVarints(packed)
		}
		v.Grow(count)
	}
	for len(packed) > 0 {
		var elem reflect.Value
		if f.shape == list {
			elem = extend(v)
		} else {
			if filled[f.slot] == v.Len() {
				return 0, prim.ErrLength
			}
			elem = v.Index(filled[f.slot])
			filled[f.slot]++
		}
		n, err := parseNumber(packed, &f.elem, elem)
		if err != nil {
			return 0, err
		}
		packed = packed[n:]
	}
	return size, nil
}

// parseElement merges one value into v and returns its size.
func parseElement(b []byte, e *value, v reflect.Value, depth int) (int, error) {
	if e.numeric() {
		return parseNumber(b, e, v)
	}
	if e.kind == kindString {
		s, n := prim.String(b)
		if n < 0 {
			return 0, prim.Error(n)
		}
		v.SetString(s)
		return n, nil
	}
	content, n := prim.Bytes(b)
	if n < 0 {
		return 0, prim.Error(n)
	}
	switch e.kind {
	case kindBytes:
		v.SetBytes(append([]byte(nil), content...))
	case kindByteArray:
		if len(content) != v.Len() {
			return 0, prim.ErrLength
		}
		reflect.Copy(v, reflect.ValueOf(content))
	case kindTime:
		t, err := prim.Time(content, v.Interface().(time.Time))
		if err != nil {
			return 0, err
		}
		v.Set(reflect.ValueOf(t))
	case kindDuration:
		d, err := prim.Duration(content, time.Duration(v.Int()))
		if err != nil {
			return 0, err
		}
		v.SetInt(int64(d))
	case kindStruct:
		return n, parseMessage(content, e.plan, v, false, depth+1)
	case kindPointer:
		if v.IsNil() {
			v.Set(reflect.New(e.typ.Elem()))
		}
		return n, parseMessage(content, e.plan, v.Elem(), false, depth+1)
	case kindProto:
		if v.IsNil() {
			v.Set(reflect.New(e.typ.Elem()))
		}
		return n, prim.Message(content, v.Interface().(proto.Message), depth)
	}
	return n, nil
}

func parseNumber(b []byte, e *value, v reflect.Value) (int, error) {
	var raw uint64
	var n int
	switch e.wireType() {
	case protowire.VarintType:
		raw, n = prim.Varint(b)
	case protowire.Fixed64Type:
		raw, n = prim.Fixed64(b)
	default:
		var short uint32
		short, n = prim.Fixed32(b)
		raw = uint64(short)
	}
	if n < 0 {
		return 0, prim.Error(n)
	}
	return n, setNumber(raw, e, v)
}

func setNumber(raw uint64, e *value, v reflect.Value) error {
	signed := int64(raw)
	switch e.kind {
	case kindBool:
		v.SetBool(raw != 0)
		return nil
	case kindFloat:
		setFloat(raw, e.bits, v)
		return nil
	case kindUint, kindFixedUint:
		if v.OverflowUint(raw) {
			return prim.ErrRange
		}
		v.SetUint(raw)
		return nil
	case kindZigZag:
		signed = prim.ZigZag(raw)
	case kindFixedInt:
		if e.bits == 32 {
			signed = int64(int32(raw))
		}
	}
	if v.OverflowInt(signed) {
		return prim.ErrRange
	}
	v.SetInt(signed)
	return nil
}

func setFloat(raw uint64, bits int, v reflect.Value) {
	if bits == 64 {
		v.SetFloat(math.Float64frombits(raw))
		return
	}
	f := math.Float32frombits(uint32(raw))
	if f != f { // see float32Of
		v.Set(reflect.ValueOf(f).Convert(v.Type()))
		return
	}
	v.SetFloat(float64(f))
}

// parseEntry reads one entry of a map. A later entry with the same key wins.
func parseEntry(b []byte, f *field, v reflect.Value, depth int) (int, error) {
	entry, size := prim.Bytes(b)
	if size < 0 {
		return 0, prim.Error(size)
	}
	if depth >= prim.MaxDepth {
		return 0, prim.ErrDepth
	}
	key := reflect.New(f.key.typ).Elem()
	elem := reflect.New(f.elem.typ).Elem()
	if k := f.elem.kind; k == kindPointer || k == kindProto {
		elem.Set(reflect.New(f.elem.typ.Elem()))
	}
	for len(entry) > 0 {
		tag, n := prim.Tag(entry)
		if n < 0 {
			return 0, prim.Error(n)
		}
		entry = entry[n:]
		var err error
		switch {
		case tag == protowire.EncodeTag(1, f.key.wireType()):
			n, err = parseElement(entry, f.key, key, depth+1)
		case tag == protowire.EncodeTag(2, f.elem.wireType()):
			n, err = parseElement(entry, &f.elem, elem, depth+1)
		case tag>>3 <= 2:
			err = prim.WrongType(tag)
		default:
			if n = prim.Skip(entry, tag); n < 0 {
				err = prim.Error(n)
			}
		}
		if err != nil {
			return 0, err
		}
		entry = entry[n:]
	}
	if v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
	v.SetMapIndex(key, elem)
	return size, nil
}
