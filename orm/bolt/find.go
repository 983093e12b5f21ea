// SPDX-License-Identifier: MIT

package bolt

import (
	"bytes"
	"context"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/troupe-go/troupe/orm"
)

// Find implements orm.Store. It walks the index of OrderBy if there is one,
// else the index of the first Eq condition, else the whole table; the other
// conditions are checked row by row.
func (s *Store) Find(ctx context.Context, t *orm.Table, q orm.Query) ([]orm.Row, error) {
	tab, err := s.table(t)
	if err != nil {
		return nil, err
	}
	conds, err := tab.conditions(q.Where)
	if err != nil {
		return nil, err
	}
	w, err := tab.plan(q, conds)
	if err != nil {
		return nil, err
	}
	var found []orm.Row
	err = s.db.View(func(tx *bbolt.Tx) error {
		found, err = w.run(ctx, tx, tab, conds, q.Limit)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range found {
		if token, ok := s.fences[rowID{t.Name, found[i].Key}]; ok {
			found[i].Token = token
		}
	}
	return found, nil
}

// condition is an orm.Condition in sortable form.
type condition struct {
	column column
	op     orm.Op
	value  []byte
}

func (tab *table) conditions(where []orm.Condition) ([]condition, error) {
	conds := make([]condition, len(where))
	for i, c := range where {
		col, ok := tab.column(c.Column)
		if !ok {
			return nil, fmt.Errorf("%w: no column %s.%s: open the DB with its type", orm.ErrSchema, tab.name, c.Column)
		}
		conds[i] = condition{col, c.Op, sortable(c.Value)}
	}
	return conds, nil
}

func (tab *table) column(name string) (column, bool) {
	for _, c := range tab.columns {
		if c.name == name {
			return c, true
		}
	}
	return column{}, false
}

func (c condition) holds(value []byte) bool {
	cmp := bytes.Compare(value, c.value)
	switch c.op {
	case orm.Eq:
		return cmp == 0
	case orm.Ne:
		return cmp != 0
	case orm.Lt:
		return cmp < 0
	case orm.Le:
		return cmp <= 0
	case orm.Gt:
		return cmp > 0
	case orm.Ge:
		return cmp >= 0
	}
	return false
}

// walk is a path through one bucket. Positions are bucket keys: the document's
// key, or for an index value+key.
type walk struct {
	bucket []byte
	column *column // nil: the rows themselves
	prefix []byte  // stop outside of it
	after  []byte  // start behind it, nil: at the end of the range
	desc   bool
}

func (tab *table) plan(q orm.Query, conds []condition) (walk, error) {
	w := walk{bucket: tab.rows, desc: q.Desc}
	if q.OrderBy != "" {
		col, ok := tab.column(q.OrderBy)
		if !ok {
			return w, fmt.Errorf("%w: no column %s.%s: open the DB with its type", orm.ErrSchema, tab.name, q.OrderBy)
		}
		w.bucket, w.column = col.bucket, &col
	}
	for i := range conds {
		c := &conds[i]
		if c.op != orm.Eq || w.column != nil && w.column.id != c.column.id {
			continue
		}
		w.bucket, w.column, w.prefix = c.column.bucket, &c.column, c.value
		break
	}
	if q.After != nil {
		switch {
		case w.column == nil:
			w.after = []byte(q.After.Key)
		case q.OrderBy == "":
			w.after = append(bytes.Clone(w.prefix), q.After.Key...)
		default:
			w.after = append(sortable(q.After.Value), q.After.Key...)
		}
	}
	return w, nil
}

// run walks until limit rows are found.
func (w *walk) run(ctx context.Context, tx *bbolt.Tx, tab *table, conds []condition, limit int) ([]orm.Row, error) {
	bucket := tx.Bucket(w.bucket)
	if bucket == nil {
		return nil, fmt.Errorf("%w: no table %s", orm.ErrSchema, tab.name)
	}
	var found []orm.Row
	cur := bucket.Cursor()
	for at := w.start(cur); at != nil && bytes.HasPrefix(at, w.prefix) && len(found) < limit; at = w.next(cur) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		key := w.rowKey(at)
		rec, err := tab.get(tx, string(key))
		if err != nil {
			return nil, fmt.Errorf("%q: %w", key, err)
		}
		if rec.data == nil || !rec.matches(conds) {
			continue
		}
		found = append(found, orm.Row{
			Key: string(key), Token: rec.token, Schema: rec.schema, Data: cloneData(rec.data),
		})
	}
	return found, nil
}

func (r *record) matches(conds []condition) bool {
	for _, c := range conds {
		if !c.holds(r.value(c.column.id)) {
			return false
		}
	}
	return true
}

// start returns the first position.
func (w *walk) start(cur *bbolt.Cursor) []byte {
	if !w.desc {
		from := w.prefix
		if bytes.Compare(w.after, from) > 0 {
			from = w.after
		}
		at, _ := cur.Seek(from)
		if w.after != nil && bytes.Equal(at, w.after) {
			at, _ = cur.Next()
		}
		return at
	}
	end := w.after
	if end == nil {
		end = prefixEnd(w.prefix)
	}
	if end == nil {
		at, _ := cur.Last()
		return at
	}
	if at, _ := cur.Seek(end); at == nil {
		at, _ = cur.Last()
		return at
	}
	at, _ := cur.Prev()
	return at
}

// prefixEnd returns the smallest key behind all keys with that prefix, or nil.
func prefixEnd(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

func (w *walk) next(cur *bbolt.Cursor) []byte {
	if w.desc {
		at, _ := cur.Prev()
		return at
	}
	at, _ := cur.Next()
	return at
}

// rowKey cuts the value off an index entry.
func (w *walk) rowKey(at []byte) []byte {
	if w.column == nil {
		return at
	}
	if w.column.kind == orm.ColumnText {
		return at[bytes.IndexByte(at, 0)+1:]
	}
	return at[8:]
}
