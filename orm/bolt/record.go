// SPDX-License-Identifier: MIT

package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/troupe-go/troupe/orm"
)

// A record is the stored form of a row:
//
//	format byte (1)
//	uvarint generation, epoch, seq, schema
//	uvarint n, then n times: uvarint column id, uvarint length, sortable value
//	byte 0 (no document) or 1 followed by the document
type record struct {
	token  orm.Token
	schema int
	values []columnValue
	data   []byte // nil: no document; aliases the file
}

// columnValue is an index value in its sortable form.
type columnValue struct {
	column uint64
	value  []byte
}

const recordFormat = 1

var errCorrupt = errors.New("orm/bolt: corrupt record")

func (r *record) append(b []byte) []byte {
	b = append(b, recordFormat)
	b = binary.AppendUvarint(b, r.token.Generation)
	b = binary.AppendUvarint(b, r.token.Epoch)
	b = binary.AppendUvarint(b, r.token.Seq)
	b = binary.AppendUvarint(b, uint64(r.schema))
	b = binary.AppendUvarint(b, uint64(len(r.values)))
	for _, v := range r.values {
		b = binary.AppendUvarint(b, v.column)
		b = binary.AppendUvarint(b, uint64(len(v.value)))
		b = append(b, v.value...)
	}
	if r.data == nil {
		return append(b, 0)
	}
	return append(append(b, 1), r.data...)
}

func parseRecord(b []byte) (record, error) {
	p := parser{rest: b}
	if format := p.byte(); format != recordFormat {
		return record{}, fmt.Errorf("%w: format %d", errCorrupt, format)
	}
	r := record{token: orm.Token{Generation: p.uvarint(), Epoch: p.uvarint(), Seq: p.uvarint()}}
	r.schema = int(p.uvarint())
	n := p.uvarint()
	if n > uint64(len(p.rest)) {
		return record{}, errCorrupt
	}
	if n > 0 {
		r.values = make([]columnValue, n)
	}
	for i := range r.values {
		r.values[i] = columnValue{p.uvarint(), p.take(p.uvarint())}
	}
	if p.byte() == 1 {
		r.data = p.rest
	}
	if p.bad {
		return record{}, errCorrupt
	}
	return r, nil
}

func (r *record) value(column uint64) []byte {
	for _, v := range r.values {
		if v.column == column {
			return v.value
		}
	}
	return nil
}

// parser reads a record; bad stays set after the first mistake.
type parser struct {
	rest []byte
	bad  bool
}

func (p *parser) byte() byte {
	if b := p.take(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

func (p *parser) uvarint() uint64 {
	v, n := binary.Uvarint(p.rest)
	if n <= 0 {
		p.bad, p.rest = true, nil
		return 0
	}
	p.rest = p.rest[n:]
	return v
}

func (p *parser) take(n uint64) []byte {
	if n > uint64(len(p.rest)) {
		p.bad, p.rest = true, nil
		return nil
	}
	b := p.rest[:n:n]
	p.rest = p.rest[n:]
	return b
}

// sortable returns v in a form whose bytes sort like the values. No form is a
// prefix of another one of its kind: numbers have 8 bytes, text ends with NUL
// and contains none.
func sortable(v any) []byte {
	switch v := v.(type) {
	case int64:
		return binary.BigEndian.AppendUint64(nil, uint64(v)^1<<63)
	case float64:
		bits := math.Float64bits(v + 0) // one zero
		if bits>>63 == 1 {
			bits = ^bits
		} else {
			bits |= 1 << 63
		}
		return binary.BigEndian.AppendUint64(nil, bits)
	case string:
		return append([]byte(v), 0)
	}
	return nil
}
