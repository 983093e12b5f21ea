// SPDX-License-Identifier: MIT

package wire

import (
	"encoding/binary"
	"math"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// AppendVarint appends v, seven bits a byte.
func AppendVarint(b []byte, v uint64) []byte {
	if v < 0x80 {
		return append(b, byte(v))
	}
	return protowire.AppendVarint(b, v)
}

// AppendZigZag appends v so that small negative numbers are short.
func AppendZigZag(b []byte, v int64) []byte {
	return AppendVarint(b, uint64(v<<1)^uint64(v>>63))
}

// AppendBool appends one byte.
func AppendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// AppendFixed32 appends four bytes.
func AppendFixed32(b []byte, v uint32) []byte { return binary.LittleEndian.AppendUint32(b, v) }

// AppendFixed64 appends eight bytes.
func AppendFixed64(b []byte, v uint64) []byte { return binary.LittleEndian.AppendUint64(b, v) }

// AppendFloat32 appends four bytes.
func AppendFloat32(b []byte, v float32) []byte { return AppendFixed32(b, math.Float32bits(v)) }

// AppendFloat64 appends eight bytes.
func AppendFloat64(b []byte, v float64) []byte { return AppendFixed64(b, math.Float64bits(v)) }

// AppendString appends the length and the bytes of s. The decoder, not this
// function, checks that they are UTF-8.
func AppendString(b []byte, s string) []byte {
	return append(AppendVarint(b, uint64(len(s))), s...)
}

// AppendBytes appends the length and the bytes of v.
func AppendBytes(b, v []byte) []byte {
	return append(AppendVarint(b, uint64(len(v))), v...)
}

// Close writes the length of what was appended after b[start], a byte that was
// appended to hold it. Longer lengths move the content.
func Close(b []byte, start int) []byte {
	n := len(b) - start - 1
	if n < 0x80 {
		b[start] = byte(n)
		return b
	}
	return closeLong(b, start, n)
}

func closeLong(b []byte, start, n int) []byte {
	extra := protowire.SizeVarint(uint64(n)) - 1
	var room [9]byte
	b = append(b, room[:extra]...)
	copy(b[start+1+extra:], b[start+1:start+1+n])
	protowire.AppendVarint(b[start:start], uint64(n))
	return b
}

// AppendTime appends t as a google.protobuf.Timestamp with its length. Zone
// and monotonic reading are lost.
func AppendTime(b []byte, t time.Time) []byte {
	start := len(b)
	b = append(b, 0)
	b = appendSecondsNanos(b, t.Unix(), int64(t.Nanosecond()))
	return Close(b, start)
}

// AppendDuration appends d as a google.protobuf.Duration with its length.
func AppendDuration(b []byte, d time.Duration) []byte {
	start := len(b)
	b = append(b, 0)
	b = appendSecondsNanos(b, int64(d/time.Second), int64(d%time.Second))
	return Close(b, start)
}

func appendSecondsNanos(b []byte, seconds, nanos int64) []byte {
	if seconds != 0 {
		b = AppendVarint(append(b, 1<<3), uint64(seconds))
	}
	if nanos != 0 {
		b = AppendVarint(append(b, 2<<3), uint64(nanos))
	}
	return b
}

// AppendMessage appends the field num with m, deterministically. A message
// that does not marshal is written as AppendRefused does.
func AppendMessage(b []byte, num int32, m proto.Message) []byte {
	before := len(b)
	b = AppendVarint(b, uint64(num)<<3|2)
	start := len(b)
	b = append(b, 0)
	out, err := proto.MarshalOptions{Deterministic: true}.MarshalAppend(b, m)
	if err != nil {
		return AppendRefused(b[:before], num)
	}
	return Close(out, start)
}
