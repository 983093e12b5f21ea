// SPDX-License-Identifier: MIT

package orm

import (
	"reflect"
	"sync"
	"unsafe"
)

// mapPlan compares and copies one map type.
//
// The shadow of a map is a pointer-sized slot: nil for a nil map, otherwise a
// *shadowMap, or a plain Go map for the layouts in fastMap. A shadowMap is an
// index from the key to a place in a slab, because Go cannot look up a value of
// a type known only at run time without allocating.
type mapPlan struct {
	typ     reflect.Type
	slab    reflect.Type // []elem
	key     *plan
	elem    *plan
	fast    fastMap // nil for layouts without a fast path
	scratch sync.Pool
}

// shadowMap is the copy of a map. Exactly one index is used, by kind of key.
type shadowMap struct {
	byText map[string]int
	byInt  map[uint64]int
	slab   reflect.Value
	base   unsafe.Pointer // first element of slab
	n      int
}

// mapScratch holds one entry of a map while it is walked.
type mapScratch struct {
	iter reflect.MapIter
	key  reflect.Value
	val  reflect.Value
	k, v unsafe.Pointer
}

func newMapPlan(t reflect.Type, key, elem *plan) *mapPlan {
	m := &mapPlan{typ: t, slab: reflect.SliceOf(t.Elem()), key: key, elem: elem}
	m.fast = fastMapFor(key, elem)
	m.scratch.New = func() any {
		k, v := reflect.New(t.Key()), reflect.New(t.Elem())
		return &mapScratch{key: k.Elem(), val: v.Elem(), k: k.UnsafePointer(), v: v.UnsafePointer()}
	}
	return m
}

func (m *mapPlan) equal(a, b unsafe.Pointer) bool {
	x, y := *(*unsafe.Pointer)(a), *(*unsafe.Pointer)(b)
	if x == nil || y == nil {
		return x == y
	}
	if m.fast != nil {
		return m.fast.equal(a, b)
	}
	live, shadow := reflect.NewAt(m.typ, a).Elem(), (*shadowMap)(y)
	if live.Len() != shadow.n {
		return false
	}
	s := m.scratch.Get().(*mapScratch)
	defer m.release(s)
	s.iter.Reset(live)
	for s.iter.Next() {
		s.key.SetIterKey(&s.iter)
		place, ok := m.find(shadow, s.k)
		if !ok {
			return false
		}
		s.val.SetIterValue(&s.iter)
		if !m.elem.equal(s.v, at(shadow.base, uintptr(place)*m.elem.size)) {
			return false
		}
	}
	return true
}

func (m *mapPlan) copy(dst, src unsafe.Pointer) {
	slot := (*unsafe.Pointer)(dst)
	if *(*unsafe.Pointer)(src) == nil {
		*slot = nil
		return
	}
	if m.fast != nil {
		m.fast.copy(dst, src)
		return
	}
	if *slot == nil {
		*slot = unsafe.Pointer(m.newShadow())
	}
	live, shadow := reflect.NewAt(m.typ, src).Elem(), (*shadowMap)(*slot)
	before := shadow.n
	m.reset(shadow, live.Len())
	s := m.scratch.Get().(*mapScratch)
	defer m.release(s)
	s.iter.Reset(live)
	for s.iter.Next() {
		s.key.SetIterKey(&s.iter)
		s.val.SetIterValue(&s.iter)
		m.set(shadow, s.k, shadow.n)
		m.elem.copy(at(shadow.base, uintptr(shadow.n)*m.elem.size), s.v)
		shadow.n++
	}
	if shadow.n < before && !m.elem.flat {
		shadow.slab.Slice(shadow.n, before).Clear()
	}
}

func (m *mapPlan) newShadow() *shadowMap {
	if m.key.form == formString {
		return &shadowMap{byText: make(map[string]int)}
	}
	return &shadowMap{byInt: make(map[uint64]int)}
}

// reset empties shadow and gives it room for n entries. The slab keeps its old
// elements, whose memory is reused.
func (m *mapPlan) reset(shadow *shadowMap, n int) {
	clear(shadow.byText)
	clear(shadow.byInt)
	if !shadow.slab.IsValid() || shadow.slab.Len() < n {
		fresh := reflect.MakeSlice(m.slab, n+n/4, n+n/4)
		if shadow.slab.IsValid() {
			reflect.Copy(fresh, shadow.slab)
		}
		shadow.slab, shadow.base = fresh, fresh.UnsafePointer()
	}
	shadow.n = 0
}

func (m *mapPlan) find(shadow *shadowMap, key unsafe.Pointer) (int, bool) {
	if m.key.form == formString {
		place, ok := shadow.byText[*(*string)(key)]
		return place, ok
	}
	place, ok := shadow.byInt[m.key.bits(key)]
	return place, ok
}

func (m *mapPlan) set(shadow *shadowMap, key unsafe.Pointer, place int) {
	if m.key.form == formString {
		shadow.byText[*(*string)(key)] = place
	} else {
		shadow.byInt[m.key.bits(key)] = place
	}
}

// release returns s without keeping the document's entries alive.
func (m *mapPlan) release(s *mapScratch) {
	s.iter.Reset(reflect.Value{})
	s.key.SetZero()
	s.val.SetZero()
	m.scratch.Put(s)
}

// bits returns an integer of any width as a number that is unique among the
// values of its type.
func (p *plan) bits(at unsafe.Pointer) uint64 {
	switch p.size {
	case 1:
		return uint64(*(*uint8)(at))
	case 2:
		return uint64(*(*uint16)(at))
	case 4:
		return uint64(*(*uint32)(at))
	default:
		return *(*uint64)(at)
	}
}
