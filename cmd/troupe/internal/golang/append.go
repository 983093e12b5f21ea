// SPDX-License-Identifier: MIT

package golang

import (
	"fmt"
	"go/types"

	"github.com/troupe-go/troupe/cmd/troupe/internal/model"
)

// appendField prints the statements that append m.F.
func (e *emitter) appendField(f *model.Field, depth string) {
	expr := "m." + f.Name
	switch f.Shape {
	case model.Single:
		e.appendSingle(f, expr, depth)
	case model.Optional:
		e.p("if %s != nil {", expr)
		e.appendElement(f.Num, f.Elem.WireType(), &f.Elem, "*"+expr, depth)
		e.p("}")
	case model.List, model.Array:
		e.appendList(f, expr, depth)
	case model.Mapping:
		e.appendMap(f, expr, depth)
	}
}

// appendSingle prints a value that is absent when it is zero.
func (e *emitter) appendSingle(f *model.Field, expr, depth string) {
	v := &f.Elem
	tag := f.Tag()
	switch v.Kind {
	case model.Bool:
		e.p("if %s {\nb = append(b, %s, 1)\n}", expr, tagBytes(tag))
		return
	case model.Float:
		bits := e.im.use("math", "math") + fmt.Sprintf(".Float%dbits(%s)", v.Bits, as(v.Type, fmt.Sprintf("float%d", v.Bits), expr))
		e.p("if v := %s; v != 0 {\nb = %s(append(b, %s), v)\n}", bits, e.wire(fmt.Sprintf("AppendFixed%d", v.Bits)), tagBytes(tag))
		return
	case model.Struct:
		e.p("{")
		e.guarded(f.Num, depth, func() {
			e.p("start := len(b) + %d", tagSize(tag))
			e.p("b = append(b, %s, 0)", tagBytes(tag))
			e.p("b = %s%s(b, &%s, %s)", appendPrefix, v.Msg.Name, expr, plusOne(depth))
			e.p("if len(b) > start+1 {\nb = %s(b, start)\n} else {\nb = b[:start-%d]\n}", e.wire("Close"), tagSize(tag))
		})
		e.p("}")
		return
	case model.String:
		e.p("if %s != \"\" {", expr)
	case model.Bytes:
		e.p("if len(%s) > 0 {", expr)
	case model.ByteArray:
		e.p("if %s != (%s{}) {", expr, e.im.typeName(v.Type))
	case model.Time:
		e.p("if !%s.IsZero() {", expr)
	case model.Pointer, model.Proto:
		e.p("if %s != nil {", expr)
	default:
		e.p("if %s != 0 {", expr)
	}
	e.appendElement(f.Num, v.WireType(), v, expr, depth)
	e.p("}")
}

// guarded prints the statements of emit, which nest a message, behind a check
// of the depth.
func (e *emitter) guarded(num int32, depth string, emit func()) {
	if isConstant(depth) {
		emit()
		return
	}
	e.p("if %s >= %s {\nb = %s(b, %d)\n} else {", depth, e.wire("MaxDepth"), e.wire("AppendRefused"), num)
	emit()
	e.p("}")
}

// appendElement prints one present value with its tag. The expression starts
// with * for optional ones.
func (e *emitter) appendElement(num int32, wireType int, v *model.Value, expr, depth string) {
	tag := uint64(num)<<3 | uint64(wireType)
	head := "append(b, " + tagBytes(tag) + ")"
	switch v.Kind {
	case model.String:
		e.p("b = %s(%s, %s)", e.wire("AppendString"), head, as(v.Type, "string", expr))
	case model.Bytes:
		e.p("b = %s(%s, %s)", e.wire("AppendBytes"), head, expr)
	case model.ByteArray:
		if expr[0] == '*' {
			expr = expr[1:] // slicing works through the pointer
		}
		e.p("b = %s(%s, %s[:])", e.wire("AppendBytes"), head, expr)
	case model.Time:
		e.p("b = %s(%s, %s)", e.wire("AppendTime"), head, expr)
	case model.Duration:
		e.p("b = %s(%s, %s)", e.wire("AppendDuration"), head, expr)
	case model.Proto:
		e.p("b = %s(b, %d, %s)", e.wire("AppendMessage"), num, expr)
	case model.Struct, model.Pointer:
		if v.Kind == model.Struct {
			expr = "&" + expr
		}
		e.guarded(num, depth, func() {
			e.p("start := len(b) + %d", tagSize(tag))
			e.p("b = append(b, %s, 0)", tagBytes(tag))
			e.p("b = %s%s(b, %s, %s)", appendPrefix, v.Msg.Name, expr, plusOne(depth))
			e.p("b = %s(b, start)", e.wire("Close"))
		})
	default:
		e.p("b = %s", e.number(v, head, expr))
	}
}

