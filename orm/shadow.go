// SPDX-License-Identifier: MIT

package orm

import (
	"reflect"
	"time"
	"unsafe"
)

// copy makes the shadow at dst equal to the live value at src, deeply, and
// reuses the shadow's memory. dst is zero or was written by copy before.
//
// A shadow looks like the document's type but is not one: where the document
// has a map, it may have a pointer to a shadowMap. Only equal and copy may read
// it.
func (p *plan) copy(dst, src unsafe.Pointer) {
	if p.flat {
		copyBytes(dst, src, p.size)
		return
	}
	switch p.form {
	case formString:
		*(*string)(dst) = *(*string)(src)
	case formTime:
		*(*time.Time)(dst) = *(*time.Time)(src)
	case formStruct:
		for i := range p.leaves {
			l := &p.leaves[i]
			if l.plan == nil {
				copyBytes(at(dst, l.offset), at(src, l.offset), l.size)
			} else {
				l.plan.copy(at(dst, l.offset), at(src, l.offset))
			}
		}
	case formArray:
		p.copyElems(dst, src, p.n)
	case formBytes, formSlice:
		p.copySlice((*sliceHeader)(dst), (*sliceHeader)(src))
	case formMap:
		p.maps.copy(dst, src)
	default: // formPointer
		p.copyPointer((*unsafe.Pointer)(dst), *(*unsafe.Pointer)(src))
	}
}

func (p *plan) copyElems(dst, src unsafe.Pointer, n int) {
	e := p.elem
	if e.flat {
		copyBytes(dst, src, uintptr(n)*e.size)
		return
	}
	for i := range n {
		off := uintptr(i) * e.size
		e.copy(at(dst, off), at(src, off))
	}
}

func (p *plan) copySlice(dst, src *sliceHeader) {
	if src.data == nil {
		*dst = sliceHeader{}
		return
	}
	if dst.data == nil || dst.cap < src.len {
		p.growSlice(dst, src.len)
	}
	if src.len < dst.len && !p.elem.flat {
		// Let go of what the elements behind the end refer to.
		whole := reflect.NewAt(p.typ, unsafe.Pointer(dst)).Elem()
		whole.Slice(src.len, dst.len).Clear()
	}
	dst.len = src.len
	p.copyElems(dst.data, src.data, src.len)
}

// growSlice gives dst room for n elements and keeps its old ones, whose memory
// is reused.
func (p *plan) growSlice(dst *sliceHeader, n int) {
	room := n
	if dst.cap > 0 {
		room += n / 4 // it has grown before and will again
	}
	fresh := reflect.MakeSlice(p.typ, dst.len, room)
	if dst.data != nil {
		reflect.Copy(fresh, reflect.NewAt(p.typ, unsafe.Pointer(dst)).Elem())
	}
	*dst = sliceHeader{data: fresh.UnsafePointer(), len: dst.len, cap: room}
}

func (p *plan) copyPointer(dst *unsafe.Pointer, src unsafe.Pointer) {
	if src == nil {
		*dst = nil
		return
	}
	if *dst == nil {
		*dst = reflect.New(p.elem.typ).UnsafePointer()
	}
	p.elem.copy(*dst, src)
}

// copyBytes copies memory without pointers.
func copyBytes(dst, src unsafe.Pointer, n uintptr) {
	copy(unsafe.Slice((*byte)(dst), n), unsafe.Slice((*byte)(src), n))
}
