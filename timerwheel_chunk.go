// SPDX-License-Identifier: MIT

package troupe

// wheelList is what hangs in a slot: timers in the order in which they were
// armed, in a list of chunks. The textbook has the timers themselves linked.
// But timers that expire together lie all over the memory, and a processor that
// follows links from one to the next waits for each in turn (some 170 ns here),
// while the timers of a chunk can be fetched all at once: see warm.
type wheelList[T any] struct{ head, tail *wheelChunk[T] }

// wheelChunkLen makes a chunk 256 bytes on 64-bit machines, 9 bytes a timer.
const wheelChunkLen = 29

// wheelMaxSpares bounds the empty chunks kept for reuse, 16 KiB a wheel.
const wheelMaxSpares = 64

// wheelChunk holds the timers items[first:end] of one slot, with nil where one
// was cancelled. It exists only as long as it holds a timer (live > 0).
type wheelChunk[T any] struct {
	next, prev       *wheelChunk[T]
	slot             uint16
	first, end, live uint8
	items            [wheelChunkLen]*wheelTimer[T]
}

// warm reads every timer of c, so that the processor fetches them all from
// memory at the same time, before they are handled one after the other.
func (w *timerWheel[T]) warm(c *wheelChunk[T]) {
	sum := int64(0)
	for _, t := range c.items[c.first:c.end] {
		if t != nil {
			sum += t.at
		}
	}
	w.warmed = sum // for the compiler: the loop has a purpose
}

// addChunk appends an empty chunk to slot.
func (w *timerWheel[T]) addChunk(slot int) *wheelChunk[T] {
	c := w.spare
	if c == nil {
		c = &wheelChunk[T]{}
	} else {
		w.spare = c.next
		w.spares--
	}
	list := &w.lists[slot]
	c.slot, c.next, c.prev = uint16(slot), nil, list.tail
	if list.tail == nil {
		list.head = c
		w.busy[slot/64] |= 1 << (slot % 64)
	} else {
		list.tail.next = c
	}
	list.tail = c
	return c
}

// dropChunk removes c, which is empty, from its slot.
func (w *timerWheel[T]) dropChunk(c *wheelChunk[T]) {
	list := &w.lists[c.slot]
	if c.prev == nil {
		list.head = c.next
	} else {
		c.prev.next = c.next
	}
	if c.next == nil {
		list.tail = c.prev
	} else {
		c.next.prev = c.prev
	}
	if list.head == nil {
		w.busy[c.slot/64] &^= 1 << (c.slot % 64)
	}
	w.recycle(c)
}

// recycle keeps c, which is empty and in no list, for reuse or leaves it to the
// garbage collector.
func (w *timerWheel[T]) recycle(c *wheelChunk[T]) {
	c.next, c.prev, c.first, c.end, c.live = nil, nil, 0, 0, 0
	if w.spares < wheelMaxSpares {
		c.next = w.spare
		w.spare = c
		w.spares++
	}
}
