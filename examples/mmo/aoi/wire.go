// SPDX-License-Identifier: MIT

package aoi

import (
	"encoding/binary"
	"errors"
)

// A frame, all numbers big endian:
//
//	tick u32 | centre u8 | sections
//	section: cell u8 | length u16 | records
//	full:  1 | handle u16 | id u64 | kind u8 | look u8 | level u8 | x u16 | y u16
//	         | seq u8 | hp u16 | max u16 | name length u8 | name
//	move:  2 | handle u16 | x u16 | y u16 | seq u8
//	leave: 3 | handle u16          (it left this cell; it may be in another)
//	hp:    4 | handle u16 | hp u16
//	hit:   5 | from u16 | to u16 | amount u16
//	key:   6                       (what follows is the whole cell)
const (
	opFull  = 1
	opMove  = 2
	opLeave = 3
	opHP    = 4
	opHit   = 5
	opKey   = 6
)

// ErrFrame: a frame is malformed.
var ErrFrame = errors.New("aoi: malformed frame")

func appendHeader(b []byte, tick uint32, centre int) []byte {
	return append(binary.BigEndian.AppendUint32(b, tick), byte(centre))
}

func appendSection(b []byte, cell int, records []byte) []byte {
	b = append(b, byte(cell))
	b = binary.BigEndian.AppendUint16(b, uint16(len(records)))
	return append(b, records...)
}

func appendFull(b []byte, e *Entity) []byte {
	b = append(b, opFull)
	b = binary.BigEndian.AppendUint16(b, e.handle)
	b = binary.BigEndian.AppendUint64(b, uint64(e.ID))
	b = append(b, byte(e.Kind), e.Look, e.Level)
	b = binary.BigEndian.AppendUint16(b, Quantize(e.x))
	b = binary.BigEndian.AppendUint16(b, Quantize(e.y))
	b = append(b, e.seq)
	b = binary.BigEndian.AppendUint16(b, e.hp)
	b = binary.BigEndian.AppendUint16(b, e.MaxHP)
	name := e.Name[:min(len(e.Name), 255)]
	return append(append(b, byte(len(name))), name...)
}

func appendMove(b []byte, e *Entity) []byte {
	b = append(b, opMove)
	b = binary.BigEndian.AppendUint16(b, e.handle)
	b = binary.BigEndian.AppendUint16(b, Quantize(e.x))
	b = binary.BigEndian.AppendUint16(b, Quantize(e.y))
	return append(b, e.seq)
}

func appendHandle(b []byte, op byte, handle uint16) []byte {
	return binary.BigEndian.AppendUint16(append(b, op), handle)
}

// reader consumes a frame. After the first error it returns zeros.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if len(r.b) < n {
		r.bad, r.b = true, nil
		return make([]byte, n)
	}
	head := r.b[:n]
	r.b = r.b[n:]
	return head
}

func (r *reader) u8() byte    { return r.take(1)[0] }
func (r *reader) u16() uint16 { return binary.BigEndian.Uint16(r.take(2)) }
func (r *reader) u32() uint32 { return binary.BigEndian.Uint32(r.take(4)) }
func (r *reader) u64() uint64 { return binary.BigEndian.Uint64(r.take(8)) }
