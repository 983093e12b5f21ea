// SPDX-License-Identifier: MIT

package orm

import (
	"time"
	"unsafe"
)

// sliceHeader is a slice as the runtime lays it out. Writing Data through it
// has a write barrier, because the field is a pointer.
type sliceHeader struct {
	data     unsafe.Pointer
	len, cap int
}

// equal reports whether the live value at a equals the shadow at b. It
// allocates nothing. b must have been written by p.copy.
func (p *plan) equal(a, b unsafe.Pointer) bool {
	if p.flat {
		return sameBytes(a, b, p.size)
	}
	switch p.form {
	case formString:
		return *(*string)(a) == *(*string)(b)
	case formTime:
		return sameTime((*time.Time)(a), (*time.Time)(b))
	case formStruct:
		return p.equalStruct(a, b)
	case formArray:
		return p.equalElems(a, b, p.n)
	case formBytes, formSlice:
		x, y := (*sliceHeader)(a), (*sliceHeader)(b)
		if x.len != y.len || (x.data == nil) != (y.data == nil) {
			return false
		}
		return p.equalElems(x.data, y.data, x.len)
	case formMap:
		return p.maps.equal(a, b)
	default: // formPointer
		x, y := *(*unsafe.Pointer)(a), *(*unsafe.Pointer)(b)
		if x == nil || y == nil {
			return x == y
		}
		return p.elem.equal(x, y)
	}
}

func (p *plan) equalStruct(a, b unsafe.Pointer) bool {
	for i := range p.steps {
		s := &p.steps[i]
		if s.deep != nil {
			if !s.deep.equal(at(a, s.offset), at(b, s.offset)) {
				return false
			}
			continue
		}
		if sameBytes(at(a, s.offset), at(b, s.offset), s.size) {
			continue
		}
		if s.exact || !equalLeaves(s.leaves, a, b) {
			return false
		}
	}
	return true
}

// equalLeaves looks at the leaves of a run whose bytes differ: strings may have
// moved, times may have been normalised, padding is never compared.
func equalLeaves(leaves []leaf, a, b unsafe.Pointer) bool {
	for i := range leaves {
		l := &leaves[i]
		x, y := at(a, l.offset), at(b, l.offset)
		if l.plan == nil {
			if !sameBytes(x, y, l.size) {
				return false
			}
		} else if !l.plan.equal(x, y) {
			return false
		}
	}
	return true
}

func (p *plan) equalElems(a, b unsafe.Pointer, n int) bool {
	if n == 0 {
		return true
	}
	e := p.elem
	if e.quick {
		if sameBytes(a, b, uintptr(n)*e.size) {
			return true
		}
		if e.flat {
			return false
		}
	}
	for i := range n {
		off := uintptr(i) * e.size
		if !e.equal(at(a, off), at(b, off)) {
			return false
		}
	}
	return true
}

// sameBytes compares n bytes of memory.
func sameBytes(a, b unsafe.Pointer, n uintptr) bool {
	return unsafe.String((*byte)(a), int(n)) == unsafe.String((*byte)(b), int(n))
}

// sameTime reports whether two times are stored the same way: same instant,
// same offset, same zone. Monotonic clock readings do not count.
func sameTime(a, b *time.Time) bool {
	if *a == *b { // identical representation is the fast path
		return true
	}
	if !a.Equal(*b) {
		return false
	}
	if a.Location() == b.Location() {
		return true
	}
	_, x := a.Zone()
	_, y := b.Zone()
	return x == y && zoneName(a) == zoneName(b)
}

// zoneName returns the name that distinguishes zones with equal offsets.
// time.Local is stored as its offset and has none.
func zoneName(t *time.Time) string {
	if t.Location() == time.Local {
		return ""
	}
	return t.Location().String()
}
