// SPDX-License-Identifier: MIT

package model

import "fmt"

// ProtoType returns the proto3 type of v; message names a struct or proto
// message.
func (v *Value) ProtoType(message func(*Value) string) string {
	wide := v.Bits == 64
	pick := func(narrow, wider string) string {
		if wide {
			return wider
		}
		return narrow
	}
	switch v.Kind {
	case Bool:
		return "bool"
	case Int:
		return pick("int32", "int64")
	case Uint:
		return pick("uint32", "uint64")
	case ZigZag:
		return pick("sint32", "sint64")
	case FixedInt:
		return pick("sfixed32", "sfixed64")
	case FixedUint:
		return pick("fixed32", "fixed64")
	case Float:
		return pick("float", "double")
	case String:
		return "string"
	case Bytes, ByteArray:
		return "bytes"
	case Time:
		return "google.protobuf.Timestamp"
	case Duration:
		return "google.protobuf.Duration"
	}
	return message(v)
}

// ProtoType returns the proto3 type of f with its label.
func (f *Field) ProtoType(message func(*Value) string) string {
	elem := f.Elem.ProtoType(message)
	switch f.Shape {
	case Optional:
		return "optional " + elem
	case List, Array:
		return "repeated " + elem
	case Mapping:
		return fmt.Sprintf("map<%s, %s>", f.Key.ProtoType(message), elem)
	}
	return elem
}

// LockType is the type of f as the schema lock records it. It tells more than
// the proto type: a change from int32 to int16 narrows what is accepted.
func (f *Field) LockType() string {
	text := f.ProtoType(func(v *Value) string {
		if v.Msg != nil {
			return v.Msg.Key
		}
		return v.Type.String()
	})
	if f.Elem.Numeric() && f.Elem.Bits > 0 && f.Elem.Bits < 32 {
		text += fmt.Sprintf(" (%d bits)", f.Elem.Bits)
	}
	if f.Shape == Array {
		text += fmt.Sprintf(" (array of %d)", f.Len)
	}
	if f.Elem.Kind == ByteArray {
		text += fmt.Sprintf(" (%d bytes)", f.Elem.Len)
	}
	return text
}
