// SPDX-License-Identifier: MIT

package orm

import (
	"encoding/base64"
	"math"
	"reflect"
	"strconv"
	"time"
	"unsafe"
)

// A decoder reads what an encoder wrote into a zero value of the plan's type.
// It is strict: an unknown field, a value of another type, or a number that
// does not fit is an error, because saving the document afterwards would lose
// it (O7). Missing fields stay zero.
type decoder struct {
	scanner
	depth int
	zones *zones
	buf   []byte // for strings with escapes
}

// decodeDocument decodes the whole of data.
func (d *decoder) decodeDocument(p *plan, ptr unsafe.Pointer) *valueError {
	if bad := d.decode(p, ptr); bad != nil {
		return bad
	}
	if d.peek() != 0 || d.pos < len(d.data) {
		return d.fail("data behind the document")
	}
	return nil
}

func (d *decoder) decode(p *plan, ptr unsafe.Pointer) *valueError {
	switch p.form {
	case formBool:
		return d.boolean((*bool)(ptr))
	case formInt, formUint, formFloat:
		return d.numeric(p, ptr)
	case formString:
		text, bad := d.string()
		*(*string)(ptr) = text
		return bad
	case formTime:
		return d.time((*time.Time)(ptr))
	case formBytes:
		return d.bytes(p, ptr)
	case formStruct:
		return d.structure(p, ptr)
	case formArray:
		return d.array(p, ptr)
	case formSlice:
		return d.slice(p, ptr)
	case formMap:
		return d.mapping(p, ptr)
	default: // formPointer
		return d.pointer(p, ptr)
	}
}

func (d *decoder) boolean(to *bool) *valueError {
	switch {
	case d.word("true"):
		*to = true
	case d.word("false"):
		*to = false
	default:
		return d.fail("expected true or false")
	}
	return nil
}

func (d *decoder) numeric(p *plan, ptr unsafe.Pointer) *valueError {
	token, bad := d.number()
	if bad != nil {
		return bad
	}
	if err := p.parse(ptr, unsafe.String(unsafe.SliceData(token), len(token))); err != nil {
		return d.fail("%s does not fit into %s", token, p.typ)
	}
	return nil
}

// parse stores the number s in the integer or float at ptr. It does not keep s.
func (p *plan) parse(ptr unsafe.Pointer, s string) error {
	bits := int(p.size) * 8
	switch p.form {
	case formInt:
		v, err := strconv.ParseInt(s, 10, bits)
		p.setBits(ptr, uint64(v))
		return err
	case formUint:
		v, err := strconv.ParseUint(s, 10, bits)
		p.setBits(ptr, v)
		return err
	}
	v, err := strconv.ParseFloat(s, bits)
	if bits == 32 {
		p.setBits(ptr, uint64(math.Float32bits(float32(v))))
	} else {
		p.setBits(ptr, math.Float64bits(v))
	}
	return err
}

func (p *plan) setBits(ptr unsafe.Pointer, v uint64) {
	switch p.size {
	case 1:
		*(*uint8)(ptr) = uint8(v)
	case 2:
		*(*uint16)(ptr) = uint16(v)
	case 4:
		*(*uint32)(ptr) = uint32(v)
	default:
		*(*uint64)(ptr) = v
	}
}

func (d *decoder) string() (string, *valueError) {
	raw, bad := d.text(d.buf)
	if bad != nil {
		return "", bad
	}
	return string(raw), nil
}

func (d *decoder) time(to *time.Time) *valueError {
	text, bad := d.string()
	if bad != nil {
		return bad
	}
	t, err := d.zones.parse(text)
	if err != nil {
		return d.fail("%v", err)
	}
	*to = t
	return nil
}

func (d *decoder) bytes(p *plan, ptr unsafe.Pointer) *valueError {
	if d.word("null") {
		return nil
	}
	raw, bad := d.text(d.buf)
	if bad != nil {
		return bad
	}
	out := make([]byte, base64.StdEncoding.DecodedLen(len(raw)))
	n, err := base64.StdEncoding.Decode(out, raw)
	if err != nil {
		return d.fail("%v", err)
	}
	reflect.NewAt(p.typ, ptr).Elem().SetBytes(out[:n])
	return nil
}

