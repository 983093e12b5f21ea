// SPDX-License-Identifier: MIT

// Package model describes actor kinds, their handlers and the messages these
// exchange, as the loader finds them and the emitters print them.
package model

import (
	"go/token"
	"go/types"
)

// TroupePath is the import path of the library.
const TroupePath = "github.com/troupe-go/troupe"

// Package is one Go package with at least one actor kind.
type Package struct {
	Name, Path, Dir string
	Types           *types.Package
	Kinds           []*Kind    // in order of their names
	Messages        []*Message // every struct that handlers exchange, in order of Name
}

// Form is how actors of a kind are found; it decides which constructors of
// references are generated.
type Form string

// The forms, as written after the name in //troupe:kind.
const (
	Virtual   Form = "virtual"
	Stub      Form = "stub"
	Singleton Form = "singleton"
	Pool      Form = "pool"
	Local     Form = "local"
)

// Kind is one actor type.
type Kind struct {
	Name    string // as registered: "player"
	Type    string // the Go type: "Player"
	Form    Form
	Methods []*Method // in order of the source
	Pos     token.Position
}

// Access is a caller class, as troupe.Access prints it.
type Access string

// The caller classes.
const (
	Server Access = "server"
	Client Access = "client"
	System Access = "system"
)

// Method is one handler.
type Method struct {
	Name     string
	Number   int32 // from the lock
	Access   Access
	MaxBytes int
	Variadic bool
	Args     *Message // a field per parameter, without the context
	Reply    *Message // a field per result, without the error
	Doc      string   // without directives
	Pos      token.Position
}

// Message is a struct, or the parameters or results of a handler.
type Message struct {
	// Name is unique in the package: "Receipt", "itemsSword" for another
	// package's, "playerBuyArgs" for parameters.
	Name string
	// Key names the message in the lock: "Receipt", "example.com/items.Sword".
	Key    string
	Type   types.Type // nil for parameters and results
	Marked bool       // //troupe:message: exported codecs
	Client bool       // //troupe:message client: clients see it
	Fields []*Field   // in order of Num
	Pos    token.Position
}

// Shape is how often a field's value occurs.
type Shape uint8

// The shapes; see the documentation of troupe's internal/wire.
const (
	Single Shape = iota
	Optional
	List
	Array
	Mapping
)

// Field is one field of a message.
type Field struct {
	Name  string // of the Go struct field
	Param string // the parameter's or result's own name, or ""
	Num   int32
	Shape Shape
	Type  types.Type // the Go field's
	Len   int64      // of an array
	Key   *Value     // of a map
	Elem  Value
	Pos   token.Position
}

// ValueKind is how one value is encoded.
type ValueKind uint8

// The kinds of values, numbers first.
const (
	Bool ValueKind = iota
	Int
	Uint
	ZigZag
	FixedInt
	FixedUint
	Float
	String
	Bytes
	ByteArray
	Time
	Duration
	Struct
	Pointer // to a struct
	Proto   // a pointer type that is a proto.Message
)

// Value is how one value is encoded, without its field number.
type Value struct {
	Kind ValueKind
	Bits int // of a number: 64 for int and uint
	Type types.Type
	Len  int64    // of a byte array
	Msg  *Message // of Struct and Pointer
}

// Numeric reports whether lists of v are packed.
func (v *Value) Numeric() bool { return v.Kind <= Float }

// The wire types of protobuf.
const (
	wireVarint = 0
	wireI64    = 1
	wireLen    = 2
	wireI32    = 5
)

// WireType returns the protobuf wire type of one value.
func (v *Value) WireType() int {
	switch v.Kind {
	case Bool, Int, Uint, ZigZag:
		return wireVarint
	case FixedInt, FixedUint, Float:
		if v.Bits == 64 {
			return wireI64
		}
		return wireI32
	}
	return wireLen
}

// Tag returns the tag of one element of f.
func (f *Field) Tag() uint64 {
	if f.Shape == Mapping {
		return f.PackedTag()
	}
	return uint64(f.Num)<<3 | uint64(f.Elem.WireType())
}

// PackedTag returns the tag of f as a length-delimited field.
func (f *Field) PackedTag() uint64 { return uint64(f.Num)<<3 | wireLen }

// Packed reports whether f is a list or array of numbers.
func (f *Field) Packed() bool {
	return (f.Shape == List || f.Shape == Array) && f.Elem.Numeric()
}
