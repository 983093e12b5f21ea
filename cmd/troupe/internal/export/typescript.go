// SPDX-License-Identifier: MIT

package export

import (
	"bytes"
	_ "embed"
	"fmt"
	"strings"

	"github.com/troupe-go/troupe/cmd/troupe/internal/model"
)

//go:embed runtime.ts
var tsRuntime string

// TypeScript prints s as a module for @bufbuild/protobuf 2: an interface with
// codecs per message and a class per kind.
func TypeScript(s *Surface) []byte {
	p := &tsPrinter{}
	for _, k := range s.Kinds {
		p.client(k)
	}
	for _, m := range s.Messages {
		p.message(m, true)
	}
	for _, k := range s.Kinds {
		for _, m := range k.Methods {
			p.message(m.Args, false)
			p.message(m.Reply, false)
		}
	}
	return []byte(Header + "\n\n" + usedParts(tsRuntime, p.out.String()) + p.out.String())
}

// usedParts returns the parts of runtime, which blank lines separate, that are
// used: those that declare no function, and those whose function is called
// from body or from another used part.
func usedParts(runtime, body string) string {
	parts := strings.Split(strings.TrimSpace(runtime), "\n\n")
	keep := make([]bool, len(parts))
	for again := true; again; {
		again = false
		for i, part := range parts {
			if keep[i] {
				continue
			}
			_, name, isFunction := strings.Cut(part, "function ")
			name = name[:max(0, strings.IndexAny(name, "(<"))]
			if !isFunction || strings.Contains(body, name+"(") {
				keep[i], again = true, true
				body += part
			}
		}
	}
	var used []string
	for i, part := range parts {
		if keep[i] {
			used = append(used, part)
		}
	}
	return strings.Join(used, "\n\n") + "\n"
}

type tsPrinter struct {
	out   bytes.Buffer
	names *names
}

func (p *tsPrinter) printf(format string, args ...any) { fmt.Fprintf(&p.out, format, args...) }

// tsReserved are words that cannot name a parameter or method.
var tsReserved = wordSet(`arguments await break case catch class const constructor continue debugger default delete do
	else enum eval export extends false finally for function if implements import in instanceof interface let new null
	package private protected public return static super switch this throw true try typeof undefined var void while with
	yield bytes reply`)

func wordSet(text string) map[string]bool {
	set := make(map[string]bool)
	for _, word := range strings.Fields(text) {
		set[word] = true
	}
	return set
}

func tsName(name string) string {
	name = camel(name)
	if tsReserved[name] {
		name += "_"
	}
	return name
}

func jsdoc(indent, text string) string {
	if text == "" {
		return ""
	}
	text = strings.ReplaceAll(text, "*/", "* /")
	return indent + "/** " + strings.ReplaceAll(text, "\n", "\n"+indent+" * ") + " */\n"
}

func (p *tsPrinter) client(k Kind) {
	p.printf("\n%sexport class %sClient {\n", jsdoc("", fmt.Sprintf(
		"%sClient calls actors of kind %q. Without a route it is the player's own actor.", k.Type, k.Name)), k.Type)
	p.printf("  private readonly caller: Caller;\n  private readonly route: Route | undefined;\n\n")
	p.printf("  constructor(caller: Caller, route?: Route) {\n    this.caller = caller;\n    this.route = route;\n  }\n")
	for _, m := range k.Methods {
		p.names = m.Args.names
		names := unique(m.Args.Fields, tsName)
		var params, literal []string
		for i, f := range m.Args.Fields {
			params = append(params, names[i]+": "+p.fieldType(f))
			literal = append(literal, names[i])
		}
		list, object := strings.Join(params, ", "), "{ "+strings.Join(literal, ", ")+" }"
		if len(literal) == 0 {
			object = "{}"
		}
		result, unpack := "void", ""
		switch fields := m.Reply.Fields; len(fields) {
		case 0:
		case 1:
			result, unpack = p.fieldType(fields[0]), "."+tsName(fields[0].Name)
		default:
			result = m.Reply.Name
		}
		p.printf("\n%s", jsdoc("  ", m.Doc))
		p.printf("  async %s(%s): Promise<%s> {\n", tsName(m.Name), list, result)
		p.printf("    const reply = await this.caller.call(%d, encode%s(%s), this.route);\n", m.Number, m.Args.Name, object)
		if len(m.Reply.Fields) == 0 {
			p.printf("    decode%s(reply);\n", m.Reply.Name)
		} else {
			p.printf("    return decode%s(reply)%s;\n", m.Reply.Name, unpack)
		}
		p.printf("  }\n\n  /** send%s is the one-way form: no reply, no error. */\n", m.Name)
		p.printf("  send%s(%s): void {\n    this.caller.send(%d, encode%s(%s), this.route);\n  }\n", m.Name, list, m.Number, m.Args.Name, object)
	}
	p.printf("}\n")
}

