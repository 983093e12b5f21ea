// SPDX-License-Identifier: MIT

package postgres

import (
	"encoding/binary"
	"math"
	"sync"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/troupe-go/troupe/orm"
	"github.com/troupe-go/troupe/orm/sqldoc"
)

// arrays are the parameters of a save in PostgreSQL's binary format: one array
// per column, one element per document. They are put together in one buffer
// that is used again, because the driver's own encoding grows a new one from
// nothing for every statement, which cost more than all else in a save.
type arrays struct {
	buf    []byte
	starts []int
	values [][]byte
}

var arraysPool = sync.Pool{New: func() any { return new(arrays) }}

// maxKeptArrays bounds the buffers that wait for their next use.
const maxKeptArrays = 8 << 20

// encodeArrays returns the parameters of statements.save. The caller releases
// them when the statement is over.
func (st *statements) encodeArrays(writes []*orm.Write) *arrays {
	a := arraysPool.Get().(*arrays)
	a.buf, a.starts = a.buf[:0], a.starts[:0]
	a.text(writes, func(w *orm.Write) (string, bool) { return w.Key, true })
	a.ints(writes, func(w *orm.Write) uint64 { return w.Token.Generation })
	a.ints(writes, func(w *orm.Write) uint64 { return w.Token.Epoch })
	a.ints(writes, func(w *orm.Write) uint64 { return w.Token.Seq })
	a.ints(writes, func(w *orm.Write) uint64 { return uint64(w.Schema) })
	a.text(writes, func(w *orm.Write) (string, bool) { return sqldoc.Text(w.Data), w.Data != nil })
	for i, c := range st.Table.Columns {
		switch c.Kind {
		case orm.ColumnText:
			a.text(writes, func(w *orm.Write) (string, bool) { s, _ := w.Index[i].(string); return s, true })
		case orm.ColumnFloat:
			a.begin(writes, pgtype.Float8OID)
			for _, w := range writes {
				f, _ := w.Index[i].(float64)
				a.int64(math.Float64bits(f))
			}
		default:
			a.ints(writes, func(w *orm.Write) uint64 { n, _ := w.Index[i].(int64); return uint64(n) })
		}
	}
	a.cut()
	return a
}

// release gives a back. Its values must not be used any more.
func (a *arrays) release() {
	clear(a.values)
	if cap(a.buf) <= maxKeptArrays {
		arraysPool.Put(a)
	}
}

// begin writes the head of an array: one dimension, perhaps with NULLs.
func (a *arrays) begin(writes []*orm.Write, elem uint32) {
	a.starts = append(a.starts, len(a.buf))
	for _, v := range [...]uint32{1, 1, elem, uint32(len(writes)), 1} {
		a.buf = binary.BigEndian.AppendUint32(a.buf, v)
	}
}

func (a *arrays) int64(v uint64) {
	a.buf = binary.BigEndian.AppendUint32(a.buf, 8)
	a.buf = binary.BigEndian.AppendUint64(a.buf, v)
}

func (a *arrays) ints(writes []*orm.Write, of func(*orm.Write) uint64) {
	a.begin(writes, pgtype.Int8OID)
	for _, w := range writes {
		a.int64(of(w))
	}
}

// text appends an array of strings; not ok is NULL.
func (a *arrays) text(writes []*orm.Write, of func(*orm.Write) (s string, ok bool)) {
	a.begin(writes, pgtype.TextOID)
	for _, w := range writes {
		s, ok := of(w)
		if !ok {
			a.buf = binary.BigEndian.AppendUint32(a.buf, math.MaxUint32) // -1
			continue
		}
		a.buf = binary.BigEndian.AppendUint32(a.buf, uint32(len(s)))
		a.buf = append(a.buf, s...)
	}
}

// cut makes the values, once the buffer has its final place.
func (a *arrays) cut() {
	a.values = a.values[:0]
	for i, start := range a.starts {
		end := len(a.buf)
		if i+1 < len(a.starts) {
			end = a.starts[i+1]
		}
		a.values = append(a.values, a.buf[start:end:end])
	}
}
