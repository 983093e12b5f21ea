// SPDX-License-Identifier: MIT

package wire

import (
	"encoding/binary"
	"math"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// The consuming functions return what they read and how many bytes it took; a
// negative count is an error, see Error.

// Varint reads a varint. Generated code reads those of one byte by itself.
func Varint(b []byte) (uint64, int) {
	if len(b) > 0 && b[0] < 0x80 {
		return uint64(b[0]), 1
	}
	var v uint64
	for i := 0; i < len(b) && i < 10; i++ {
		c := b[i]
		v |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			if i == 9 && c > 1 {
				return 0, badVarint
			}
			return v, i + 1
		}
	}
	if len(b) >= 10 {
		return 0, badVarint
	}
	return 0, badTruncated
}

// Tag reads a field's number and wire type, still combined.
func Tag(b []byte) (uint64, int) {
	v, n := Varint(b)
	if num := v >> 3; n > 0 && (num == 0 || num > uint64(protowire.MaxValidNumber)) {
		return 0, badTag
	}
	return v, n
}

// Fixed32 reads four bytes.
func Fixed32(b []byte) (uint32, int) {
	if len(b) < 4 {
		return 0, badTruncated
	}
	return binary.LittleEndian.Uint32(b), 4
}

// Fixed64 reads eight bytes.
func Fixed64(b []byte) (uint64, int) {
	if len(b) < 8 {
		return 0, badTruncated
	}
	return binary.LittleEndian.Uint64(b), 8
}

// Bytes reads a length and returns the bytes that follow, which are a part of b.
func Bytes(b []byte) ([]byte, int) {
	if len(b) > 0 && b[0] < 0x80 && int(b[0]) < len(b) {
		end := 1 + int(b[0])
		return b[1:end:end], end
	}
	size, n := Varint(b)
	if n < 0 {
		return nil, n
	}
	if size > uint64(len(b)-n) {
		return nil, badTruncated
	}
	end := n + int(size)
	return b[n:end:end], end
}

// String reads a length and a copy of the bytes that follow, which must be
// valid UTF-8.
func String(b []byte) (string, int) {
	raw, n := Bytes(b)
	if n > 0 && !utf8.Valid(raw) {
		return "", badUTF8
	}
	return string(raw), n
}

// ZigZag undoes AppendZigZag.
func ZigZag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

// Skip reads the value of an unknown field with that tag.
func Skip(b []byte, tag uint64) int {
	if tag&7 == refusedType {
		return badTag
	}
	return protowire.ConsumeFieldValue(protowire.Number(tag>>3), protowire.Type(tag&7), b)
}

// CountVarints returns the number of varints in b, for a packed field.
func CountVarints(b []byte) int {
	n := 0
	for _, c := range b {
		if c < 0x80 {
			n++
		}
	}
	return n
}

// CountFields returns how many fields with that tag b holds, from its start
// up to the first field with another tag or error. All must be
// length-delimited.
func CountFields(b []byte, tag uint64) int {
	for count := 0; ; count++ {
		got, n := Varint(b)
		if n < 0 || got != tag {
			return count
		}
		_, m := Bytes(b[n:])
		if m < 0 {
			return count
		}
		b = b[n+m:]
	}
}

// minSeconds and maxSeconds bound a google.protobuf.Timestamp: the years 1 to
// 9999.
const (
	minSeconds = -62135596800
	maxSeconds = 253402300799
)

// Time reads the content of a google.protobuf.Timestamp. Fields that are
// missing keep their value of old, unless old is zero.
func Time(b []byte, old time.Time) (time.Time, error) {
	var seconds, nanos int64
	if !old.IsZero() {
		seconds, nanos = old.Unix(), int64(old.Nanosecond())
	}
	seconds, nanos, err := secondsNanos(b, seconds, nanos)
	if err != nil {
		return time.Time{}, err
	}
	if seconds < minSeconds || seconds > maxSeconds || nanos < 0 || nanos >= int64(time.Second) {
		return time.Time{}, ErrRange
	}
	return time.Unix(seconds, nanos).UTC(), nil
}

// Duration reads the content of a google.protobuf.Duration. Fields that are
// missing keep their value of old.
func Duration(b []byte, old time.Duration) (time.Duration, error) {
	seconds, nanos, err := secondsNanos(b, int64(old/time.Second), int64(old%time.Second))
	if err != nil {
		return 0, err
	}
	const limit = math.MaxInt64 / int64(time.Second)
	if seconds < -limit || seconds > limit || nanos <= -int64(time.Second) || nanos >= int64(time.Second) {
		return 0, ErrRange
	}
	whole := time.Duration(seconds) * time.Second
	sum := whole + time.Duration(nanos)
	if (nanos > 0) != (sum > whole) && nanos != 0 {
		return 0, ErrRange
	}
	return sum, nil
}

func secondsNanos(b []byte, seconds, nanos int64) (int64, int64, error) {
	for len(b) > 0 {
		tag, n := Tag(b)
		if n < 0 {
			return 0, 0, Error(n)
		}
		b = b[n:]
		switch tag {
		case 1 << 3, 2 << 3:
			v, m := Varint(b)
			if m < 0 {
				return 0, 0, Error(m)
			}
			n = m
			if tag == 1<<3 {
				seconds = int64(v)
			} else if nanos = int64(v); nanos != int64(int32(nanos)) {
				return 0, 0, ErrRange
			}
		default:
			if num := tag >> 3; num == 1 || num == 2 {
				return 0, 0, WrongType(tag)
			}
			if n = Skip(b, tag); n < 0 {
				return 0, 0, Error(n)
			}
		}
		b = b[n:]
	}
	return seconds, nanos, nil
}

// Message merges b into m. The depth is that of the message around m.
func Message(b []byte, m proto.Message, depth int) error {
	if depth >= MaxDepth {
		return ErrDepth
	}
	return proto.UnmarshalOptions{Merge: true, RecursionLimit: MaxDepth - depth}.Unmarshal(b, m)
}