func (p *tsPrinter) message(m Message, exported bool) {
	p.names = m.names
	names := unique(m.Fields, tsName)
	p.printf("\nexport interface %s {\n", m.Name)
	for i, f := range m.Fields {
		p.printf("  %s: %s;\n", names[i], p.fieldType(f))
	}
	p.printf("}\n")
	if exported {
		p.printf("\nexport function new%s(): %s {\n  return {\n", m.Name, m.Name)
		for i, f := range m.Fields {
			p.printf("    %s: %s,\n", names[i], p.fieldZero(f))
		}
		p.printf("  };\n}\n")
	}
	p.printf("\nfunction write%s(w: BinaryWriter, m: %s): BinaryWriter {\n", m.Name, m.Name)
	if len(m.Fields) == 0 {
		p.printf("  void m;\n")
	}
	for i, f := range m.Fields {
		p.write(f, "m."+names[i])
	}
	p.printf("  return w;\n}\n")

	p.printf("\nfunction read%s(r: BinaryReader, end: number, m: %s): %s {\n", m.Name, m.Name, m.Name)
	for _, f := range m.Fields {
		if f.Shape == model.Array {
			p.printf("  let at%d = 0;\n", f.Num)
		}
	}
	p.printf("  while (r.pos < end) {\n    const [no, type] = r.tag();\n    switch (no * 8 + type) {\n")
	for i, f := range m.Fields {
		p.read(f, "m."+names[i])
	}
	p.printf("      default:\n        skip(r, no, type, [%s]);\n    }\n  }\n  return finish(r, end, m);\n}\n", p.numbers(m.Fields))

	p.printf("\nexport function encode%s(m: %s): Uint8Array {\n  return write%s(new BinaryWriter(), m).finish();\n}\n", m.Name, m.Name, m.Name)
	zero := "new" + m.Name + "()"
	if !exported {
		var fields []string
		for i, f := range m.Fields {
			fields = append(fields, names[i]+": "+p.fieldZero(f))
		}
		zero = "{ " + strings.Join(fields, ", ") + " }"
		if len(fields) == 0 {
			zero = "{}"
		}
	}
	p.printf("\nexport function decode%s(bytes: Uint8Array): %s {\n  return read%s(new BinaryReader(bytes), bytes.length, %s);\n}\n", m.Name, m.Name, m.Name, zero)
}

func (p *tsPrinter) numbers(fields []*model.Field) string {
	var list []string
	for _, f := range fields {
		list = append(list, fmt.Sprint(f.Num))
	}
	return strings.Join(list, ", ")
}

func (p *tsPrinter) fieldType(f *model.Field) string {
	elem := p.valueType(&f.Elem)
	switch f.Shape {
	case model.Optional:
		return elem + " | undefined"
	case model.List, model.Array:
		return elem + "[]"
	case model.Mapping:
		return fmt.Sprintf("Map<%s, %s>", p.valueType(f.Key), elem)
	}
	if optionalInTS(f) {
		return elem + " | undefined"
	}
	return elem
}

// optionalInTS reports whether a single value may be absent.
func optionalInTS(f *model.Field) bool {
	if f.Shape == model.Optional {
		return true
	}
	return f.Shape == model.Single && (f.Elem.Kind == model.Time || f.Elem.Kind == model.Pointer || f.Elem.Kind == model.Proto)
}

func (p *tsPrinter) fieldZero(f *model.Field) string {
	switch {
	case f.Shape == model.List:
		return "[]"
	case f.Shape == model.Array:
		return fmt.Sprintf("Array.from({ length: %d }, () => %s)", f.Len, p.valueZero(&f.Elem))
	case f.Shape == model.Mapping:
		return "new Map()"
	case optionalInTS(f):
		return "undefined"
	}
	return p.valueZero(&f.Elem)
}
