// SPDX-License-Identifier: MIT

package orm

import (
	"fmt"
	"reflect"
	"strings"
	"sync/atomic"
	"unsafe"
)

// Type is a document type: a Go struct, the table it lives in, its version and
// how older versions become the current one. Make it with Document; it is
// read-only afterwards.
type Type struct {
	name     string
	goType   reflect.Type
	version  int
	upgrades map[int]UpgradeFunc

	plan    *plan
	zones   *zones
	table   *Table
	indexes []indexField
	compare comparer
	size    atomic.Int64 // of the last encoded document: the next needs about as much

	err error // reported by Open
}

// UpgradeFunc turns the stored bytes of one version into those of the next. It
// must depend on nothing but its argument and must not keep it.
type UpgradeFunc func(old []byte) ([]byte, error)

// TypeOption changes a Type while Document makes it.
type TypeOption func(*Type)

// Version sets the version of the type, 1 or more. Raise it whenever a stored
// document would no longer decode, or would mean something else. Defaults to 1.
func Version(n int) TypeOption { return func(t *Type) { t.version = n } }

// Upgrade registers how documents of version from become version from+1. It
// works on the stored JSON, so that it never changes when the Go type does.
func Upgrade(from int, fn UpgradeFunc) TypeOption {
	return func(t *Type) {
		if _, dup := t.upgrades[from]; dup {
			t.fail(fmt.Errorf("%w: %s: two upgrades from version %d", ErrConfig, t.name, from))
		}
		t.upgrades[from] = fn
	}
}

// UpgradeFrom is Upgrade with Go types: Old is a frozen copy of the struct as
// it was in version from, New the struct of version from+1.
func UpgradeFrom[Old, New any](from int, fn func(Old) (New, error)) TypeOption {
	return func(t *Type) {
		var z zones
		label := func(v int) string { return fmt.Sprintf("%s version %d", t.name, v) }
		oldPlan, err := compilePlan(label(from), reflect.TypeFor[Old]())
		t.fail(err)
		newPlan, err := compilePlan(label(from+1), reflect.TypeFor[New]())
		t.fail(err)
		if t.err != nil {
			return
		}
		Upgrade(from, func(data []byte) ([]byte, error) {
			var old Old
			if err := decodeInto(label(from), oldPlan, &z, data, unsafe.Pointer(&old)); err != nil {
				return nil, err
			}
			next, err := fn(old)
			if err != nil {
				return nil, err
			}
			return encodeFrom(label(from+1), newPlan, &z, nil, unsafe.Pointer(&next))
		})(t)
	}
}

// Comparer is how the changes of a T are found. The default is compiled from
// the type at registration; a code generator may provide a faster one.
type Comparer[T any] interface {
	// Equal reports whether live and shadow would be stored the same way.
	Equal(live, shadow *T) bool
	// Copy makes shadow a deep copy of live and may reuse shadow's memory.
	Copy(shadow, live *T)
}

// WithComparer replaces the compiled comparer. T must be the document's type.
func WithComparer[T any](c Comparer[T]) TypeOption {
	return func(t *Type) {
		if t.goType != reflect.TypeFor[T]() {
			t.fail(fmt.Errorf("%w: %s: comparer is for %v", ErrConfig, t.name, reflect.TypeFor[T]()))
			return
		}
		t.compare = typedComparer[T]{c}
	}
}

// comparer is Comparer without the type parameter. plan is one.
type comparer interface {
	equal(live, shadow unsafe.Pointer) bool
	copy(shadow, live unsafe.Pointer)
}

type typedComparer[T any] struct{ Comparer[T] }

func (c typedComparer[T]) equal(live, shadow unsafe.Pointer) bool {
	return c.Equal((*T)(live), (*T)(shadow))
}
func (c typedComparer[T]) copy(shadow, live unsafe.Pointer) { c.Copy((*T)(shadow), (*T)(live)) }

