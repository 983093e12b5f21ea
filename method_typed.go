// SPDX-License-Identifier: MIT

package troupe

import (
	"context"
	"fmt"
	"reflect"
	"unsafe"
)

// sizedField is a string or slice directly in an argument struct.
type sizedField struct {
	offset uintptr
	elem   int64 // bytes per element
}

// Info implements AnyMethod.
func (m *Method[A, R]) Info() *MethodInfo { return &m.MethodInfo }

// ArgsType implements AnyMethod.
func (m *Method[A, R]) ArgsType() reflect.Type { return reflect.TypeFor[A]() }

// ReplyType implements AnyMethod.
func (m *Method[A, R]) ReplyType() reflect.Type { return reflect.TypeFor[R]() }

func (m *Method[A, R]) prepare() error {
	m.once.Do(func() {
		t := reflect.TypeFor[A]()
		m.inline = t.Size() <= inlineBytes && !hasPointers(t)
		m.sizing = sizedFields(t)
		r := reflect.TypeFor[R]()
		m.small = r.Size() <= unsafe.Sizeof(scratch{}) && !hasPointers(r)
		m.codecs.compile(t, reflect.TypeFor[R]())
	})
	if m.Invoke == nil {
		return fmt.Errorf("%w: method %s has no Invoke function", ErrBadHandler, m.Name)
	}
	return nil
}

// pack stores args into e: inline if they fit, in a pooled struct otherwise.
func (m *Method[A, R]) pack(e *envelope, args A) {
	e.m = m
	if m.inline {
		*(*A)(unsafe.Pointer(&e.words)) = args
		return
	}
	p := m.newArgs()
	*p = args
	e.ptr = unsafe.Pointer(p)
}

func (m *Method[A, R]) newArgs() *A {
	if p, ok := m.args.Get().(*A); ok {
		return p
	}
	return new(A)
}

// argsOf returns the arguments in e.
func (m *Method[A, R]) argsOf(e *envelope) *A {
	if e.ptr != nil {
		return (*A)(e.ptr)
	}
	return (*A)(unsafe.Pointer(&e.words))
}

func (m *Method[A, R]) invoke(ctx context.Context, self any, e *envelope, s *scratch) (unsafe.Pointer, error) {
	if s != nil && m.small {
		r := (*R)(unsafe.Pointer(s))
		var zero R
		*r = zero
		return nil, m.invokeInto(ctx, self, e, r)
	}
	r, ok := m.reply.Get().(*R)
	if !ok {
		r = new(R)
	}
	err := m.invokeInto(ctx, self, e, r)
	return unsafe.Pointer(r), err
}

func (m *Method[A, R]) invokeInto(ctx context.Context, self any, e *envelope, r *R) error {
	a := m.argsOf(e)
	err := m.Invoke(ctx, self, a, r)
	if e.ptr != nil {
		var zero A
		*a = zero
		m.args.Put(a)
		e.ptr = nil
	}
	return err
}

func (m *Method[A, R]) drop(e envelope) {
	if e.ptr == nil {
		return
	}
	a := (*A)(e.ptr)
	var zero A
	*a = zero
	m.args.Put(a)
}

func (m *Method[A, R]) putReply(reply unsafe.Pointer) {
	if reply == nil {
		return
	}
	r := (*R)(reply)
	var zero R
	*r = zero
	m.reply.Put(r)
}

func (m *Method[A, R]) payloadBytes(args unsafe.Pointer) int64 {
	return payloadBytes(m.sizing, args)
}

func (m *Method[A, R]) clone(e envelope) envelope {
	if e.ptr == nil {
		return e
	}
	a := m.newArgs()
	*a = *(*A)(e.ptr)
	e.ptr = unsafe.Pointer(a)
	return e
}

