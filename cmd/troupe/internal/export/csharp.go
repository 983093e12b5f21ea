// SPDX-License-Identifier: MIT

package export

import (
	"bytes"
	_ "embed"
	"fmt"
	"strings"

	"github.com/troupe-go/troupe/cmd/troupe/internal/model"
)

//go:embed runtime.cs
var csRuntime string

// CSharp prints s as one C# 7.3 file without dependencies, for Unity.
func CSharp(s *Surface) []byte {
	p := &csPrinter{}
	p.printf("%s\n\n%s\nnamespace %s\n{\n    using Troupe;\n", Header, csRuntime, model.Upper(s.Package)+"Client")
	for _, k := range s.Kinds {
		p.client(k)
	}
	for _, m := range s.Messages {
		p.message(m)
	}
	for _, k := range s.Kinds {
		for _, m := range k.Methods {
			p.message(m.Args)
			p.message(m.Reply)
		}
	}
	p.printf("}\n")
	return p.out.Bytes()
}

type csPrinter struct {
	out   bytes.Buffer
	names *names
}

func (p *csPrinter) printf(format string, args ...any) { fmt.Fprintf(&p.out, format, args...) }

var csReserved = wordSet(`abstract as base bool break byte case catch char checked class const continue decimal default
	delegate do double else enum event explicit extern false finally fixed float for foreach goto if implicit in int
	interface internal is lock long namespace new null object operator out override params private protected public
	readonly ref return sbyte sealed short sizeof stackalloc static string struct switch this throw true try typeof uint
	ulong unchecked unsafe ushort using virtual void volatile while`)

func csParam(name string) string {
	name = camel(name)
	if csReserved[name] || name == "reply" || name == "args" {
		name += "_"
	}
	return name
}

// csField returns the name of a property. It must differ from its class and
// from the methods.
func csField(class string) func(string) string {
	return func(name string) string {
		name = model.Upper(camel(name))
		if name == class || name == "Encode" || name == "Decode" || name == "Write" || name == "Merge" {
			name += "_"
		}
		return name
	}
}

func (p *csPrinter) doc(indent, text string) {
	if text == "" {
		return
	}
	text = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
	p.printf("%s/// <summary>%s</summary>\n", indent, strings.ReplaceAll(text, "\n", "\n"+indent+"/// "))
}

func (p *csPrinter) client(k Kind) {
	p.printf("\n")
	p.doc("    ", fmt.Sprintf("Calls actors of kind %q. Without a route it is the player's own actor.", k.Name))
	p.printf("    public sealed class %sClient\n    {\n        private readonly ICaller caller;\n        private readonly Route route;\n\n", k.Type)
	p.printf("        public %sClient(ICaller caller, Route route = null)\n        {\n            this.caller = caller;\n            this.route = route;\n        }\n", k.Type)
	for _, m := range k.Methods {
		p.names = m.Args.names
		params := unique(m.Args.Fields, csParam)
		fields := unique(m.Args.Fields, csField(m.Args.Name))
		var list, literal []string
		for i, f := range m.Args.Fields {
			list = append(list, p.fieldType(f)+" "+params[i])
			literal = append(literal, fields[i]+" = "+params[i])
		}
		object := fmt.Sprintf("new %s { %s }", m.Args.Name, strings.Join(literal, ", "))
		name := m.Name
		p.printf("\n")
		p.doc("        ", m.Doc)
		result, replies := "Task", m.Reply.Fields
		switch {
		case len(replies) == 1:
			result = "Task<" + p.fieldType(replies[0]) + ">"
		case len(replies) > 1:
			result = "Task<" + m.Reply.Name + ">"
		}
		p.printf("        public async %s %s(%s)\n        {\n", result, name, strings.Join(list, ", "))
		assign := "var reply = "
		if len(replies) == 0 {
			assign = ""
		}
		p.printf("            "+assign+"%s.Decode(await caller.Call(%d, %s.Encode(), route));\n", m.Reply.Name, m.Number, object)
		switch {
		case len(replies) == 1:
			p.printf("            return reply.%s;\n", csField(m.Reply.Name)(replies[0].Name))
		case len(replies) > 1:
			p.printf("            return reply;\n")
		}
		p.printf("        }\n\n        /// <summary>The one-way form of %s: no reply, no error.</summary>\n", name)
		p.printf("        public void Send%s(%s)\n        {\n            caller.Send(%d, %s.Encode(), route);\n        }\n", name, strings.Join(list, ", "), m.Number, object)
	}
	p.printf("    }\n")
}

