// SPDX-License-Identifier: MIT

package orm

import (
	"encoding/base64"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
	"unsafe"
)

// maxDepth bounds nesting, so that a cycle of pointers is an error and not a
// stack overflow.
const maxDepth = 1000

// An encoder writes a document as JSON. The output is the same for equal
// documents: fields in the order of the type, map keys sorted. nil and empty
// slices and maps differ (null, [] or {}); integers are exact; floats have the
// shortest form that reads back to the same bits; []byte is base64.
type encoder struct {
	buf   []byte
	depth int
	zones *zones
}

// valueError is why a value cannot be stored, with the path collected on the
// way out.
type valueError struct {
	path    string
	problem string
}

func (v *valueError) Error() string { return v.path + ": " + v.problem }

func refuse(format string, args ...any) *valueError {
	return &valueError{problem: fmt.Sprintf(format, args...)}
}

func (v *valueError) under(prefix string) *valueError {
	v.path = prefix + v.path
	return v
}

// encode appends the value at ptr to e.buf.
func (e *encoder) encode(p *plan, ptr unsafe.Pointer) *valueError {
	switch p.form {
	case formBool:
		e.buf = strconv.AppendBool(e.buf, *(*bool)(ptr))
	case formInt:
		e.buf = strconv.AppendInt(e.buf, p.int(ptr), 10)
	case formUint:
		e.buf = strconv.AppendUint(e.buf, p.bits(ptr), 10)
	case formFloat:
		return e.float(p, ptr)
	case formString:
		return e.text(*(*string)(ptr))
	case formTime:
		return e.time(*(*time.Time)(ptr))
	case formBytes:
		e.bytes((*sliceHeader)(ptr))
	case formStruct:
		return e.structure(p, ptr)
	case formArray:
		return e.elems(p, ptr, p.n)
	case formSlice:
		h := (*sliceHeader)(ptr)
		if h.data == nil {
			e.buf = append(e.buf, "null"...)
			return nil
		}
		return e.elems(p, h.data, h.len)
	case formMap:
		return e.mapping(p, ptr)
	case formPointer:
		return e.pointer(p, *(*unsafe.Pointer)(ptr))
	}
	return nil
}

func (e *encoder) structure(p *plan, ptr unsafe.Pointer) *valueError {
	e.buf = append(e.buf, '{')
	for i := range p.fields {
		f := &p.fields[i]
		if i > 0 {
			e.buf = append(e.buf, ',')
		}
		e.buf = append(e.buf, f.prefix...)
		if bad := e.encode(f.plan, at(ptr, f.offset)); bad != nil {
			return bad.under("." + f.name)
		}
	}
	e.buf = append(e.buf, '}')
	return nil
}

func (e *encoder) elems(p *plan, base unsafe.Pointer, n int) *valueError {
	if bad := e.enter(); bad != nil {
		return bad
	}
	e.buf = append(e.buf, '[')
	for i := range n {
		if i > 0 {
			e.buf = append(e.buf, ',')
		}
		if bad := e.encode(p.elem, at(base, uintptr(i)*p.elem.size)); bad != nil {
			return bad.under("[" + strconv.Itoa(i) + "]")
		}
	}
	e.buf = append(e.buf, ']')
	e.depth--
	return nil
}

func (e *encoder) pointer(p *plan, ptr unsafe.Pointer) *valueError {
	if ptr == nil {
		e.buf = append(e.buf, "null"...)
		return nil
	}
	if bad := e.enter(); bad != nil {
		return bad
	}
	bad := e.encode(p.elem, ptr)
	e.depth--
	return bad
}

func (e *encoder) enter() *valueError {
	if e.depth++; e.depth > maxDepth {
		return refuse("nested more than %d deep: a cycle?", maxDepth)
	}
	return nil
}

// mapping writes the entries sorted by key: strings by bytes, integers by value.
func (e *encoder) mapping(p *plan, ptr unsafe.Pointer) *valueError {
	m := reflect.NewAt(p.typ, ptr).Elem()
	if m.IsNil() {
		e.buf = append(e.buf, "null"...)
		return nil
	}
	if bad := e.enter(); bad != nil {
		return bad
	}
	keys := m.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return compareKeys(p.key.form, a, b) })
	value := reflect.New(p.typ.Elem())
	e.buf = append(e.buf, '{')
	for i, k := range keys {
		if i > 0 {
			e.buf = append(e.buf, ',')
		}
		if bad := e.mapKey(p.key.form, k); bad != nil {
			return bad
		}
		e.buf = append(e.buf, ':')
		value.Elem().Set(m.MapIndex(k))
		if bad := e.encode(p.elem, value.UnsafePointer()); bad != nil {
			return bad.under(fmt.Sprintf("[%v]", k))
		}
	}
	e.buf = append(e.buf, '}')
	e.depth--
	return nil
}

func (e *encoder) mapKey(f form, k reflect.Value) *valueError {
	switch f {
	case formString:
		if bad := e.text(k.String()); bad != nil {
			return bad.under(fmt.Sprintf("[%q]", k.String()))
		}
	case formInt:
		e.buf = append(strconv.AppendInt(append(e.buf, '"'), k.Int(), 10), '"')
	default:
		e.buf = append(strconv.AppendUint(append(e.buf, '"'), k.Uint(), 10), '"')
	}
	return nil
}

func compareKeys(f form, a, b reflect.Value) int {
	var less, more bool
	switch f {
	case formString:
		less, more = a.String() < b.String(), a.String() > b.String()
	case formInt:
		less, more = a.Int() < b.Int(), a.Int() > b.Int()
	default:
		less, more = a.Uint() < b.Uint(), a.Uint() > b.Uint()
	}
	switch {
	case less:
		return -1
	case more:
		return 1
	}
	return 0
}

func (e *encoder) float(p *plan, ptr unsafe.Pointer) *valueError {
	f, bits := p.float(ptr)
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return refuse("%v is not a number JSON can hold", f)
	}
	e.buf = strconv.AppendFloat(e.buf, f, 'g', -1, bits)
	return nil
}

func (e *encoder) text(s string) *valueError {
	if !utf8.ValidString(s) {
		return refuse("%q is not valid UTF-8: use []byte for binary data", s)
	}
	e.buf = appendJSONString(e.buf, s)
	return nil
}

func (e *encoder) bytes(h *sliceHeader) {
	if h.data == nil {
		e.buf = append(e.buf, "null"...)
		return
	}
	e.buf = append(e.buf, '"')
	e.buf = base64.StdEncoding.AppendEncode(e.buf, unsafe.Slice((*byte)(h.data), h.len))
	e.buf = append(e.buf, '"')
}

func (e *encoder) time(t time.Time) *valueError {
	var bad *valueError
	e.buf = append(e.buf, '"')
	e.buf, bad = e.zones.append(e.buf, t)
	e.buf = append(e.buf, '"')
	return bad
}

// int returns a signed integer of any width.
func (p *plan) int(ptr unsafe.Pointer) int64 {
	switch p.size {
	case 1:
		return int64(*(*int8)(ptr))
	case 2:
		return int64(*(*int16)(ptr))
	case 4:
		return int64(*(*int32)(ptr))
	default:
		return *(*int64)(ptr)
	}
}

// float returns a float of either width, and the width in bits.
func (p *plan) float(ptr unsafe.Pointer) (float64, int) {
	if p.size == 4 {
		return float64(*(*float32)(ptr)), 32
	}
	return *(*float64)(ptr), 64
}

const hexDigits = "0123456789abcdef"

// appendJSONString appends s, which is valid UTF-8, as a JSON string.
func appendJSONString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		start = i + 1
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}