func (m *Method[A, R]) encodeArgs(b []byte, e envelope) ([]byte, error) {
	a := (*A)(e.ptr)
	if a == nil { // inline: a pointer into e would move e to the heap
		a = m.newArgs()
		defer m.args.Put(a) // without pointers: nothing to clear
		*a = *(*A)(unsafe.Pointer(&e.words))
	}
	if m.AppendArgs != nil {
		return m.AppendArgs(b, a), nil
	}
	return m.codecs.args.append(b, reflect.ValueOf(a).Elem())
}

func (m *Method[A, R]) decodeArgs(b []byte) (envelope, error) {
	e := envelope{m: m}
	a := m.newArgs()
	var err error
	if m.ParseArgs != nil {
		err = m.ParseArgs(b, a)
	} else {
		err = m.codecs.args.parse(b, reflect.ValueOf(a).Elem())
	}
	if err != nil {
		return e, fmt.Errorf("%w: %s: %w", ErrBadArguments, m.Name, err)
	}
	if !m.inline {
		e.ptr = unsafe.Pointer(a)
		return e, nil
	}
	*(*A)(unsafe.Pointer(&e.words)) = *a
	m.args.Put(a)
	return e, nil
}

func (m *Method[A, R]) encodeReply(b []byte, reply unsafe.Pointer) ([]byte, error) {
	if m.AppendReply != nil {
		return m.AppendReply(b, (*R)(reply)), nil
	}
	return m.codecs.reply.append(b, reflect.ValueOf((*R)(reply)).Elem())
}

func (m *Method[A, R]) decodeReply(b []byte) (unsafe.Pointer, error) {
	r, ok := m.reply.Get().(*R)
	if !ok {
		r = new(R)
	}
	var err error
	if m.ParseReply != nil {
		err = m.ParseReply(b, r)
	} else {
		err = m.codecs.reply.parse(b, reflect.ValueOf(r).Elem())
	}
	return unsafe.Pointer(r), err
}

func (m *Method[A, R]) setArgs(args []any) (envelope, error) {
	a := m.newArgs()
	if err := assignArgs(m.Name, reflect.ValueOf(a).Elem(), args); err != nil {
		return envelope{}, err
	}
	e := envelope{m: m}
	if m.inline {
		*(*A)(unsafe.Pointer(&e.words)) = *a
		m.args.Put(a)
	} else {
		e.ptr = unsafe.Pointer(a)
	}
	return e, nil
}

func (m *Method[A, R]) getReply(reply unsafe.Pointer, results any) error {
	return assignResults(m.Name, reflect.ValueOf((*R)(reply)).Elem(), results)
}

// sizedFields lists the strings and slices directly in struct t.
func sizedFields(t reflect.Type) []sizedField {
	var fields []sizedField
	if t.Kind() != reflect.Struct {
		return nil
	}
	for i := range t.NumField() {
		f := t.Field(i)
		switch f.Type.Kind() {
		case reflect.String:
			fields = append(fields, sizedField{f.Offset, 1})
		case reflect.Slice:
			fields = append(fields, sizedField{f.Offset, int64(f.Type.Elem().Size())})
		}
	}
	return fields
}

// payloadBytes adds up the sized fields of the struct at p. Strings and slices
// both keep their length in their second word.
func payloadBytes(fields []sizedField, p unsafe.Pointer) int64 {
	if p == nil {
		return 0
	}
	var n int64
	for _, f := range fields {
		length := *(*int)(unsafe.Add(p, f.offset+unsafe.Sizeof(uintptr(0))))
		n += int64(length) * f.elem
	}
	return n
}

// hasPointers reports whether values of type t hold anything the garbage
// collector must see.
func hasPointers(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64,
		reflect.Uintptr, reflect.Float32, reflect.Float64, reflect.Complex64, reflect.Complex128:
		return false
	case reflect.Array:
		return t.Len() > 0 && hasPointers(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if hasPointers(t.Field(i).Type) {
				return true
			}
		}
		return false
	}
	return true
}
