// SPDX-License-Identifier: MIT

// Package wiretest helps the tests of the codecs: it describes Go types as
// protobuf descriptors, independently of the codecs' own plans, and makes
// random values.
package wiretest

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Descriptor returns the message that t, a struct, is encoded as.
func Descriptor(t reflect.Type) (protoreflect.MessageDescriptor, error) {
	b := &builder{
		names: make(map[reflect.Type]string), deps: make(map[string]bool),
		file: &descriptorpb.FileDescriptorProto{
			Name: proto.String("wiretest.proto"), Package: proto.String("wiretest"), Syntax: proto.String("proto3"),
		},
	}
	name := b.message(t)
	for dep := range b.deps {
		b.file.Dependency = append(b.file.Dependency, dep)
	}
	file, err := protodesc.NewFile(b.file, protoregistry.GlobalFiles)
	if err != nil {
		return nil, err
	}
	return file.Messages().ByName(protoreflect.Name(name)), nil
}

type builder struct {
	file  *descriptorpb.FileDescriptorProto
	names map[reflect.Type]string
	deps  map[string]bool
}

// message adds t to the file and returns its name there.
func (b *builder) message(t reflect.Type) string {
	if name, ok := b.names[t]; ok {
		return name
	}
	name := fmt.Sprintf("M%d", len(b.names))
	b.names[t] = name
	m := &descriptorpb.DescriptorProto{Name: &name}
	b.file.MessageType = append(b.file.MessageType, m)
	place := 0
	for i := range t.NumField() {
		sf := t.Field(i)
		tag := sf.Tag.Get("troupe")
		if tag == "-" || sf.Name == "_" {
			continue
		}
		place++
		text, option, _ := strings.Cut(tag, ",")
		num, err := strconv.Atoi(text)
		if err != nil {
			num = place
		}
		b.field(m, fmt.Sprintf("f%d", num), int32(num), sf.Type, option)
	}
	return name
}

const (
	optional = descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL
	repeated = descriptorpb.FieldDescriptorProto_LABEL_REPEATED
)

func (b *builder) field(m *descriptorpb.DescriptorProto, name string, num int32, t reflect.Type, option string) {
	f := &descriptorpb.FieldDescriptorProto{Name: &name, JsonName: &name, Number: &num, Label: optional.Enum()}
	elem := t
	switch t.Kind() {
	case reflect.Slice, reflect.Array:
		if t.Elem() != reflect.TypeFor[byte]() {
			elem = t.Elem()
			f.Label = repeated.Enum()
		}
	case reflect.Pointer:
		if e := t.Elem(); e == reflect.TypeFor[time.Time]() || e.Kind() != reflect.Struct {
			elem = e
		}
		if isScalar(elem) {
			f.Proto3Optional = proto.Bool(true)
			f.OneofIndex = proto.Int32(int32(len(m.OneofDecl)))
			m.OneofDecl = append(m.OneofDecl, &descriptorpb.OneofDescriptorProto{Name: proto.String("_" + name)})
		}
	case reflect.Map:
		f.Label = repeated.Enum()
		f.Type = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum()
		entry := &descriptorpb.DescriptorProto{
			Name:    proto.String(strings.ToUpper(name) + "Entry"),
			Options: &descriptorpb.MessageOptions{MapEntry: proto.Bool(true)},
		}
		b.field(entry, "key", 1, t.Key(), "")
		b.field(entry, "value", 2, t.Elem(), option)
		m.NestedType = append(m.NestedType, entry)
		f.TypeName = proto.String(".wiretest." + m.GetName() + "." + entry.GetName())
		m.Field = append(m.Field, f)
		return
	}
	b.element(f, elem, option)
	m.Field = append(m.Field, f)
}

func isScalar(t reflect.Type) bool {
	return t != reflect.TypeFor[time.Time]() && t != reflect.TypeFor[time.Duration]() && t.Kind() != reflect.Struct && t.Kind() != reflect.Pointer
}

// element fills in the type of f.
func (b *builder) element(f *descriptorpb.FieldDescriptorProto, t reflect.Type, option string) {
	known := func(m proto.Message) {
		d := m.ProtoReflect().Descriptor()
		b.deps[d.ParentFile().Path()] = true
		f.Type = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum()
		f.TypeName = proto.String("." + string(d.FullName()))
	}
	switch {
	case t == reflect.TypeFor[time.Time]():
		known(new(timestamppb.Timestamp))
	case t == reflect.TypeFor[time.Duration]():
		known(new(durationpb.Duration))
	case t.Kind() == reflect.Pointer && t.Implements(reflect.TypeFor[proto.Message]()):
		known(reflect.New(t.Elem()).Interface().(proto.Message))
	case t.Kind() == reflect.Pointer || t.Kind() == reflect.Struct:
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		f.Type = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum()
		f.TypeName = proto.String(".wiretest." + b.message(t))
	default:
		f.Type = scalars[t.Kind().String()+option].Enum()
	}
}

var scalars = map[string]descriptorpb.FieldDescriptorProto_Type{
	"bool": descriptorpb.FieldDescriptorProto_TYPE_BOOL,
	"int8": descriptorpb.FieldDescriptorProto_TYPE_INT32, "int16": descriptorpb.FieldDescriptorProto_TYPE_INT32,
	"int32": descriptorpb.FieldDescriptorProto_TYPE_INT32, "int64": descriptorpb.FieldDescriptorProto_TYPE_INT64,
	"int":   descriptorpb.FieldDescriptorProto_TYPE_INT64,
	"uint8": descriptorpb.FieldDescriptorProto_TYPE_UINT32, "uint16": descriptorpb.FieldDescriptorProto_TYPE_UINT32,
	"uint32": descriptorpb.FieldDescriptorProto_TYPE_UINT32, "uint64": descriptorpb.FieldDescriptorProto_TYPE_UINT64,
	"uint":        descriptorpb.FieldDescriptorProto_TYPE_UINT64,
	"int32zigzag": descriptorpb.FieldDescriptorProto_TYPE_SINT32, "int64zigzag": descriptorpb.FieldDescriptorProto_TYPE_SINT64,
	"int32fixed": descriptorpb.FieldDescriptorProto_TYPE_SFIXED32, "int64fixed": descriptorpb.FieldDescriptorProto_TYPE_SFIXED64,
	"intfixed":    descriptorpb.FieldDescriptorProto_TYPE_SFIXED64,
	"uint32fixed": descriptorpb.FieldDescriptorProto_TYPE_FIXED32, "uint64fixed": descriptorpb.FieldDescriptorProto_TYPE_FIXED64,
	"float32": descriptorpb.FieldDescriptorProto_TYPE_FLOAT, "float64": descriptorpb.FieldDescriptorProto_TYPE_DOUBLE,
	"string": descriptorpb.FieldDescriptorProto_TYPE_STRING,
	"slice":  descriptorpb.FieldDescriptorProto_TYPE_BYTES, "array": descriptorpb.FieldDescriptorProto_TYPE_BYTES,
}
