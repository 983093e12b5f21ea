// SPDX-License-Identifier: MIT

package aoi

// Tick ends a round. It calls personal for each player that has come into a
// cell since the last tick, with the content of the cells that are new to it,
// and then shared for each cell with players that has something to tell them.
// A player must get its personal frame before the shared one of its cell.
//
// The frames are the callee's to keep.
func (a *Area) Tick(personal func(e *Entity, frame []byte), shared func(cell int, frame []byte)) {
	a.tick++
	for i := range a.cells {
		a.encode(i)
	}
	for _, e := range a.crossers {
		if e.cell >= 0 && e.crossed {
			a.arrive(e, personal)
		}
		e.crossed = false
	}
	a.crossers = a.crossers[:0]
	var around [9]int
	for i := range a.cells {
		if !a.watched(i) {
			continue
		}
		block := Block(around[:0], i)
		size := 0
		for _, c := range block {
			if n := len(a.cells[c].records); n > 0 {
				size += n + 3
			}
		}
		if size == 0 {
			continue
		}
		frame := appendHeader(make([]byte, 0, size+5), a.tick, i)
		for _, c := range block {
			if r := a.cells[c].records; len(r) > 0 {
				frame = appendSection(frame, c, r)
			}
		}
		shared(i, frame)
	}
}

// watched reports whether a player is in the cell.
func (a *Area) watched(i int) bool {
	for _, e := range a.cells[i].members {
		if e.Kind == Player {
			return true
		}
	}
	return false
}

// arrive sends e the cells that it did not see before.
func (a *Area) arrive(e *Entity, personal func(*Entity, []byte)) {
	if e.seen == e.cell {
		return
	}
	var around [9]int
	frame := appendHeader(nil, a.tick, e.cell)
	for _, c := range Block(around[:0], e.cell) {
		if e.seen < 0 || !Sees(e.seen, c) {
			frame = appendSection(frame, c, a.keyOf(c))
		}
	}
	e.seen = e.cell
	personal(e, frame)
}

// keyOf returns the whole content of a cell.
func (a *Area) keyOf(i int) []byte {
	c := &a.cells[i]
	if c.keyTick == a.tick {
		return c.key
	}
	c.keyTick = a.tick
	c.key = append(c.key[:0], opKey)
	for _, e := range c.members {
		c.key = appendFull(c.key, e)
	}
	return c.key
}

// encode writes what happened in a cell since the last tick. Only the state at
// the end counts: an entity that left and came back has not left.
func (a *Area) encode(i int) {
	c := &a.cells[i]
	b := c.records[:0]
	if int(a.tick)%KeyEvery == i%KeyEvery {
		b = append(b, a.keyOf(i)...)
		for _, e := range c.hurt {
			e.hurt = false
		}
		for _, e := range c.moved {
			e.moved = false
		}
	} else {
		b = a.encodeChanges(b, i)
	}
	c.records = append(b, c.hits...)
	clear(c.left)
	clear(c.entered)
	clear(c.moved)
	clear(c.hurt)
	c.left, c.entered, c.moved, c.hurt, c.hits = c.left[:0], c.entered[:0], c.moved[:0], c.hurt[:0], c.hits[:0]
}

func (a *Area) encodeChanges(b []byte, i int) []byte {
	c := &a.cells[i]
	for _, e := range c.left {
		if e.cell != i {
			b = appendHandle(b, opLeave, e.handle)
		}
	}
	for _, e := range c.entered {
		if e.cell == i && e.fresh != a.tick {
			e.fresh = a.tick
			b = appendFull(b, e)
		}
	}
	for _, e := range c.moved {
		e.moved = false
		if e.cell == i && e.fresh != a.tick {
			b = appendMove(b, e)
		}
	}
	for _, e := range c.hurt {
		e.hurt = false
		if e.cell == i && e.fresh != a.tick {
			b = appendHandle(b, opHP, e.handle)
			b = append(b, byte(e.hp>>8), byte(e.hp))
		}
	}
	return b
}
