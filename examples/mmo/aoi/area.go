// SPDX-License-Identifier: MIT

package aoi

// Entity is something that can be seen in an Area. Kind, Name, Look, Level and
// MaxHP are shown as they were when the entity came into view; call Refresh
// after changing them. It belongs to one Area.
type Entity struct {
	ID    int64
	Kind  Kind
	Name  string
	Look  uint8
	Level uint8
	MaxHP uint16

	area    *Area
	handle  uint16
	x, y    float32
	seq     uint8
	hp      uint16
	cell    int // -1: not in the area
	index   int // in its cell's members
	moved   bool
	hurt    bool
	fresh   uint32 // tick in which it was written in full
	crossed bool   // a watcher whose cell changed
	seen    int    // a watcher's centre in its last frame, -1: none
}

// X and Y return the position in units.
func (e *Entity) X() float32 { return e.x }

// Y returns the vertical position.
func (e *Entity) Y() float32 { return e.y }

// HP returns the hit points.
func (e *Entity) HP() uint16 { return e.hp }

// Cell returns the entity's cell, -1 if it is in no area.
func (e *Entity) Cell() int { return e.cell }

// An Area is the state of a zone and of what its players have seen. It is used
// by one goroutine at a time.
type Area struct {
	tick  uint32
	cells [NumCells]cell
	// free handles wait here for reuse until no frame that is on its way can
	// name them.
	free []freeHandle
	next uint16
	// crossers are watchers whose centre changed since the last tick.
	crossers []*Entity
}

type freeHandle struct {
	handle uint16
	since  uint32
}

// handleRest is how many ticks a handle is not used again: more than KeyEvery,
// so that a client that lost the leave has dropped it.
const handleRest = 2 * KeyEvery

type cell struct {
	members []*Entity
	// what happened since the last tick
	left    []*Entity
	entered []*Entity
	moved   []*Entity
	hurt    []*Entity
	hits    []byte
	records []byte // encoded by Tick
	key     []byte // whole content, encoded at most once a tick
	keyTick uint32
}

// Add puts e into the area. An Entity is added once in its life. An area holds
// up to 60,000.
func (a *Area) Add(e *Entity, x, y float32, hp uint16) {
	e.area, e.x, e.y, e.hp, e.cell, e.seen = a, x, y, hp, -1, -1
	e.handle = a.newHandle()
	e.moved, e.hurt, e.crossed = false, false, false
	a.place(e, CellOf(x, y))
}

func (a *Area) newHandle() uint16 {
	if len(a.free) > 0 && a.tick-a.free[0].since > handleRest {
		h := a.free[0].handle
		a.free = a.free[1:]
		return h
	}
	a.next++
	return a.next
}

// Remove takes e out of the area.
func (a *Area) Remove(e *Entity) {
	if e.area != a || e.cell < 0 {
		return
	}
	a.cells[e.cell].left = append(a.cells[e.cell].left, e)
	a.unlink(e)
	e.cell = -1
	a.free = append(a.free, freeHandle{e.handle, a.tick})
}

// Move puts e to a new place. seq is shown to those who see it.
func (a *Area) Move(e *Entity, x, y float32, seq uint8) {
	if e.cell < 0 {
		return
	}
	e.x, e.y, e.seq = x, y, seq
	if c := CellOf(x, y); c != e.cell {
		a.cells[e.cell].left = append(a.cells[e.cell].left, e)
		a.unlink(e)
		a.place(e, c)
	} else if !e.moved {
		e.moved = true
		a.cells[c].moved = append(a.cells[c].moved, e)
	}
}

// SetHP changes the hit points.
func (a *Area) SetHP(e *Entity, hp uint16) {
	if e.cell < 0 || e.hp == hp {
		return
	}
	e.hp = hp
	if !e.hurt {
		e.hurt = true
		a.cells[e.cell].hurt = append(a.cells[e.cell].hurt, e)
	}
}

// Refresh shows e anew to those who see it.
func (a *Area) Refresh(e *Entity) {
	if e.cell >= 0 {
		a.cells[e.cell].entered = append(a.cells[e.cell].entered, e)
	}
}

// Hit shows that from struck to.
func (a *Area) Hit(from, to *Entity, amount uint16) {
	if to.cell < 0 {
		return
	}
	c := &a.cells[to.cell]
	c.hits = appendHandle(c.hits, opHit, from.handle)
	c.hits = append(c.hits, byte(to.handle>>8), byte(to.handle), byte(amount>>8), byte(amount))
}

// Members returns the entities of a cell. The slice is valid until the next
// change of the area.
func (a *Area) Members(cell int) []*Entity { return a.cells[cell].members }

func (a *Area) place(e *Entity, to int) {
	c := &a.cells[to]
	e.cell, e.index = to, len(c.members)
	c.members = append(c.members, e)
	c.entered = append(c.entered, e)
	if e.Kind == Player && !e.crossed {
		e.crossed = true
		a.crossers = append(a.crossers, e)
	}
}

func (a *Area) unlink(e *Entity) {
	c := &a.cells[e.cell]
	last := c.members[len(c.members)-1]
	c.members[e.index] = last
	last.index = e.index
	c.members[len(c.members)-1] = nil
	c.members = c.members[:len(c.members)-1]
}

// Handle names e in frames.
func (e *Entity) Handle() uint16 { return e.handle }

// Show makes the next tick send e everything that it sees, as if it had just
// come: for a client that starts anew.
func (a *Area) Show(e *Entity) {
	e.seen = -1
	if e.cell >= 0 && !e.crossed {
		e.crossed = true
		a.crossers = append(a.crossers, e)
	}
}