// Document declares the document type T, stored in the table of that name:
// lower-case letters, digits and underscores, at most 40 bytes. Give the result
// to Open, which reports mistakes in the type.
//
// Supported are booleans, integers, floats, strings, []byte, time.Time,
// time.Duration, and structs, arrays, slices, pointers and maps (with string or
// integer keys) of those, recursively. Fields must be exported or tagged
// `orm:"-"`. Two pointers to one value become two values.
func Document[T any](name string, options ...TypeOption) *Type {
	t := &Type{
		name: name, goType: reflect.TypeFor[T](), version: 1,
		upgrades: make(map[int]UpgradeFunc), zones: new(zones),
	}
	var err error
	if t.plan, err = compilePlan(name, t.goType); err != nil {
		t.fail(err)
		return t
	}
	t.compare = t.plan
	for _, option := range options {
		option(t)
	}
	t.fail(t.validate())
	t.fail(t.makeTable())
	return t
}

// Name returns the name given to Document.
func (t *Type) Name() string { return t.name }

// Table returns the table of the type, for tools and tests that talk to a
// Store. It is nil when the type is invalid.
func (t *Type) Table() *Table { return t.table }

func (t *Type) fail(err error) {
	if t.err == nil {
		t.err = err
	}
}

func (t *Type) validate() error {
	if t.name == "" || len(t.name) > 40 || strings.Trim(t.name, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		return fmt.Errorf("%w: document name %q: want 1 to 40 of a-z, 0-9, _", ErrConfig, t.name)
	}
	if t.version < 1 {
		return fmt.Errorf("%w: %s: version %d is less than 1", ErrConfig, t.name, t.version)
	}
	for from := range t.upgrades {
		if from < 1 || from >= t.version {
			return fmt.Errorf("%w: %s: upgrade from version %d, but the type has version %d",
				ErrConfig, t.name, from, t.version)
		}
	}
	return nil
}

// encode returns the document at ptr in its stored form.
func (t *Type) encode(ptr unsafe.Pointer) ([]byte, error) {
	last := int(t.size.Load())
	data, err := encodeFrom(t.name, t.plan, t.zones, make([]byte, 0, last+last/16+64), ptr)
	if err == nil {
		t.size.Store(int64(len(data)))
	}
	return data, err
}

// decode reads a stored document into the zero value at ptr, through the
// upgrades if it is old. It reports whether there were any.
func (t *Type) decode(schema int, data []byte, ptr unsafe.Pointer) (upgraded bool, err error) {
	if schema > t.version {
		return false, fmt.Errorf("%w: %s: stored version %d, this program knows up to %d",
			ErrNewer, t.name, schema, t.version)
	}
	for v := schema; v < t.version; v++ {
		fn := t.upgrades[v]
		if fn == nil {
			return false, fmt.Errorf("%w: %s: no upgrade from version %d to %d", ErrUpgrade, t.name, v, v+1)
		}
		if data, err = fn(data); err != nil {
			return false, fmt.Errorf("%w: %s from version %d: %w", ErrUpgrade, t.name, v, err)
		}
	}
	return schema < t.version, decodeInto(t.name, t.plan, t.zones, data, ptr)
}

func encodeFrom(name string, p *plan, z *zones, buf []byte, ptr unsafe.Pointer) ([]byte, error) {
	e := encoder{buf: buf, zones: z}
	if bad := e.encode(p, ptr); bad != nil {
		return buf, bad.field(name, ErrValue)
	}
	return e.buf, nil
}

func decodeInto(name string, p *plan, z *zones, data []byte, ptr unsafe.Pointer) error {
	d := decoder{scanner: scanner{data: data}, zones: z}
	if bad := d.decodeDocument(p, ptr); bad != nil {
		return bad.field(name, ErrData)
	}
	return nil
}

func (v *valueError) field(name string, sentinel error) error {
	return &FieldError{Type: name, Path: strings.TrimPrefix(v.path, "."), Problem: v.problem, Err: sentinel}
}
