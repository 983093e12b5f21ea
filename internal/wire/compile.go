// SPDX-License-Identifier: MIT

package wire

import (
	"fmt"
	"reflect"
	"sort"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// TypeError says why a type has no encoding.
type TypeError struct {
	// Path names the field, from the outermost type: "Inventory.Items.Price".
	Path string
	// Type is the Go type found there.
	Type reflect.Type
	// Reason says what is wrong with it, and what to do.
	Reason string
}

// Error returns "wire: path (type): reason".
func (e *TypeError) Error() string {
	return fmt.Sprintf("wire: %s (%v): %s", e.Path, e.Type, e.Reason)
}

// maxNesting bounds how deep a type's definition is followed. Types that refer
// to themselves do not count.
const maxNesting = 1000

// compiler turns types into plans. Plans enter pending before their fields are
// known, so that a type may refer to itself through a pointer, slice or map.
type compiler struct {
	done    map[reflect.Type]*message // read-only
	pending map[reflect.Type]*message
}

// bare returns the message whose only field, number 1, is of type t.
func (c *compiler) bare(t reflect.Type) (*message, error) {
	m := &message{typ: t}
	f, err := c.field(t, 1, "", typeName(t))
	if err != nil {
		return nil, err
	}
	if f.shape == array {
		m.arrays = 1
	}
	m.fields = []field{f}
	m.index()
	return m, nil
}

func (c *compiler) message(t reflect.Type, path string) (*message, error) {
	if m, ok := c.done[t]; ok {
		return m, nil
	}
	if m, ok := c.pending[t]; ok {
		return m, nil
	}
	if len(c.pending) > maxNesting {
		return nil, &TypeError{path, t, "too many nested types"}
	}
	m := &message{typ: t, name: strings.ReplaceAll(typeName(t), ".", "_")}
	c.pending[t] = m
	place := 0
	for i := range t.NumField() {
		sf := t.Field(i)
		tag := sf.Tag.Get("troupe")
		if tag == "-" || sf.Name == "_" {
			continue
		}
		place++
		at := path + "." + sf.Name
		if !sf.IsExported() {
			return nil, &TypeError{at, sf.Type, "unexported fields have no encoding; export the field or tag it `troupe:\"-\"`"}
		}
		num, option, err := parseTag(tag, place)
		if err != nil {
			return nil, &TypeError{at, sf.Type, err.Error()}
		}
		f, err := c.field(sf.Type, num, option, at)
		if err != nil {
			return nil, err
		}
		f.name, f.index = sf.Name, i
		if f.shape == array {
			f.slot = m.arrays
			m.arrays++
		}
		m.fields = append(m.fields, f)
	}
	sort.SliceStable(m.fields, func(i, j int) bool { return m.fields[i].num < m.fields[j].num })
	for i := 1; i < len(m.fields); i++ {
		if a, b := &m.fields[i-1], &m.fields[i]; a.num == b.num {
			return nil, &TypeError{path, t, fmt.Sprintf("fields %s and %s have the same number %d", a.name, b.name, a.num)}
		}
	}
	m.index()
	return m, nil
}

// index fills the tables behind find.
func (m *message) index() {
	for i := range m.fields {
		num := int(m.fields[i].num)
		if num >= maxDense {
			if m.sparse == nil {
				m.sparse = make(map[uint64]int)
			}
			m.sparse[uint64(num)] = i
			continue
		}
		for len(m.dense) <= num {
			m.dense = append(m.dense, 0)
		}
		m.dense[num] = int16(i + 1)
	}
}

// parseTag reads `troupe:"3,fixed"`. A missing number is the field's place.
func parseTag(tag string, place int) (num protowire.Number, option string, err error) {
	text, option, _ := strings.Cut(tag, ",")
	n := place
	if text != "" {
		if n, err = strconv.Atoi(text); err != nil {
			return 0, "", fmt.Errorf("tag %q does not start with a field number", tag)
		}
	}
	num = protowire.Number(n)
	reserved := num >= protowire.FirstReservedNumber && num <= protowire.LastReservedNumber
	if n > int(protowire.MaxValidNumber) || !num.IsValid() || reserved {
		return 0, "", fmt.Errorf("field number %d is not between 1 and %d, or reserved by protobuf", n, protowire.MaxValidNumber)
	}
	switch option {
	case "", "fixed", "zigzag":
		return num, option, nil
	}
	return 0, "", fmt.Errorf("unknown option %q in tag; known are fixed and zigzag", option)
}

func (c *compiler) field(t reflect.Type, num protowire.Number, option, path string) (field, error) {
	f := field{num: num}
	elem, err := t, error(nil)
	switch {
	case isProto(t):
	case t.Kind() == reflect.Pointer && !isMessageStruct(t.Elem()):
		f.shape, elem = optional, t.Elem()
	case t.Kind() == reflect.Slice && t.Elem() != byteType:
		f.shape, elem = list, t.Elem()
	case t.Kind() == reflect.Array && t.Elem() != byteType:
		f.shape, elem = array, t.Elem()
	case t.Kind() == reflect.Map:
		f.shape, elem = mapping, t.Elem()
		key, err := c.value(t.Key(), "", path+"[key]")
		if err != nil {
			return f, err
		}
		if key.kind > kindString || key.kind == kindFloat {
			return f, &TypeError{path, t, "map keys are integers, bool or strings"}
		}
		f.key = &key
	}
	if f.elem, err = c.value(elem, option, path); err != nil {
		return f, err
	}
	if k := f.elem.kind; f.shape == optional && (k == kindBytes || k == kindPointer || k == kindProto) {
		return f, &TypeError{path, t, "pointers to slices or pointers have no encoding"}
	}
	f.tag = protowire.EncodeTag(num, f.elem.wireType())
	return f, nil
}

func isProto(t reflect.Type) bool {
	return t.Kind() == reflect.Pointer && t.Implements(reflect.TypeFor[proto.Message]())
}

// value compiles a type that is neither a list nor a map.
func (c *compiler) value(t reflect.Type, option, path string) (v value, err error) {
	v = value{typ: t}
	fail := func(reason string) (value, error) { return v, &TypeError{path, t, reason} }
	switch {
	case t == timeType:
		v.kind = kindTime
	case t == durationType:
		v.kind = kindDuration
	case isProto(t):
		v.kind = kindProto
	default:
		switch t.Kind() {
		case reflect.Bool:
			v.kind = kindBool
		case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
			v.bits, v.kind = intBits(t), kindInt
		case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
			v.bits, v.kind = intBits(t), kindUint
		case reflect.Float32, reflect.Float64:
			v.bits, v.kind = t.Bits(), kindFloat
		case reflect.String:
			v.kind = kindString
		case reflect.Slice:
			if t.Elem() != byteType {
				return fail("slices inside slices, maps or pointers have no encoding; wrap the inner one in a struct")
			}
			v.kind = kindBytes
		case reflect.Array:
			if t.Elem() != byteType {
				return fail("arrays inside slices, maps or pointers have no encoding; wrap the inner one in a struct")
			}
			v.kind = kindByteArray
		case reflect.Struct:
			if isProto(reflect.PointerTo(t)) {
				return fail("proto messages are passed by pointer")
			}
			v.kind = kindStruct
			v.plan, err = c.message(t, path)
		case reflect.Pointer:
			if !isMessageStruct(t.Elem()) {
				return fail("pointers inside slices, maps or pointers must point to structs")
			}
			v.kind = kindPointer
			v.plan, err = c.message(t.Elem(), path)
		case reflect.Map:
			return fail("maps inside slices, maps or pointers have no encoding; wrap the inner one in a struct")
		case reflect.Interface:
			return fail("interfaces have no encoding; use a struct, or a pointer to a concrete proto message")
		default:
			return fail(t.Kind().String() + " has no encoding")
		}
	}
	if err != nil {
		return v, err
	}
	return v.withOption(option, path)
}

// intBits is the size on the wire: int and uint are 64 bits everywhere.
func intBits(t reflect.Type) int {
	if k := t.Kind(); k == reflect.Int || k == reflect.Uint {
		return 64
	}
	return t.Bits()
}

func (v value) withOption(option, path string) (value, error) {
	switch {
	case option == "":
	case option == "zigzag" && v.kind == kindInt:
		v.kind = kindZigZag
	case option == "fixed" && v.kind == kindInt && v.bits >= 32:
		v.kind = kindFixedInt
	case option == "fixed" && v.kind == kindUint && v.bits >= 32:
		v.kind = kindFixedUint
	default:
		return v, &TypeError{path, v.typ, "option " + option + " does not apply: zigzag is for signed integers, fixed for those of 32 or 64 bits"}
	}
	return v, nil
}
