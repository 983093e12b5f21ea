// SPDX-License-Identifier: MIT

package wire

import (
	"reflect"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// message is how one struct type is encoded.
type message struct {
	name   string // of the type, without a dot
	typ    reflect.Type
	fields []field // in order of their numbers
	dense  []int16 // field number -> index in fields + 1, for small numbers
	sparse map[uint64]int
	arrays int // fields of shape array
}

// maxDense bounds message.dense.
const maxDense = 256

// find returns the field with that number, or nil.
func (m *message) find(num uint64) *field {
	if num < uint64(len(m.dense)) {
		if i := m.dense[num]; i > 0 {
			return &m.fields[i-1]
		}
		return nil
	}
	if i, ok := m.sparse[num]; ok {
		return &m.fields[i]
	}
	return nil
}

// shape is how often a field's value occurs.
type shape uint8

const (
	single   shape = iota
	optional       // a pointer to something that is not a struct
	list           // a slice
	array          // an array, except of bytes
	mapping        // a map
)

// field is how one struct field is encoded.
type field struct {
	name  string
	index int // of the struct field
	num   protowire.Number
	tag   uint64 // number and wire type of one element
	shape shape
	slot  int // of an array: which counter of its message
	elem  value
	key   *value // of a map
}

// packedTag is the tag of a list of numbers; equal to f.tag for others.
func (f *field) packedTag() uint64 {
	return protowire.EncodeTag(f.num, protowire.BytesType)
}

// kind is how one value is encoded.
type kind uint8

const (
	kindBool kind = iota
	kindInt       // plain varint, sign-extended to 64 bits
	kindUint
	kindZigZag
	kindFixedInt  // 4 or 8 bytes
	kindFixedUint // 4 or 8 bytes
	kindFloat
	kindString
	kindBytes
	kindByteArray
	kindTime
	kindDuration
	kindStruct
	kindPointer // to a struct
	kindProto   // a pointer type that is a proto.Message
)

// value is how one value is encoded, without a field number.
type value struct {
	kind kind
	bits int // of a number's Go type
	typ  reflect.Type
	plan *message // of kindStruct and kindPointer
}

// numeric reports whether lists of the value are packed.
func (v *value) numeric() bool { return v.kind <= kindFloat }

func (v *value) wireType() protowire.Type {
	switch v.kind {
	case kindBool, kindInt, kindUint, kindZigZag:
		return protowire.VarintType
	case kindFixedInt, kindFixedUint, kindFloat:
		if v.bits == 64 {
			return protowire.Fixed64Type
		}
		return protowire.Fixed32Type
	}
	return protowire.BytesType
}

var (
	timeType     = reflect.TypeFor[time.Time]()
	durationType = reflect.TypeFor[time.Duration]()
	byteType     = reflect.TypeFor[byte]()
)

// isMessageStruct reports whether t is a struct that is a message by its
// fields.
func isMessageStruct(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t != timeType
}

func typeName(t reflect.Type) string {
	if name := t.Name(); name != "" {
		return name
	}
	return t.String()
}
