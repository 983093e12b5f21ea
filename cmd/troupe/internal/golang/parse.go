// SPDX-License-Identifier: MIT

package golang

import (
	"fmt"
	"go/types"
	"strings"

	"github.com/troupe-go/troupe/cmd/troupe/internal/model"
)

// parseLoop prints the loop that merges the fields in b into m.
func (e *emitter) parseLoop(m *model.Message, name, depth string) {
	needWhole := false
	for _, f := range m.Fields {
		if f.Shape == model.Array {
			e.p("var filled%d int", f.Num)
		}
		needWhole = needWhole || f.Shape == model.List && !f.Elem.Numeric()
	}
	e.p("for len(b) > 0 {")
	if needWhole {
		e.p("whole := b")
	}
	e.p("tag, n := uint64(b[0]), 1")
	e.p("if tag < 8 || tag >= 0x80 {\nif tag, n = %s(b); n < 0 {\nreturn %s(n)\n}\n}\nb = b[n:]", e.wire("Tag"), e.wire("Error"))
	e.p("switch tag {")
	for _, f := range m.Fields {
		e.parseField(f, name+"."+f.Name, depth)
	}
	e.p("default:")
	var cases []string
	for _, f := range m.Fields {
		cases = append(cases, fmt.Sprintf("case %d:\nreturn %s(%q, %s(tag))", f.Num, e.wire("InField"), name+"."+f.Name, e.wire("WrongType")))
	}
	if len(cases) > 0 {
		e.p("switch tag >> 3 {\n%s\n}", strings.Join(cases, "\n"))
	}
	e.p("if n = %s(b, tag); n < 0 {\nreturn %s(n)\n}\nb = b[n:]\n}\n}", e.wire("Skip"), e.wire("Error"))
}

// target is where a parsed value goes.
type target struct {
	path  string // for errors: "Receipt.Gold"
	depth string
}

// check prints the return for a negative count.
func (e *emitter) check(t target, n string) {
	e.p("if %s < 0 {\nreturn %s(%q, %s(%s))\n}", n, e.wire("InField"), t.path, e.wire("Error"), n)
}

func (e *emitter) failIf(t target, condition, err string) {
	e.p("if %s {\nreturn %s(%q, %s)\n}", condition, e.wire("InField"), t.path, err)
}

// parseField prints the cases of one field.
func (e *emitter) parseField(f *model.Field, path, depth string) {
	expr := "m." + f.Name
	t := target{path: path, depth: depth}
	if f.Packed() {
		e.parsePacked(f, expr, t)
	}
	e.p("case %#x: // %s", f.Tag(), f.Name)
	switch f.Shape {
	case model.Single:
		e.parseElement(&f.Elem, "b", expr, t)
	case model.Optional:
		e.p("if %s == nil {\n%s = new(%s)\n}", expr, expr, e.im.typeName(f.Elem.Type))
		e.parseElement(&f.Elem, "b", "*"+expr, t)
	case model.List:
		e.parseListElement(f, expr, t)
	case model.Array:
		filled := fmt.Sprintf("filled%d", f.Num)
		e.failIf(t, fmt.Sprintf("%s == len(%s)", filled, expr), e.wire("ErrLength"))
		e.p("%s++", filled)
		e.parseElement(&f.Elem, "b", fmt.Sprintf("%s[%s-1]", expr, filled), t)
	case model.Mapping:
		e.parseEntry(f, expr, t)
	}
}

func (e *emitter) parseListElement(f *model.Field, expr string, t target) {
	if !f.Elem.Numeric() {
		e.p("if len(%s) == cap(%s) {", expr, expr)
		e.p("%s = %s.Grow(%s, max(1, %s(whole, tag)))\n}", expr, e.im.use("slices", "slices"), expr, e.wire("CountFields"))
	}
	e.p("%s = append(%s, %s)", expr, expr, e.zero(&f.Elem))
	e.parseElement(&f.Elem, "b", fmt.Sprintf("%s[len(%s)-1]", expr, expr), t)
}

// zero returns the zero value of v as source.
func (e *emitter) zero(v *model.Value) string {
	switch v.Kind {
	case model.Bool:
		return "false"
	case model.String:
		return `""`
	case model.Bytes, model.Pointer, model.Proto:
		return "nil"
	case model.ByteArray, model.Time, model.Struct:
		return e.im.typeName(v.Type) + "{}"
	}
	return "0"
}