func (p *csPrinter) message(m Message) {
	p.names = m.names
	names := unique(m.Fields, csField(m.Name))
	p.printf("\n    public sealed class %s : IMessage\n    {\n", m.Name)
	for i, f := range m.Fields {
		p.printf("        public %s %s%s;\n", p.fieldType(f), names[i], p.initializer(f))
	}
	if len(m.Fields) > 0 {
		p.printf("\n")
	}
	p.printf("        public byte[] Encode()\n        {\n            var w = new Writer();\n            Write(w);\n            return w.Finish();\n        }\n\n")
	p.printf("        public static %s Decode(byte[] bytes)\n        {\n            var m = new %s();\n            m.Merge(new Reader(bytes));\n            return m;\n        }\n\n", m.Name, m.Name)
	p.printf("        public void Write(Writer w)\n        {\n")
	for i, f := range m.Fields {
		p.write(f, names[i])
	}
	p.printf("        }\n\n        public void Merge(Reader r)\n        {\n")
	for _, f := range m.Fields {
		if f.Shape == model.Array {
			p.printf("            var at%d = 0;\n", f.Num)
		}
	}
	p.printf("            while (r.More)\n            {\n                var tag = r.Varint();\n                switch (tag)\n                {\n")
	for i, f := range m.Fields {
		p.read(f, names[i])
	}
	p.printf("                    default:\n                        r.Skip(tag%s);\n                        break;\n                }\n            }\n        }\n    }\n", p.numbers(m.Fields))
}

func (p *csPrinter) numbers(fields []*model.Field) string {
	var b strings.Builder
	for _, f := range fields {
		fmt.Fprintf(&b, ", %d", f.Num)
	}
	return b.String()
}

func (p *csPrinter) fieldType(f *model.Field) string {
	elem := p.valueType(&f.Elem)
	switch f.Shape {
	case model.Optional:
		if csReference(&f.Elem) {
			return elem
		}
		return elem + "?"
	case model.List:
		return "List<" + elem + ">"
	case model.Array:
		return elem + "[]"
	case model.Mapping:
		return fmt.Sprintf("Dictionary<%s, %s>", p.valueType(f.Key), elem)
	}
	if f.Elem.Kind == model.Time {
		return elem + "?"
	}
	return elem
}

// csReference reports whether null stands for an absent value of v.
func csReference(v *model.Value) bool {
	switch v.Kind {
	case model.String, model.Bytes, model.ByteArray, model.Struct, model.Pointer, model.Proto:
		return true
	}
	return false
}

// initializer makes fields that Go has by value different from null.
func (p *csPrinter) initializer(f *model.Field) string {
	switch f.Shape {
	case model.Optional:
		return ""
	case model.List, model.Mapping:
		return " = new " + p.fieldType(f) + "()"
	case model.Array:
		if csReference(&f.Elem) {
			return fmt.Sprintf(" = Wire.Fill(%d, () => %s)", f.Len, p.valueZero(&f.Elem))
		}
		elem := p.valueType(&f.Elem)
		if strings.HasSuffix(elem, "]") {
			return fmt.Sprintf(" = new byte[%d][]", f.Len)
		}
		return fmt.Sprintf(" = new %s[%d]", elem, f.Len)
	}
	switch f.Elem.Kind {
	case model.String, model.Bytes, model.ByteArray, model.Struct:
		return " = " + p.valueZero(&f.Elem)
	}
	return ""
}
