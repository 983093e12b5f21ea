// SPDX-License-Identifier: MIT

package export

import (
	"fmt"

	"github.com/troupe-go/troupe/cmd/troupe/internal/model"
)

func (p *csPrinter) valueType(v *model.Value) string {
	signed := v.Kind == model.Int || v.Kind == model.ZigZag || v.Kind == model.FixedInt
	switch v.Kind {
	case model.Bool:
		return "bool"
	case model.String:
		return "string"
	case model.Bytes, model.ByteArray, model.Proto:
		return "byte[]"
	case model.Time:
		return "DateTime"
	case model.Duration:
		return "TimeSpan"
	case model.Float:
		if v.Bits == 32 {
			return "float"
		}
		return "double"
	case model.Struct, model.Pointer:
		return p.names.of(v)
	}
	switch {
	case signed && v.Bits == 64:
		return "long"
	case signed:
		return "int"
	case v.Bits == 64:
		return "ulong"
	}
	return "uint"
}

func (p *csPrinter) valueZero(v *model.Value) string {
	switch v.Kind {
	case model.String:
		return `""`
	case model.Bytes, model.Proto:
		return "new byte[0]"
	case model.ByteArray:
		return fmt.Sprintf("new byte[%d]", v.Len)
	case model.Struct, model.Pointer:
		return "new " + p.names.of(v) + "()"
	case model.Time:
		return "Wire.UnixEpoch"
	}
	return "default(" + p.valueType(v) + ")"
}

// csScalar is the name of v's methods in Writer and Reader.
func csScalar(v *model.Value) string {
	wide := func(narrow, wider string) string {
		if v.Bits == 64 {
			return wider
		}
		return narrow
	}
	switch v.Kind {
	case model.Bool:
		return "Bool"
	case model.Int:
		return wide("Int32", "Int64")
	case model.Uint:
		return wide("UInt32", "Varint")
	case model.ZigZag:
		return wide("SInt32", "SInt64")
	case model.FixedInt:
		return wide("SFixed32", "SFixed64")
	case model.FixedUint:
		return wide("Fixed32", "Fixed64")
	case model.Float:
		return wide("Float", "Double")
	case model.String:
		return "String"
	case model.Time:
		return "Time"
	case model.Duration:
		return "Duration"
	case model.Struct, model.Pointer:
		return "Message"
	}
	return "Bytes"
}

// writeValue returns the statements that write expr with its tag.
func (p *csPrinter) writeValue(num int32, v *model.Value, expr string) string {
	return fmt.Sprintf("w.Varint(%d); w.%s(%s);", uint64(num)<<3|uint64(v.WireType()), csScalar(v), expr)
}

func (p *csPrinter) present(v *model.Value, expr string) string {
	switch v.Kind {
	case model.Bool:
		return expr
	case model.String, model.Bytes:
		return "!string.IsNullOrEmpty(" + expr + ")"
	case model.ByteArray:
		return "Wire.NotZero(" + expr + ")"
	case model.Float:
		return "Wire.NotZero(" + expr + ")"
	case model.Duration:
		return expr + " != TimeSpan.Zero"
	case model.Struct:
		return expr + " != null"
	}
	return expr + " != 0"
}