// parseElement prints the statements that merge one value of buf into expr and
// move buf behind it.
func (e *emitter) parseElement(v *model.Value, buf, expr string, t target) {
	switch {
	case v.Numeric():
		e.parseNumber(v, buf, expr, t)
		return
	case v.Kind == model.String:
		e.p("v, n := %s(%s)", e.wire("String"), buf)
		e.check(t, "n")
		e.p("%s = %s\n%s = %s[n:]", expr, e.to(v.Type, "string", "v"), buf, buf)
		return
	}
	e.p("content, n := %s(%s)", e.wire("Bytes"), buf)
	e.check(t, "n")
	switch v.Kind {
	case model.Bytes:
		e.p("%s = append(%s(nil), content...)", expr, e.im.typeName(v.Type))
	case model.ByteArray:
		e.failIf(t, fmt.Sprintf("len(content) != len(%s)", expr), e.wire("ErrLength"))
		e.p("copy(%s[:], content)", paren(expr))
	case model.Time, model.Duration:
		name := "Time"
		if v.Kind == model.Duration {
			name = "Duration"
		}
		e.p("v, err := %s(content, %s)", e.wire(name), expr)
		e.failIf(t, "err != nil", "err")
		e.p("%s = v", expr)
	case model.Struct:
		e.parseNested(v.Msg, "&"+expr, t)
	case model.Pointer:
		e.p("if %s == nil {\n%s = new(%s)\n}", expr, expr, e.im.typeName(v.Msg.Type))
		e.parseNested(v.Msg, expr, t)
	case model.Proto:
		elem := types.Unalias(v.Type).(*types.Pointer).Elem()
		e.p("if %s == nil {\n%s = new(%s)\n}", expr, expr, e.im.typeName(elem))
		e.p("if err := %s(content, %s, %s); err != nil {\nreturn %s(%q, err)\n}",
			e.wire("Message"), expr, t.depth, e.wire("InField"), t.path)
	}
	e.p("%s = %s[n:]", buf, buf)
}

func (e *emitter) parseNested(m *model.Message, pointer string, t target) {
	e.p("if err := %s%s(content, %s, %s); err != nil {\nreturn %s(%q, err)\n}",
		parsePrefix, m.Name, pointer, plusOne(t.depth), e.wire("InField"), t.path)
}

// paren protects a dereference from the operator behind it.
func paren(expr string) string {
	if expr[0] == '*' {
		return "(" + expr + ")"
	}
	return expr
}

// parseNumber prints the statements that read a number with all its checks.
func (e *emitter) parseNumber(v *model.Value, buf, expr string, t target) {
	switch v.WireType() {
	case 0:
		e.p("var v uint64")
		e.p("if len(%s) > 0 && %s[0] < 0x80 {\nv, n = uint64(%s[0]), 1", buf, buf, buf)
		e.p("} else if v, n = %s(%s); n < 0 {\nreturn %s(%q, %s(n))\n}", e.wire("Varint"), buf, e.wire("InField"), t.path, e.wire("Error"))
		e.storeNumber(v, expr, t)
		e.p("%s = %s[n:]", buf, buf)
		return
	case 1:
		e.p("v, n := %s(%s)", e.wire("Fixed64"), buf)
	default:
		e.p("v, n := %s(%s)", e.wire("Fixed32"), buf)
	}
	e.check(t, "n")
	e.storeNumber(v, expr, t)
	e.p("%s = %s[n:]", buf, buf)
}

// storeNumber prints the conversion of the raw number v to expr.
func (e *emitter) storeNumber(v *model.Value, expr string, t target) {
	name := e.im.typeName(v.Type)
	basic := types.TypeString(v.Type.Underlying(), nil)
	switch v.Kind {
	case model.Bool:
		e.p("%s = v != 0", expr)
	case model.Float:
		e.p("%s = %s", expr, e.to(v.Type, basic, fmt.Sprintf("%s.Float%dfrombits(v)", e.im.use("math", "math"), v.Bits)))
	case model.FixedInt, model.FixedUint:
		if basic == "int" || basic == "uint" {
			e.failIf(t, fmt.Sprintf("%s64(%s(v)) != %s64(v)", basic, basic, basic), e.wire("ErrRange"))
		}
		e.p("%s = %s", expr, e.to(v.Type, fmt.Sprintf("uint%d", v.Bits), "v"))
	case model.ZigZag:
		if basic == "int64" {
			e.p("%s = %s", expr, e.to(v.Type, "int64", e.wire("ZigZag")+"(v)"))
			return
		}
		e.p("num := %s(v)", e.wire("ZigZag"))
		e.failIf(t, fmt.Sprintf("int64(%s(num)) != num", basic), e.wire("ErrRange"))
		e.p("%s = %s(num)", expr, name)
	case model.Int:
		if basic != "int64" {
			e.failIf(t, fmt.Sprintf("int64(%s(v)) != int64(v)", basic), e.wire("ErrRange"))
		}
		e.p("%s = %s(v)", expr, name)
	case model.Uint:
		if basic != "uint64" {
			e.failIf(t, fmt.Sprintf("uint64(%s(v)) != v", basic), e.wire("ErrRange"))
		}
		e.p("%s = %s", expr, e.to(v.Type, "uint64", "v"))
	}
}

