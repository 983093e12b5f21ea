// SPDX-License-Identifier: MIT

package orm

import (
	"fmt"
	"reflect"
	"strings"
	"time"
	"unsafe"
)

// A plan is a document type compiled for comparing, copying, encoding and
// decoding without reflection on the way. It is made once per type and only
// read afterwards.
//
// Comparing works on memory. Three classes of leaves matter:
//
//	flat   no pointers, no padding, equal exactly when the bytes are equal
//	quick  equal when the bytes are equal, perhaps also when not: strings
//	       (headers are compared; strings are immutable) and times
//	deep   slices, maps, pointers: the shadow has its own memory, so the bytes
//	       always differ and the contents decide
//
// Neighbouring flat and quick leaves form a run. An unchanged run costs one
// memequal; only a run whose bytes differ is looked at leaf by leaf. Floats are
// compared by their bits, so that NaN equals itself and -0 differs from 0.
type plan struct {
	typ  reflect.Type
	form form
	size uintptr
	flat bool
	// quick: no deep leaf inside.
	quick bool

	elem *plan // array, slice, map, pointer
	key  *plan // map
	maps *mapPlan
	n    int // array length

	fields []field        // struct: what is encoded
	byName map[string]int // struct: index into fields
	leaves []leaf         // struct: flattened, for copying
	steps  []step         // struct: for comparing
}

// form is how a value is laid out and encoded.
type form uint8

const (
	formBool form = iota + 1
	formInt
	formUint
	formFloat
	formString
	formTime
	formBytes
	formStruct
	formArray
	formSlice
	formMap
	formPointer
)

// field is a member of a struct as it is encoded.
type field struct {
	name   string
	prefix []byte // `"name":`
	offset uintptr
	index  bool
	plan   *plan
}

// leaf is a stretch of a struct that is copied in one way. Neighbouring flat
// leaves without padding between them are merged.
type leaf struct {
	offset, size uintptr
	plan         *plan // nil for merged flat leaves
}

// step is one stage of comparing a struct: a run (deep nil) or a deep leaf.
type step struct {
	offset, size uintptr
	leaves       []leaf // the run's leaves, if it has quick ones
	exact        bool   // differing bytes mean different: flat, no padding
	deep         *plan
}

var timeType = reflect.TypeFor[time.Time]()

// compiler makes plans; seen makes recursive types end.
type compiler struct {
	name string // the document type, for errors
	seen map[reflect.Type]*plan
}

// compilePlan returns the plan of a struct type. name is the document type's
// name in error texts.
func compilePlan(name string, t reflect.Type) (*plan, error) {
	c := &compiler{name: name, seen: make(map[reflect.Type]*plan)}
	if t.Kind() != reflect.Struct || t == timeType {
		return nil, c.fail("", "a document must be a struct, not "+t.String())
	}
	return c.compile(t, "")
}

func (c *compiler) fail(path, problem string) error {
	return &FieldError{Type: c.name, Path: strings.TrimPrefix(path, "."), Problem: problem, Err: ErrType}
}

func (c *compiler) compile(t reflect.Type, path string) (*plan, error) {
	if p, ok := c.seen[t]; ok {
		return p, nil
	}
	p := &plan{typ: t, size: t.Size()}
	c.seen[t] = p
	var err error
	switch t.Kind() {
	case reflect.Bool:
		p.form, p.flat = formBool, true
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		p.form, p.flat = formInt, true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		p.form, p.flat = formUint, true
	case reflect.Float32, reflect.Float64:
		p.form, p.flat = formFloat, true
	case reflect.String:
		p.form = formString
	case reflect.Struct:
		if t == timeType {
			p.form = formTime
			break
		}
		p.form = formStruct
		err = c.structFields(p, path)
	case reflect.Array:
		p.form, p.n = formArray, t.Len()
		if p.elem, err = c.compile(t.Elem(), path+"[]"); err == nil {
			p.flat = p.elem.flat
		}
	case reflect.Slice:
		p.form = formSlice
		if t.Elem().Kind() == reflect.Uint8 {
			p.form = formBytes
		}
		p.elem, err = c.compile(t.Elem(), path+"[]")
	case reflect.Map:
		p.form = formMap
		err = c.mapParts(p, path)
	case reflect.Pointer:
		p.form = formPointer
		err = c.pointerParts(p, path)
	case reflect.Interface:
		err = c.fail(path, "an interface value has no fixed type: use a struct with one pointer per case")
	case reflect.Func, reflect.Chan, reflect.UnsafePointer, reflect.Uintptr:
		err = c.fail(path, fmt.Sprintf("a %s is not data: tag it `orm:\"-\"` to leave it out", t.Kind()))
	default:
		err = c.fail(path, fmt.Sprintf("%s is not supported", t))
	}
	if err != nil {
		return nil, err
	}
	p.quick = p.isQuick()
	return p, nil
}

func (p *plan) isQuick() bool {
	switch p.form {
	case formBytes, formSlice, formMap, formPointer:
		return false
	case formArray:
		return p.elem.quick
	case formStruct:
		for _, s := range p.steps {
			if s.deep != nil {
				return false
			}
		}
	}
	return true
}