// number returns the expression that appends the number expr to b.
func (e *emitter) number(v *model.Value, b, expr string) string {
	call := func(name, to string) string {
		return fmt.Sprintf("%s(%s, %s)", e.wire(name), b, as(v.Type, to, expr))
	}
	switch v.Kind {
	case model.Bool:
		return call("AppendBool", "bool")
	case model.ZigZag:
		return call("AppendZigZag", "int64")
	case model.FixedInt, model.FixedUint:
		return call(fmt.Sprintf("AppendFixed%d", v.Bits), fmt.Sprintf("uint%d", v.Bits))
	case model.Float:
		return call(fmt.Sprintf("AppendFloat%d", v.Bits), fmt.Sprintf("float%d", v.Bits))
	}
	return call("AppendVarint", "uint64")
}

func (e *emitter) appendList(f *model.Field, expr, depth string) {
	v := &f.Elem
	if f.Shape == model.Array && f.Len == 0 {
		return
	}
	if !v.Numeric() {
		if v.Kind == model.Pointer {
			e.appendPointers(f, expr, depth)
			return
		}
		e.p("for i := range %s {", expr)
		e.appendElement(f.Num, v.WireType(), v, expr+"[i]", depth)
		e.p("}")
		return
	}
	condition := fmt.Sprintf("len(%s) > 0", expr)
	if f.Shape == model.Array {
		condition = e.arrayNotZero(f, expr)
	}
	e.p("if %s {", condition)
	tag := tagBytes(f.PackedTag())
	switch {
	case v.Kind == model.Bool:
		e.p("b = %s(append(b, %s), uint64(len(%s)))", e.wire("AppendVarint"), tag, expr)
	case v.WireType() != 0:
		e.p("b = %s(append(b, %s), uint64(len(%s))*%d)", e.wire("AppendVarint"), tag, expr, v.Bits/8)
	default:
		e.p("start := len(b) + %d", tagSize(f.PackedTag()))
		e.p("b = append(b, %s, 0)", tag)
		e.p("for _, v := range %s {\nb = %s\n}", expr, e.number(v, "b", "v"))
		e.p("b = %s(b, start)\n}", e.wire("Close"))
		return
	}
	e.p("for _, v := range %s {\nb = %s\n}\n}", expr, e.number(v, "b", "v"))
}

// arrayNotZero compares bits for floats, because -0 is not absent.
func (e *emitter) arrayNotZero(f *model.Field, expr string) string {
	if f.Elem.Kind != model.Float {
		return fmt.Sprintf("%s != (%s{})", expr, e.im.typeName(f.Type))
	}
	elem := types.TypeString(f.Elem.Type.Underlying(), nil)
	math := e.im.use("math", "math")
	return fmt.Sprintf("%s(%s[:], func(v %s) bool { return %s.%s(%s) != 0 })",
		e.im.use("slices", "slices")+".ContainsFunc", expr, e.im.typeName(f.Elem.Type),
		math, model.Upper(elem)+"bits", as(f.Elem.Type, elem, "v"))
}

// appendPointers prints a list of pointers; a nil one is an empty message.
func (e *emitter) appendPointers(f *model.Field, expr, depth string) {
	e.p("for _, v := range %s {", expr)
	e.p("if v == nil {\nb = append(b, %s, 0)\ncontinue\n}", tagBytes(f.Tag()))
	e.appendElement(f.Num, f.Elem.WireType(), &f.Elem, "v", depth)
	e.p("}")
}

// appendMap prints the entries in order of the keys.
func (e *emitter) appendMap(f *model.Field, expr, depth string) {
	slices := e.im.use("slices", "slices")
	e.p("if len(%s) > 0 {", expr)
	e.guarded(f.Num, depth, func() {
		keyType := e.im.typeName(f.Key.Type)
		e.p("var room [16]%s", keyType)
		e.p("keys := room[:0]")
		e.p("for key := range %s {\nkeys = append(keys, key)\n}", expr)
		if f.Key.Kind == model.Bool {
			e.p("%s.SortFunc(keys, func(v, _ %s) int {\nif v {\nreturn 1\n}\nreturn -1\n})", slices, keyType)
		} else {
			e.p("%s.Sort(keys)", slices)
		}
		e.p("for _, key := range keys {")
		e.p("elem := %s[key]", expr)
		e.p("entry := len(b) + %d", tagSize(f.PackedTag()))
		e.p("b = append(b, %s, 0)", tagBytes(f.PackedTag()))
		e.appendElement(1, f.Key.WireType(), f.Key, "key", depth)
		inner := plusOne(depth)
		if f.Elem.Kind == model.Pointer {
			e.p("if elem == nil {\nb = append(b, 0x12, 0)\n} else {")
			e.appendElement(2, 2, &f.Elem, "elem", inner)
			e.p("}")
		} else {
			e.appendElement(2, f.Elem.WireType(), &f.Elem, "elem", inner)
		}
		e.p("b = %s(b, entry)\n}", e.wire("Close"))
	})
	e.p("}")
}