func (d *decoder) structure(p *plan, ptr unsafe.Pointer) *valueError {
	if bad := d.expect('{'); bad != nil {
		return bad
	}
	if d.accept('}') {
		return nil
	}
	for next := 0; ; next++ {
		name, bad := d.text(d.buf)
		if bad != nil {
			return bad
		}
		// Documents are written in the order of the fields.
		if next >= len(p.fields) || p.fields[next].name != string(name) {
			i, ok := p.byName[string(name)]
			if !ok {
				return d.fail("unknown field %q: keep the field, or raise the version and add an upgrade", name)
			}
			next = i
		}
		f := &p.fields[next]
		if bad := d.expect(':'); bad != nil {
			return bad.under("." + f.name)
		}
		if bad := d.decode(f.plan, at(ptr, f.offset)); bad != nil {
			return bad.under("." + f.name)
		}
		if d.accept('}') {
			return nil
		}
		if bad := d.expect(','); bad != nil {
			return bad
		}
	}
}

// list walks "[...]" and calls each before every element.
func (d *decoder) list(each func(i int) *valueError) *valueError {
	if bad := d.enter(); bad != nil {
		return bad
	}
	if bad := d.expect('['); bad != nil {
		return bad
	}
	if !d.accept(']') {
		for i := 0; ; i++ {
			if bad := each(i); bad != nil {
				return bad.under("[" + strconv.Itoa(i) + "]")
			}
			if d.accept(']') {
				break
			}
			if bad := d.expect(','); bad != nil {
				return bad
			}
		}
	}
	d.depth--
	return nil
}

func (d *decoder) array(p *plan, ptr unsafe.Pointer) *valueError {
	n := 0
	bad := d.list(func(i int) *valueError {
		if n++; i >= p.n {
			return d.fail("more than %d elements", p.n)
		}
		return d.decode(p.elem, at(ptr, uintptr(i)*p.elem.size))
	})
	if bad == nil && n != p.n {
		return d.fail("%d elements, not %d", n, p.n)
	}
	return bad
}

func (d *decoder) slice(p *plan, ptr unsafe.Pointer) *valueError {
	if d.word("null") {
		return nil
	}
	value := reflect.NewAt(p.typ, ptr).Elem()
	value.Set(reflect.MakeSlice(p.typ, 0, 0))
	h := (*sliceHeader)(ptr)
	return d.list(func(i int) *valueError {
		if i >= h.cap {
			value.Grow(max(4, i/2))
		}
		value.SetLen(i + 1)
		return d.decode(p.elem, at(h.data, uintptr(i)*p.elem.size))
	})
}

func (d *decoder) mapping(p *plan, ptr unsafe.Pointer) *valueError {
	if d.word("null") {
		return nil
	}
	if bad := d.enter(); bad != nil {
		return bad
	}
	if bad := d.expect('{'); bad != nil {
		return bad
	}
	m := reflect.MakeMap(p.typ)
	reflect.NewAt(p.typ, ptr).Elem().Set(m)
	key, value := reflect.New(p.typ.Key()), reflect.New(p.typ.Elem())
	for first := true; !d.accept('}'); first = false {
		if !first {
			if bad := d.expect(','); bad != nil {
				return bad
			}
		}
		name, bad := d.string()
		if bad != nil {
			return bad
		}
		if bad := d.entry(p, name, key, value); bad != nil {
			return bad.under("[" + name + "]")
		}
		m.SetMapIndex(key.Elem(), value.Elem())
	}
	d.depth--
	return nil
}

func (d *decoder) entry(p *plan, name string, key, value reflect.Value) *valueError {
	if p.key.form == formString {
		key.Elem().SetString(name)
	} else if err := p.key.parse(key.UnsafePointer(), name); err != nil {
		return d.fail("key %q does not fit into %s", name, p.key.typ)
	}
	if bad := d.expect(':'); bad != nil {
		return bad
	}
	value.Elem().SetZero()
	return d.decode(p.elem, value.UnsafePointer())
}

func (d *decoder) pointer(p *plan, ptr unsafe.Pointer) *valueError {
	if d.word("null") {
		return nil
	}
	if bad := d.enter(); bad != nil {
		return bad
	}
	fresh := reflect.New(p.elem.typ).UnsafePointer()
	*(*unsafe.Pointer)(ptr) = fresh
	bad := d.decode(p.elem, fresh)
	d.depth--
	return bad
}

func (d *decoder) enter() *valueError {
	if d.depth++; d.depth > maxDepth {
		return d.fail("nested more than %d deep", maxDepth)
	}
	return nil
}