func (c *compiler) pointerParts(p *plan, path string) (err error) {
	switch p.typ.Elem().Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
		// null could mean either of two things.
		return c.fail(path, fmt.Sprintf("%s: a pointer to something that can be nil itself", p.typ))
	}
	p.elem, err = c.compile(p.typ.Elem(), path)
	return err
}

func (c *compiler) mapParts(p *plan, path string) (err error) {
	switch p.typ.Key().Kind() {
	case reflect.String,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
	default:
		return c.fail(path, fmt.Sprintf("map key %s: keys are strings or integers", p.typ.Key()))
	}
	if p.key, err = c.compile(p.typ.Key(), path+"[key]"); err != nil {
		return err
	}
	if p.elem, err = c.compile(p.typ.Elem(), path+"[]"); err != nil {
		return err
	}
	p.maps = newMapPlan(p.typ, p.key, p.elem)
	return nil
}

// structFields compiles the fields of p and lays out leaves and steps.
func (c *compiler) structFields(p *plan, path string) error {
	p.byName = make(map[string]int)
	for i := range p.typ.NumField() {
		sf := p.typ.Field(i)
		opt, err := parseTag(sf.Tag.Get("orm"))
		at := path + "." + sf.Name
		switch {
		case err != nil:
			return c.fail(at, err.Error())
		case opt.skip || sf.Name == "_":
			continue
		case !sf.IsExported():
			return c.fail(at, "the field is not exported: export it, or tag it `orm:\"-\"` to leave it out")
		}
		fp, err := c.compile(sf.Type, at)
		if err != nil {
			return err
		}
		name := opt.name
		if name == "" {
			name = sf.Name
		}
		if _, dup := p.byName[name]; dup {
			return c.fail(at, fmt.Sprintf("a second field is named %q", name))
		}
		p.byName[name] = len(p.fields)
		prefix := append(appendJSONString(nil, name), ':')
		p.fields = append(p.fields, field{name: name, prefix: prefix, offset: sf.Offset, index: opt.index, plan: fp})
	}
	p.layout()
	return nil
}

// layout flattens nested structs into leaves and groups them into steps. Fields
// that are left out interrupt runs: their bytes may differ for ever.
func (p *plan) layout() {
	var all []leaf
	for _, f := range p.fields {
		if f.plan.form != formStruct {
			all = append(all, leaf{f.offset, f.plan.size, f.plan})
			continue
		}
		for _, l := range f.plan.leaves {
			l.offset += f.offset
			all = append(all, l)
		}
	}
	for _, l := range all {
		last := len(p.leaves) - 1
		if last >= 0 && l.isFlat() && p.leaves[last].isFlat() && p.leaves[last].end() == l.offset {
			p.leaves[last] = leaf{p.leaves[last].offset, p.leaves[last].size + l.size, nil}
			continue
		}
		p.leaves = append(p.leaves, l)
	}
	p.flat = len(p.leaves) == 0 && p.size == 0 ||
		len(p.leaves) == 1 && p.leaves[0].isFlat() && p.leaves[0].size == p.size
	for _, l := range p.leaves {
		p.addStep(l)
	}
}

func (l leaf) end() uintptr { return l.offset + l.size }

func (l leaf) isFlat() bool { return l.plan == nil || l.plan.flat }

// addStep appends l to the last run if no left-out field lies between them;
// padding, at most 7 bytes, may.
func (p *plan) addStep(l leaf) {
	if l.plan != nil && !l.plan.quick {
		p.steps = append(p.steps, step{offset: l.offset, size: l.size, deep: l.plan})
		return
	}
	last := len(p.steps) - 1
	if last < 0 || p.steps[last].deep != nil || !p.adjoins(p.steps[last].end(), l.offset) {
		p.steps = append(p.steps, step{offset: l.offset, size: l.size, leaves: []leaf{l}, exact: l.isFlat()})
		return
	}
	s := &p.steps[last]
	s.exact = s.exact && l.isFlat() && s.end() == l.offset
	s.size = l.end() - s.offset
	s.leaves = append(s.leaves, l)
}

func (s step) end() uintptr { return s.offset + s.size }

// adjoins reports whether only padding lies between from and to.
func (p *plan) adjoins(from, to uintptr) bool { return !skippedBetween(p.typ, 0, from, to) }

// skippedBetween reports whether a field of t that is left out lies in
// [from, to), offsets counted from base.
func skippedBetween(t reflect.Type, base, from, to uintptr) bool {
	for i := range t.NumField() {
		sf := t.Field(i)
		start, end := base+sf.Offset, base+sf.Offset+sf.Type.Size()
		if end <= from || start >= to || start == end {
			continue
		}
		opt, _ := parseTag(sf.Tag.Get("orm"))
		if opt.skip || sf.Name == "_" {
			return true
		}
		if sf.Type.Kind() == reflect.Struct && sf.Type != timeType && skippedBetween(sf.Type, start, from, to) {
			return true
		}
	}
	return false
}

// at returns the address n bytes behind p.
func at(p unsafe.Pointer, n uintptr) unsafe.Pointer { return unsafe.Add(p, n) }
