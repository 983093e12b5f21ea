// SPDX-License-Identifier: MIT

package orm

import "unsafe"

// fastMap compares and copies maps of one memory layout. A map[ItemID]Count
// with integers of 4 and 8 bytes has the layout of map[uint32]uint64: the
// runtime hashes and stores keys and elements of such basic types by size
// alone. The live map is only read through that type.
type fastMap interface {
	equal(a, b unsafe.Pointer) bool
	copy(dst, src unsafe.Pointer)
}

type fastMapOf[K, V comparable] struct{}

func (fastMapOf[K, V]) equal(a, b unsafe.Pointer) bool {
	x, y := *(*map[K]V)(a), *(*map[K]V)(b)
	if len(x) != len(y) {
		return false
	}
	for k, v := range x {
		if w, ok := y[k]; !ok || v != w {
			return false
		}
	}
	return true
}

func (fastMapOf[K, V]) copy(dst, src unsafe.Pointer) {
	from, to := *(*map[K]V)(src), (*map[K]V)(dst)
	if *to == nil {
		*to = make(map[K]V, len(from))
	}
	clear(*to)
	for k, v := range from {
		(*to)[k] = v
	}
}

// fastMapFor returns the fast path of a layout, or nil. Floats are compared as
// bits, like everywhere in a plan.
func fastMapFor(key, elem *plan) fastMap {
	switch {
	case key.form == formString:
		return fastElemFor[string](elem)
	case key.size == 4:
		return fastElemFor[uint32](elem)
	case key.size == 8:
		return fastElemFor[uint64](elem)
	}
	return nil
}

func fastElemFor[K comparable](elem *plan) fastMap {
	switch elem.form {
	case formString:
		return fastMapOf[K, string]{}
	case formBool, formInt, formUint, formFloat:
		switch elem.size {
		case 1:
			return fastMapOf[K, uint8]{}
		case 4:
			return fastMapOf[K, uint32]{}
		case 8:
			return fastMapOf[K, uint64]{}
		}
	}
	return nil
}
