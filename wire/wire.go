// SPDX-License-Identifier: MIT

// Package wire holds the protobuf wire primitives that code written by
// "troupe gen" calls. Games do not use it directly.
//
// The encoding is proto3; the table of Go types and proto types is in the
// documentation of internal/wire, which produces the same bytes by reflection.
// Three rules hold everywhere:
//
//   - Appending cannot fail. What has no encoding (invalid UTF-8, a cyclic
//     value, a proto.Message that does not marshal) is written so that every
//     decoder refuses it; see AppendRefused. The sender learns of it as
//     the receiver's error, never as a silent zero value.
//   - Parsing never panics, never keeps a reference to the input, and
//     allocates at most the size of the decoded elements, each of which takes
//     at least one byte (a scalar) or two bytes (all others) of input.
//   - Unknown fields are skipped; a known field of another wire type, a number
//     that does not fit and a nesting deeper than MaxDepth are errors.
package wire

import (
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// MaxDepth is how deep messages may be nested, the outermost counting as 1.
const MaxDepth = 64

// MaxBytes is the largest message that any decoder accepts. Nodes have smaller
// caps of their own.
const MaxBytes = 256 << 20

// The reasons for which a decoder refuses its input, for errors.Is.
var (
	ErrTruncated = errors.New("wire: message is truncated")
	ErrVarint    = errors.New("wire: varint overflows 64 bits")
	ErrTag       = errors.New("wire: invalid field tag")
	ErrType      = errors.New("wire: field has another wire type")
	ErrRange     = errors.New("wire: number out of range")
	ErrUTF8      = errors.New("wire: string is not valid UTF-8")
	ErrDepth     = errors.New("wire: message is nested too deeply")
	ErrTooLarge  = errors.New("wire: message is too large")
	ErrLength    = errors.New("wire: wrong number of elements for an array")
	ErrRefused   = errors.New("wire: the sender could not encode this field")
)

// FieldError is the error of a decoder. Field is the path from the outermost
// message: "playerBuyArgs.Item.Price".
type FieldError struct {
	Field string
	Err   error
}

// Error returns "field: cause".
func (e *FieldError) Error() string { return e.Field + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *FieldError) Unwrap() error { return e.Err }

// InField says in which field err happened. A nil err stays nil.
func InField(field string, err error) error {
	if err == nil {
		return nil
	}
	var inner *FieldError
	if errors.As(err, &inner) {
		// The inner type's name is clear from the outer field.
		_, rest, _ := strings.Cut(inner.Field, ".")
		return &FieldError{Field: field + "." + rest, Err: inner.Err}
	}
	return &FieldError{Field: field, Err: err}
}

// Error returns the error for n, the negative result of a consuming function.
func Error(n int) error {
	switch n {
	case badTruncated:
		return ErrTruncated
	case badVarint:
		return ErrVarint
	case badTag:
		return ErrTag
	case badUTF8:
		return ErrUTF8
	}
	return fmt.Errorf("%w: %w", ErrTag, protowire.ParseError(n))
}

// The negative results of consuming functions. They are below protowire's.
const (
	badTruncated = -100 - iota
	badVarint
	badTag
	badUTF8
)

// WrongType returns the error for a known field that arrived with tag's wire
// type instead of its own.
func WrongType(tag uint64) error {
	if tag&7 == refusedType {
		return ErrRefused
	}
	return ErrType
}

// refusedType is one of the two wire types that protobuf does not define, so
// that every decoder refuses a field that carries it.
const refusedType = 6

// AppendRefused appends field num in a form that every decoder refuses.
func AppendRefused(b []byte, num int32) []byte {
	return AppendVarint(b, uint64(num)<<3|refusedType)
}
