// SPDX-License-Identifier: MIT

package orm

import (
	"context"
	"fmt"
	"reflect"
	"unsafe"
)

// defaultFindLimit is the page size without Limit.
const defaultFindLimit = 100

// FindOption narrows or orders a Find.
type FindOption func(*findRequest) error

// findRequest is a query while it is put together for a type.
type findRequest struct {
	typ *Type
	q   Query
}

func (r *findRequest) column(path string) (*indexField, Column, error) {
	for i := range r.typ.indexes {
		if r.typ.indexes[i].path == path {
			return &r.typ.indexes[i], r.typ.table.Columns[i], nil
		}
	}
	return nil, Column{}, fmt.Errorf("%w: %s has no indexed field %q: tag it `orm:\"index\"`", ErrQuery, r.typ.name, path)
}

// Where keeps documents whose indexed field compares like that with value. path
// is the field's name, "Stats.Level" for a nested one. value must fit the
// field's type. Several conditions must all hold.
func Where(path string, op Op, value any) FindOption {
	return func(r *findRequest) error {
		x, col, err := r.column(path)
		if err != nil {
			return err
		}
		if op < Eq || op > Ge {
			return fmt.Errorf("%w: unknown comparison %d", ErrQuery, op)
		}
		v, err := x.queryValue(value)
		if err != nil {
			return err
		}
		r.q.Where = append(r.q.Where, Condition{Column: col.Name, Op: op, Value: v})
		return nil
	}
}

// OrderBy orders by an indexed field, then by key. The default is by key.
func OrderBy(path string) FindOption {
	return func(r *findRequest) error {
		_, col, err := r.column(path)
		r.q.OrderBy = col.Name
		return err
	}
}

// Descending reverses the order.
func Descending() FindOption {
	return func(r *findRequest) error {
		r.q.Desc = true
		return nil
	}
}

// Limit bounds the page. Defaults to 100.
func Limit(n int) FindOption {
	return func(r *findRequest) error {
		if n < 1 {
			return fmt.Errorf("%w: limit %d", ErrQuery, n)
		}
		r.q.Limit = n
		return nil
	}
}

// After continues behind Page.Next of an earlier Find with the same conditions
// and order. Nil starts at the beginning.
func After(p *Position) FindOption {
	return func(r *findRequest) error {
		r.q.After = p
		return nil
	}
}

// Found is one document of a Find.
type Found[T any] struct {
	Key   string
	Token Token
	Data  T
}

// Page is the result of a Find.
type Page[T any] struct {
	Items []Found[T]
	// Next continues behind the last item; nil when there is nothing more.
	Next *Position
}

// Find returns documents by their indexed fields, for tools, rankings and
// stubs. It reads the database only: changes that are not flushed yet are not
// seen, and nothing is fenced. It may be called from anywhere and blocks.
func Find[T any](ctx context.Context, db *DB, options ...FindOption) (Page[T], error) {
	var page Page[T]
	typ, err := db.typeOf(reflect.TypeFor[T]())
	if err != nil {
		return page, err
	}
	r := findRequest{typ: typ, q: Query{Limit: defaultFindLimit}}
	for _, option := range options {
		if err := option(&r); err != nil {
			return page, err
		}
	}
	if err := r.checkAfter(); err != nil {
		return page, err
	}
	rows, err := db.store.Find(ctx, typ.table, r.q)
	if err != nil {
		return page, fmt.Errorf("find %s: %w", typ.name, err)
	}
	page.Items = make([]Found[T], len(rows))
	for i, row := range rows {
		item := &page.Items[i]
		item.Key, item.Token = row.Key, row.Token
		if _, err := typ.decode(row.Schema, row.Data, unsafe.Pointer(&item.Data)); err != nil {
			return Page[T]{}, fmt.Errorf("find %s: %s: %w", typ.name, row.Key, err)
		}
	}
	if len(rows) == r.q.Limit {
		page.Next, err = r.position(rows[len(rows)-1].Key, unsafe.Pointer(&page.Items[len(rows)-1].Data))
	}
	return page, err
}

func (r *findRequest) checkAfter() error {
	if r.q.After == nil || r.q.OrderBy == "" {
		return nil
	}
	col, _, _ := r.typ.table.Column(r.q.OrderBy)
	ok := false
	switch r.q.After.Value.(type) {
	case int64:
		ok = col.Kind == ColumnInt
	case float64:
		ok = col.Kind == ColumnFloat
	case string:
		ok = col.Kind == ColumnText
	}
	if !ok {
		return fmt.Errorf("%w: After has a %T, the query is ordered by %s", ErrQuery, r.q.After.Value, col.Path)
	}
	return nil
}

// position returns the place of the document at ptr in the query's order.
func (r *findRequest) position(key string, ptr unsafe.Pointer) (*Position, error) {
	p := &Position{Key: key}
	for i, c := range r.typ.table.Columns {
		if c.Name != r.q.OrderBy {
			continue
		}
		values, err := r.typ.index(ptr)
		if err != nil {
			return nil, err
		}
		p.Value = values[i]
	}
	return p, nil
}
