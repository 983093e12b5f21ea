// SPDX-License-Identifier: MIT

package orm

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"
	"unsafe"
)

// indexField is a field tagged `orm:"index"`: where it is and its column.
type indexField struct {
	path   string
	offset uintptr
	plan   *plan
}

// makeTable finds the indexed fields and describes the table.
func (t *Type) makeTable() error {
	table := &Table{Name: t.name}
	if err := t.collectIndexes(table, t.plan, "", 0); err != nil {
		return err
	}
	table.Extract = t.extractStored
	t.table = table
	return nil
}

func (t *Type) collectIndexes(table *Table, p *plan, prefix string, base uintptr) error {
	for i := range p.fields {
		f := &p.fields[i]
		path := prefix + f.name
		if f.index {
			if err := t.addIndex(table, indexField{path, base + f.offset, f.plan}); err != nil {
				return err
			}
			continue
		}
		if f.plan.form == formStruct {
			if err := t.collectIndexes(table, f.plan, path+".", base+f.offset); err != nil {
				return err
			}
			continue
		}
		if inner, ok := findIndex(f.plan, make(map[*plan]bool)); ok {
			return t.typeError(path+"[]."+inner, "an index inside a slice, map, array or pointer has no single value")
		}
	}
	return nil
}

// findIndex looks for an index tag below a slice, map, array or pointer.
func findIndex(p *plan, seen map[*plan]bool) (path string, ok bool) {
	if p == nil || seen[p] {
		return "", false
	}
	seen[p] = true
	for i := range p.fields {
		f := &p.fields[i]
		if f.index {
			return f.name, true
		}
		if inner, ok := findIndex(f.plan, seen); ok {
			return f.name + "." + inner, true
		}
	}
	return findIndex(p.elem, seen)
}

func (t *Type) addIndex(table *Table, x indexField) error {
	c := Column{Name: "ix_" + strings.ToLower(strings.ReplaceAll(x.path, ".", "_")), Path: x.path}
	switch x.plan.form {
	case formBool, formInt, formUint, formTime:
		c.Kind = ColumnInt
	case formFloat:
		c.Kind = ColumnFloat
	case formString:
		c.Kind = ColumnText
	default:
		return t.typeError(x.path, fmt.Sprintf("a %s cannot be indexed", x.plan.typ))
	}
	if len(c.Name) > 60 || strings.Trim(c.Name, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		return t.typeError(x.path, "an indexed field's path must be at most 57 of A-Z, a-z, 0-9, _")
	}
	if other, _, dup := table.Column(c.Name); dup {
		return t.typeError(x.path, fmt.Sprintf("column %s is taken by %s", c.Name, other.Path))
	}
	table.Columns = append(table.Columns, c)
	t.indexes = append(t.indexes, x)
	return nil
}

func (t *Type) typeError(path, problem string) error {
	return &FieldError{Type: t.name, Path: path, Problem: problem, Err: ErrType}
}

// index returns the column values of the document at ptr.
func (t *Type) index(ptr unsafe.Pointer) ([]any, error) {
	if len(t.indexes) == 0 {
		return nil, nil
	}
	values := make([]any, len(t.indexes))
	for i, x := range t.indexes {
		v, problem := x.value(at(ptr, x.offset))
		if problem != "" {
			return nil, &FieldError{Type: t.name, Path: x.path, Problem: problem, Err: ErrValue}
		}
		values[i] = v
	}
	return values, nil
}

func (x *indexField) value(ptr unsafe.Pointer) (v any, problem string) {
	switch x.plan.form {
	case formBool, formUint:
		n := x.plan.bits(ptr)
		if n > math.MaxInt64 {
			return nil, fmt.Sprintf("%d is over the largest indexed integer, %d", n, int64(math.MaxInt64))
		}
		return int64(n), ""
	case formInt:
		return x.plan.int(ptr), ""
	case formTime:
		return (*time.Time)(ptr).UnixMicro(), ""
	case formFloat:
		f, _ := x.plan.float(ptr)
		return f + 0, "" // NaN and Inf were refused by the encoder
	}
	s := *(*string)(ptr)
	switch {
	case len(s) > MaxIndexTextBytes:
		return nil, fmt.Sprintf("an indexed string has at most %d bytes, this one %d", MaxIndexTextBytes, len(s))
	case strings.IndexByte(s, 0) >= 0:
		return nil, fmt.Sprintf("an indexed string cannot contain NUL: %q", s)
	}
	return s, ""
}

// queryValue converts a value of a query to the kind of the column.
func (x *indexField) queryValue(v any) (any, error) {
	fresh := reflect.New(x.plan.typ)
	rv := reflect.ValueOf(v)
	if !rv.IsValid() || !queryConvertible(rv, fresh.Elem()) {
		return nil, fmt.Errorf("%w: %s is a %s, got %T", ErrQuery, x.path, x.plan.typ, v)
	}
	fresh.Elem().Set(rv.Convert(x.plan.typ))
	value, problem := x.value(fresh.UnsafePointer())
	if problem != "" {
		return nil, fmt.Errorf("%w: %s: %s", ErrQuery, x.path, problem)
	}
	return value, nil
}

// queryConvertible allows conversions that keep the value: 7 for a field of
// type Level, but not "7", 7.5 or -1 for an unsigned one.
func queryConvertible(v, to reflect.Value) bool {
	t := to.Type()
	if v.Type() == t {
		return true
	}
	switch {
	case v.CanInt() && to.CanInt():
		return !to.OverflowInt(v.Int())
	case v.CanInt() && to.CanUint():
		return v.Int() >= 0 && !to.OverflowUint(uint64(v.Int()))
	case v.CanUint() && to.CanUint():
		return !to.OverflowUint(v.Uint())
	case v.CanUint() && to.CanInt():
		return v.Uint() <= math.MaxInt64 && !to.OverflowInt(int64(v.Uint()))
	case to.CanFloat():
		return v.CanFloat() || v.CanInt() || v.CanUint()
	}
	return v.Kind() == t.Kind() && (v.Kind() == reflect.String || v.Kind() == reflect.Bool)
}

// extractStored is Table.Extract: the column values of a stored document.
func (t *Type) extractStored(schema int, data []byte) ([]any, error) {
	fresh := reflect.New(t.goType).UnsafePointer()
	if _, err := t.decode(schema, data, fresh); err != nil {
		return nil, err
	}
	return t.index(fresh)
}
