// SPDX-License-Identifier: MIT

package export

import (
	"bytes"
	"fmt"
	"sort"
	"strings"

	"github.com/troupe-go/troupe/cmd/troupe/internal/model"
)

const knownPath = "google.golang.org/protobuf/types/known/"

// knownFiles maps Go types of protobuf's own messages to their files.
var knownFiles = map[string]string{
	"durationpb.Duration": "duration", "timestamppb.Timestamp": "timestamp", "anypb.Any": "any", "emptypb.Empty": "empty",
	"structpb.Struct": "struct", "structpb.Value": "struct", "structpb.ListValue": "struct",
	"wrapperspb.BoolValue": "wrappers", "wrapperspb.BytesValue": "wrappers", "wrapperspb.StringValue": "wrappers",
	"wrapperspb.DoubleValue": "wrappers", "wrapperspb.FloatValue": "wrappers", "wrapperspb.Int32Value": "wrappers",
	"wrapperspb.Int64Value": "wrappers", "wrapperspb.UInt32Value": "wrappers", "wrapperspb.UInt64Value": "wrappers",
}

// Proto prints s as a proto3 file. The services are for readers and tools:
// calls travel in troupe's own frames, by number.
func Proto(s *Surface) []byte {
	p := &protoPrinter{imports: make(map[string]bool)}
	for _, k := range s.Kinds {
		p.printf("// %s has the handlers of kind %q that clients may call.\nservice %s {\n", k.Type, k.Name, k.Type)
		for i, m := range k.Methods {
			if i > 0 {
				p.printf("\n")
			}
			p.printf("%s  // Method number %d.\n", comment("  ", m.Doc), m.Number)
			p.printf("  rpc %s(%s) returns (%s);\n", m.Name, m.Args.Name, m.Reply.Name)
		}
		p.printf("}\n\n")
		for _, m := range k.Methods {
			p.message(m.Args)
			p.message(m.Reply)
		}
	}
	for _, m := range s.Messages {
		p.message(m)
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "%s\n\nsyntax = \"proto3\";\n\npackage %s;\n\n", Header, s.Package)
	files := make([]string, 0, len(p.imports))
	for file := range p.imports {
		files = append(files, file)
	}
	sort.Strings(files)
	for _, file := range files {
		fmt.Fprintf(&out, "import \"google/protobuf/%s.proto\";\n", file)
	}
	if len(files) > 0 {
		out.WriteByte('\n')
	}
	out.Write(bytes.TrimRight(p.body.Bytes(), "\n"))
	out.WriteByte('\n')
	return out.Bytes()
}

type protoPrinter struct {
	body    bytes.Buffer
	imports map[string]bool
}

func (p *protoPrinter) printf(format string, args ...any) { fmt.Fprintf(&p.body, format, args...) }

func (p *protoPrinter) message(m Message) {
	if len(m.Fields) == 0 {
		p.printf("message %s {}\n\n", m.Name)
		return
	}
	p.printf("message %s {\n", m.Name)
	for i, name := range unique(m.Fields, snake) {
		f := m.Fields[i]
		note := ""
		typ := f.ProtoType(func(v *model.Value) string {
			if v.Msg != nil {
				return m.names.of(v)
			}
			return p.external(v, &note)
		})
		if f.Elem.Kind == model.Time {
			p.imports["timestamp"] = true
		}
		if f.Elem.Kind == model.Duration {
			p.imports["duration"] = true
		}
		p.printf("  %s %s = %d;%s\n", typ, name, f.Num, note)
	}
	p.printf("}\n\n")
}

// external returns the type of a proto message that is not ours. One whose file
// is not known is written as bytes, which is the same on the wire.
func (p *protoPrinter) external(v *model.Value, note *string) string {
	name := strings.TrimPrefix(v.Type.String(), "*")
	if short, ok := strings.CutPrefix(name, knownPath); ok && knownFiles[short] != "" {
		p.imports[knownFiles[short]] = true
		_, message, _ := strings.Cut(short, ".")
		return "google.protobuf." + message
	}
	*note = " // an encoded " + name
	return "bytes"
}