// write prints the statements that write a field.
func (p *csPrinter) write(f *model.Field, expr string) {
	v := &f.Elem
	const in = "            "
	switch {
	case f.Shape == model.Mapping:
		p.printf("%sforeach (var e in %s)\n%s{\n%s    w.Varint(%d);\n%s    var start = w.Open();\n%s    %s\n%s    %s\n%s    w.Close(start);\n%s}\n",
			in, expr, in, in, f.PackedTag(), in, in, p.writeValue(1, f.Key, "e.Key"), in, p.writeValue(2, v, "e.Value"), in, in)
	case f.Packed():
		condition := expr + ".Count > 0"
		if f.Shape == model.Array {
			condition = fmt.Sprintf("Array.Exists(%s, v => %s)", expr, p.present(v, "v"))
		}
		p.printf("%sif (%s)\n%s{\n%s    w.Varint(%d);\n%s    var start = w.Open();\n%s    foreach (var v in %s) w.%s(v);\n%s    w.Close(start);\n%s}\n",
			in, condition, in, in, f.PackedTag(), in, in, expr, csScalar(v), in, in)
	case f.Shape == model.List || f.Shape == model.Array:
		p.printf("%sforeach (var v in %s) { %s }\n", in, expr, p.writeValue(f.Num, v, "v"))
	case f.Shape == model.Optional || v.Kind == model.Time:
		value := expr
		if !csReference(v) {
			value += ".Value"
		}
		p.printf("%sif (%s != null) { %s }\n", in, expr, p.writeValue(f.Num, v, value))
	case v.Kind == model.Pointer || v.Kind == model.Proto:
		p.printf("%sif (%s != null) { %s }\n", in, expr, p.writeValue(f.Num, v, expr))
	case v.Kind == model.Struct:
		p.printf("%sw.MessageOrNothing(%d, %s);\n", in, f.Tag(), expr)
	case v.Kind == model.Bytes:
		p.printf("%sif (%s != null && %s.Length > 0) { %s }\n", in, expr, expr, p.writeValue(f.Num, v, expr))
	default:
		p.printf("%sif (%s) { %s }\n", in, p.present(v, expr), p.writeValue(f.Num, v, expr))
	}
}

// readValue returns the expression that reads a value from r.
func (p *csPrinter) readValue(v *model.Value, r, old string) string {
	switch v.Kind {
	case model.Struct, model.Pointer:
		if old == "" {
			old = p.valueZero(v)
		}
		return fmt.Sprintf("%s.Message(%s)", r, old)
	case model.ByteArray:
		return fmt.Sprintf("%s.Array(%d)", r, v.Len)
	}
	return r + "." + csScalar(v) + "()"
}

// read prints the cases that read a field.
func (p *csPrinter) read(f *model.Field, expr string) {
	v := &f.Elem
	const in = "                    "
	add := func(value string) string {
		if f.Shape == model.Array {
			return fmt.Sprintf("Wire.Set(%s, at%d++, %s)", expr, f.Num, value)
		}
		return fmt.Sprintf("%s.Add(%s)", expr, value)
	}
	if f.Packed() {
		p.printf("%scase %d:\n%s    for (var packed = r.Sub(); packed.More;) { %s; }\n%s    break;\n", in, f.PackedTag(), in, add(p.readValue(v, "packed", "")), in)
	}
	p.printf("%scase %d:\n", in, f.Tag())
	switch f.Shape {
	case model.Mapping:
		p.printf("%s{\n%s    var entry = r.Sub();\n%s    var key = %s;\n%s    var value = %s;\n", in, in, in, p.valueZero(f.Key), in, p.valueZero(v))
		p.printf("%s    while (entry.More)\n%s    {\n%s        var part = entry.Varint();\n", in, in, in)
		p.printf("%s        if (part == %d) key = %s;\n%s        else if (part == %d) value = %s;\n%s        else entry.Skip(part, 1, 2);\n%s    }\n",
			in, 1<<3|f.Key.WireType(), p.readValue(f.Key, "entry", ""), in, 2<<3|v.WireType(), p.readValue(v, "entry", ""), in, in)
		p.printf("%s    %s[key] = value;\n%s    break;\n%s}\n", in, expr, in, in)
		return
	case model.List, model.Array:
		p.printf("%s    %s;\n", in, add(p.readValue(v, "r", "")))
	default:
		old := ""
		if v.Kind == model.Struct {
			old = expr
		} else if v.Kind == model.Pointer {
			old = expr + " ?? " + p.valueZero(v)
		}
		p.printf("%s    %s = %s;\n", in, expr, p.readValue(v, "r", old))
	}
	p.printf("%s    break;\n", in)
}
