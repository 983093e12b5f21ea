// SPDX-License-Identifier: MIT

package export

import (
	"fmt"

	"github.com/troupe-go/troupe/cmd/troupe/internal/model"
)

func (p *tsPrinter) valueType(v *model.Value) string {
	switch v.Kind {
	case model.Bool:
		return "boolean"
	case model.String:
		return "string"
	case model.Bytes, model.ByteArray, model.Proto:
		return "Uint8Array"
	case model.Time:
		return "Date"
	case model.Duration, model.Float:
		return "number"
	case model.Struct, model.Pointer:
		return p.names.of(v)
	}
	if v.Bits == 64 {
		return "bigint"
	}
	return "number"
}

func (p *tsPrinter) valueZero(v *model.Value) string {
	switch v.Kind {
	case model.Bool:
		return "false"
	case model.String:
		return `""`
	case model.Bytes, model.Proto:
		return "new Uint8Array(0)"
	case model.ByteArray:
		return fmt.Sprintf("new Uint8Array(%d)", v.Len)
	case model.Time:
		return "new Date(0)"
	case model.Duration, model.Float:
		return "0"
	case model.Struct, model.Pointer:
		return "new" + p.names.of(v) + "()"
	}
	if v.Bits == 64 {
		return "0n"
	}
	return "0"
}

// scalar is the name of v's methods in BinaryWriter and BinaryReader.
func scalar(v *model.Value) string {
	return v.ProtoType(func(*model.Value) string { return "bytes" })
}

// writeValue returns the statement that writes expr with its tag.
func (p *tsPrinter) writeValue(num int32, v *model.Value, expr string) string {
	tag := fmt.Sprintf("w.tag(%d, %d)", num, v.WireType())
	switch v.Kind {
	case model.Time:
		return fmt.Sprintf("writeTime(%s, %s);", tag, expr)
	case model.Duration:
		return fmt.Sprintf("writeDuration(%s, %s);", tag, expr)
	case model.Struct, model.Pointer:
		return fmt.Sprintf("write%s(%s.fork(), %s).join();", p.names.of(v), tag, expr)
	}
	return fmt.Sprintf("%s.%s(%s);", tag, scalar(v), expr)
}

// present returns the condition under which a single value is written.
func (p *tsPrinter) present(v *model.Value, expr string) string {
	switch v.Kind {
	case model.Bool:
		return expr
	case model.String, model.Bytes:
		return expr + ".length > 0"
	case model.ByteArray:
		return expr + ".some((v) => v !== 0)"
	case model.Float, model.Duration:
		return "!Object.is(" + expr + ", 0)"
	}
	if v.Bits == 64 {
		return expr + " !== 0n"
	}
	return expr + " !== 0"
}

// write prints the statements that write a field.
func (p *tsPrinter) write(f *model.Field, expr string) {
	v := &f.Elem
	switch {
	case f.Shape == model.Mapping:
		p.printf("  for (const [key, value] of %s) {\n    w.tag(%d, 2).fork();\n    %s\n    %s\n    w.join();\n  }\n",
			expr, f.Num, p.writeValue(1, f.Key, "key"), p.writeValue(2, v, "value"))
	case f.Packed():
		condition := expr + ".length > 0"
		if f.Shape == model.Array {
			condition = fmt.Sprintf("%s.some((v) => %s)", expr, p.present(v, "v"))
		}
		p.printf("  if (%s) {\n    w.tag(%d, 2).fork();\n    for (const v of %s) w.%s(v);\n    w.join();\n  }\n", condition, f.Num, expr, scalar(v))
	case f.Shape == model.List || f.Shape == model.Array:
		p.printf("  for (const v of %s) {\n    %s\n  }\n", expr, p.writeValue(f.Num, v, "v"))
	case optionalInTS(f):
		p.printf("  if (%s !== undefined) %s\n", expr, p.writeValue(f.Num, v, expr))
	case v.Kind == model.Struct:
		p.printf("  {\n    const body = encode%s(%s);\n    if (body.length > 0) w.tag(%d, 2).bytes(body);\n  }\n", p.names.of(v), expr, f.Num)
	default:
		p.printf("  if (%s) %s\n", p.present(v, expr), p.writeValue(f.Num, v, expr))
	}
}

// readValue returns the expression that reads a value; old is what is merged
// into, or "".
func (p *tsPrinter) readValue(v *model.Value, old string) string {
	switch v.Kind {
	case model.Bool:
		return "r.bool()"
	case model.String:
		return "r.string(true)"
	case model.Bytes, model.Proto:
		return "r.bytes().slice()"
	case model.ByteArray:
		return fmt.Sprintf("readArray(r, %d)", v.Len)
	case model.Time:
		return "readTime(r)"
	case model.Duration:
		return "readDuration(r)"
	case model.Struct, model.Pointer:
		if old == "" {
			old = p.valueZero(v)
		}
		return fmt.Sprintf("read%s(r, r.uint32() + r.pos, %s)", p.names.of(v), old)
	}
	if v.Bits == 64 && v.Kind != model.Float {
		return fmt.Sprintf("BigInt(r.%s())", scalar(v))
	}
	return fmt.Sprintf("r.%s()", scalar(v))
}

// read prints the cases that read a field.
func (p *tsPrinter) read(f *model.Field, expr string) {
	v := &f.Elem
	add := func(value string) string {
		if f.Shape == model.Array {
			return fmt.Sprintf("fill(%s, at%d++, %s)", expr, f.Num, value)
		}
		return fmt.Sprintf("%s.push(%s)", expr, value)
	}
	if f.Packed() {
		p.printf("      case %d:\n        for (const stop = r.uint32() + r.pos; r.pos < stop; ) %s;\n        break;\n", f.PackedTag(), add(p.readValue(v, "")))
	}
	p.printf("      case %d:\n", f.Tag())
	switch f.Shape {
	case model.Mapping:
		p.printf("        readEntry(r, (no, type, entry) => {\n          switch (no * 8 + type) {\n")
		p.printf("            case %d: entry.key = %s; break;\n", 1<<3|f.Key.WireType(), p.readValue(f.Key, ""))
		p.printf("            case %d: entry.value = %s; break;\n", 2<<3|v.WireType(), p.readValue(v, ""))
		p.printf("            default: skip(r, no, type, [1, 2]);\n          }\n        }, { key: %s, value: %s }, %s);\n", p.valueZero(f.Key), p.valueZero(v), expr)
	case model.List, model.Array:
		p.printf("        %s;\n", add(p.readValue(v, "")))
	default:
		old := ""
		if v.Kind == model.Struct {
			old = expr
		} else if v.Kind == model.Pointer {
			old = expr + " ?? " + p.valueZero(v)
		}
		p.printf("        %s = %s;\n", expr, p.readValue(v, old))
	}
	p.printf("        break;\n")
}