// parsePacked prints the case of a packed list or array.
func (e *emitter) parsePacked(f *model.Field, expr string, t target) {
	e.p("case %#x: // %s, packed", f.PackedTag(), f.Name)
	e.p("packed, size := %s(b)", e.wire("Bytes"))
	e.check(t, "size")
	v := &f.Elem
	if f.Shape == model.List {
		count := "len(packed)"
		if v.WireType() == 0 {
			count = e.wire("CountVarints") + "(packed)"
		} else {
			count += fmt.Sprintf("/%d", v.Bits/8)
		}
		e.p("%s = %s.Grow(%s, %s)", expr, e.im.use("slices", "slices"), expr, count)
	}
	e.p("for len(packed) > 0 {")
	if f.Shape == model.List {
		e.p("%s = append(%s, %s)", expr, expr, e.zero(v))
		e.parseNumber(v, "packed", fmt.Sprintf("%s[len(%s)-1]", expr, expr), t)
	} else {
		filled := fmt.Sprintf("filled%d", f.Num)
		e.failIf(t, fmt.Sprintf("%s == len(%s)", filled, expr), e.wire("ErrLength"))
		e.p("%s++", filled)
		e.parseNumber(v, "packed", fmt.Sprintf("%s[%s-1]", expr, filled), t)
	}
	e.p("}\nb = b[size:]")
}

// parseEntry prints the statements that read one map entry.
func (e *emitter) parseEntry(f *model.Field, expr string, t target) {
	e.p("entry, size := %s(b)", e.wire("Bytes"))
	e.check(t, "size")
	if !isConstant(t.depth) {
		e.failIf(t, t.depth+" >= "+e.wire("MaxDepth"), e.wire("ErrDepth"))
	}
	e.p("b = b[size:]")
	e.p("var key %s", e.im.typeName(f.Key.Type))
	switch f.Elem.Kind {
	case model.Pointer:
		e.p("elem := new(%s)", e.im.typeName(f.Elem.Msg.Type))
	case model.Proto:
		e.p("elem := new(%s)", e.im.typeName(types.Unalias(f.Elem.Type).(*types.Pointer).Elem()))
	default:
		e.p("var elem %s", e.im.typeName(f.Elem.Type))
	}
	inner := t
	inner.depth = plusOne(t.depth)
	e.p("for len(entry) > 0 {")
	e.p("tag, n := %s(entry)", e.wire("Tag"))
	e.check(t, "n")
	e.p("entry = entry[n:]\nswitch tag {")
	e.p("case %#x:", 1<<3|f.Key.WireType())
	e.parseElement(f.Key, "entry", "key", inner)
	e.p("case %#x:", 2<<3|f.Elem.WireType())
	e.parseMapValue(&f.Elem, inner)
	e.p("default:")
	e.failIf(t, "tag>>3 <= 2", e.wire("WrongType")+"(tag)")
	e.p("n = %s(entry, tag)", e.wire("Skip"))
	e.check(t, "n")
	e.p("entry = entry[n:]\n}\n}")
	e.p("if %s == nil {\n%s = make(%s)\n}", expr, expr, e.im.typeName(f.Type))
	e.p("%s[key] = elem", expr)
}

// parseMapValue is parseElement for elem, which is never a nil pointer.
func (e *emitter) parseMapValue(v *model.Value, t target) {
	switch v.Kind {
	case model.Pointer:
		e.p("content, n := %s(entry)", e.wire("Bytes"))
		e.check(t, "n")
		e.parseNested(v.Msg, "elem", t)
		e.p("entry = entry[n:]")
	default:
		e.parseElement(v, "entry", "elem", t)
	}
}
