// SPDX-License-Identifier: MIT

package core

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrMalformed is wrapped by every decoding error.
var ErrMalformed = errors.New("core: malformed encoding")

// Limits of the encoding. They bound what a decoder allocates; the host
// enforces smaller ones before it proposes.
const (
	maxStringBytes = 64 << 10
	maxValueBytes  = 1 << 20
)

func appendString(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func appendBytes(b, v []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(v)))
	return append(b, v...)
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

func appendStrings(b []byte, list []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = appendString(b, s)
	}
	return b
}

// appendID encodes id; prev is the kind written before it (a run of one kind
// costs one byte per id).
func appendID(b []byte, prev string, id ID) []byte {
	if id.Kind == prev {
		b = append(b, 0)
	} else {
		b = binary.AppendUvarint(b, uint64(len(id.Kind))+1)
		b = append(b, id.Kind...)
	}
	b = binary.AppendUvarint(b, uint64(len(id.Name)))
	if id.Name == "" {
		return binary.AppendVarint(b, id.Key)
	}
	return append(b, id.Name...)
}

// reader decodes what the append functions wrote. The first problem sticks;
// later reads return zero values.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrMalformed, what)
	}
	r.b = nil
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail("uvarint")
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail("varint")
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) u32(what string) uint32 {
	v := r.uvarint()
	if v > 1<<32-1 {
		r.fail(what)
		return 0
	}
	return uint32(v)
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.fail("byte")
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *reader) bool() bool {
	switch r.byte() {
	case 0:
		return false
	case 1:
		return true
	}
	r.fail("bool")
	return false
}

// take returns the next n bytes; they alias the input.
func (r *reader) take(n, limit uint64, what string) []byte {
	if n > limit || n > uint64(len(r.b)) {
		r.fail(what)
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) string() string {
	return string(r.take(r.uvarint(), maxStringBytes, "string"))
}

// bytes returns a copy.
func (r *reader) bytes() []byte {
	v := r.take(r.uvarint(), maxValueBytes, "bytes")
	if len(v) == 0 {
		return nil
	}
	return append([]byte(nil), v...)
}

func (r *reader) array16() (v [16]byte) {
	copy(v[:], r.take(16, 16, "16 bytes"))
	return v
}

func (r *reader) array32() (v [32]byte) {
	copy(v[:], r.take(32, 32, "32 bytes"))
	return v
}

// count reads the length of a list whose elements take at least minBytes each,
// so that a hostile length cannot make the decoder allocate more than the
// input is long.
func (r *reader) count(minBytes int, what string) int {
	n := r.uvarint()
	if n > uint64(len(r.b)/minBytes) {
		r.fail(what)
		return 0
	}
	return int(n)
}

func (r *reader) strings() []string {
	n := r.count(1, "strings")
	if n == 0 {
		return nil
	}
	list := make([]string, 0, n)
	for range n {
		list = append(list, r.string())
	}
	return list
}

func (r *reader) id(prev string) ID {
	id := ID{Kind: prev}
	if n := r.uvarint(); n > 0 {
		id.Kind = string(r.take(n-1, maxStringBytes, "kind"))
	}
	if n := r.uvarint(); n > 0 {
		id.Name = string(r.take(n, maxStringBytes, "name"))
	} else {
		id.Key = r.varint()
	}
	return id
}

// end reports trailing garbage as an error.
func (r *reader) end() error {
	if r.err == nil && len(r.b) != 0 {
		r.fail("trailing bytes")
	}
	return r.err
}
