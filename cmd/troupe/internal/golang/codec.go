// SPDX-License-Identifier: MIT

package golang

import (
	"bytes"
	"fmt"
	"go/types"
	"strconv"
	"strings"

	"github.com/troupe-go/troupe/cmd/troupe/internal/model"
)

const (
	wirePath     = model.TroupePath + "/wire"
	topLevel     = "1"
	parsePrefix  = "troupeParse"
	appendPrefix = "troupeAppend"
)

// emitter prints codecs. They mirror the reflective ones of troupe's
// internal/wire statement by statement; a differential test compares both.
type emitter struct {
	im  *imports
	out bytes.Buffer
}

func (e *emitter) p(format string, args ...any) {
	fmt.Fprintf(&e.out, format+"\n", args...)
}

// wire returns the qualified name of a function of package troupe/wire.
func (e *emitter) wire(name string) string { return e.im.use(wirePath, "wire") + "." + name }

// topLevel prints the codecs of parameters or results, which are never
// nested: their depth is 1.
func (e *emitter) topLevel(m *model.Message) {
	base := strings.TrimSuffix(strings.TrimSuffix(m.Name, "Args"), "Reply")
	part := strings.TrimPrefix(m.Name, base)
	self := "m"
	if len(m.Fields) == 0 {
		self = "_"
	}
	e.p("func %sAppend%s(b []byte, %s *%s) []byte {", base, part, self, m.Name)
	for _, f := range m.Fields {
		e.appendField(f, topLevel)
	}
	e.p("return b\n}\n")

	e.p("func %sParse%s(b []byte, m *%s) error {", base, part, m.Name)
	e.p("*m = %s{}", m.Name)
	e.p("if len(b) > %s {\nreturn %s\n}", e.wire("MaxBytes"), e.wire("ErrTooLarge"))
	e.parseLoop(m, m.Name, topLevel)
	e.p("return nil\n}\n")
}

// nested prints the codecs of a struct.
func (e *emitter) nested(m *model.Message) {
	if m.Marked {
		e.marked(m)
	}
	self, depth := "m", "_"
	if len(m.Fields) == 0 {
		self = "_"
	}
	for _, f := range m.Fields {
		if usesDepth(f) {
			depth = "depth"
		}
	}
	name := e.im.typeName(m.Type)
	e.p("func %s%s(b []byte, %s *%s, %s int) []byte {", appendPrefix, m.Name, self, name, depth)
	for _, f := range m.Fields {
		e.appendField(f, "depth")
	}
	e.p("return b\n}\n")

	e.p("func %s%s(b []byte, %s *%s, depth int) error {", parsePrefix, m.Name, self, name)
	e.p("if depth > %s {\nreturn %s\n}", e.wire("MaxDepth"), e.wire("ErrDepth"))
	e.parseLoop(m, m.Name, "depth")
	e.p("return nil\n}\n")
}

// marked prints the methods of a struct with //troupe:message.
func (e *emitter) marked(m *model.Message) {
	name := e.im.typeName(m.Type)
	e.p("// AppendWire appends the encoding of m to b. It cannot fail.")
	e.p("func (m *%s) AppendWire(b []byte) []byte {\nreturn %s%s(b, m, 1)\n}\n", name, appendPrefix, m.Name)
	e.p("// ParseWire decodes b into m, whose old value is lost. Nothing in m refers to b.")
	e.p("func (m *%s) ParseWire(b []byte) error {", name)
	e.p("if len(b) > %s {\nreturn %s\n}", e.wire("MaxBytes"), e.wire("ErrTooLarge"))
	e.p("*m = %s{}\nreturn %s%s(b, m, 1)\n}\n", name, parsePrefix, m.Name)
}

// usesDepth reports whether appending f needs to know how deep it is.
func usesDepth(f *model.Field) bool {
	return f.Shape == model.Mapping || f.Elem.Kind == model.Struct || f.Elem.Kind == model.Pointer
}

// tagBytes returns a tag as arguments for append.
func tagBytes(tag uint64) string {
	var parts []string
	for tag >= 0x80 {
		parts = append(parts, fmt.Sprintf("%#x", tag&0x7f|0x80))
		tag >>= 7
	}
	return strings.Join(append(parts, fmt.Sprintf("%#x", tag)), ", ")
}

func tagSize(tag uint64) int { return strings.Count(tagBytes(tag), ",") + 1 }

// to converts expr to t, from the basic type with that name.
func (e *emitter) to(t types.Type, from, expr string) string {
	if basic, ok := types.Unalias(t).(*types.Basic); ok && basic.Name() == from {
		return expr
	}
	return e.im.typeName(t) + "(" + expr + ")"
}

// as converts expr of type t to the basic type with that name.
func as(t types.Type, to, expr string) string {
	if basic, ok := types.Unalias(t).(*types.Basic); ok && (basic.Name() == to || basic.Name() == "byte" && to == "uint8") {
		return expr
	}
	return to + "(" + expr + ")"
}

// plusOne returns the expression for one level deeper.
func plusOne(depth string) string {
	if n, err := strconv.Atoi(depth); err == nil {
		return strconv.Itoa(n + 1)
	}
	if before, ok := strings.CutSuffix(depth, "+1"); ok {
		return before + "+2"
	}
	return depth + "+1"
}

// isConstant reports whether depth is known, and thus small.
func isConstant(depth string) bool { return depth[0] <= '9' }
