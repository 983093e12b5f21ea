// SPDX-License-Identifier: MIT

package aoi

import "fmt"

// Seen is an entity as a client knows it.
type Seen struct {
	Handle uint16
	ID     int64
	Kind   Kind
	Look   uint8
	Level  uint8
	Name   string
	X, Y   float32
	Seq    uint8
	HP     uint16
	MaxHP  uint16
	Cell   int
	mark   uint32
	fresh  bool
}

// Fresh reports whether the last record changed the move's number: repetitions
// of a cell's content do not.
func (s *Seen) Fresh() bool { return s.fresh }

// A View is what a client sees, built from frames.
type View struct {
	// Entities by handle. Read only.
	Entities map[uint16]*Seen
	// Tick and Centre are those of the last frame.
	Tick   uint32
	Centre int
	// OnMove, when set, is called for each move and full record.
	OnMove func(*Seen)

	marks uint32
}

// Reset forgets everything: the client is in another zone.
func (v *View) Reset() {
	v.Entities = make(map[uint16]*Seen)
	v.Centre = -1
}

// Apply takes a frame. After an error the view is what it was up to the
// malformed record.
func (v *View) Apply(frame []byte) error {
	if v.Entities == nil {
		v.Reset()
	}
	r := &reader{b: frame}
	tick, centre := r.u32(), int(r.u8())
	if r.bad || centre >= NumCells {
		return ErrFrame
	}
	v.Tick = tick
	if centre != v.Centre {
		v.Centre = centre
		for h, s := range v.Entities {
			if !Sees(centre, s.Cell) {
				delete(v.Entities, h)
			}
		}
	}
	for len(r.b) > 0 && !r.bad {
		cell := int(r.u8())
		records := r.take(int(r.u16()))
		if r.bad || cell >= NumCells {
			return ErrFrame
		}
		if err := v.section(cell, &reader{b: records}); err != nil {
			return err
		}
	}
	if r.bad {
		return ErrFrame
	}
	return nil
}

func (v *View) section(cell int, r *reader) error {
	v.marks++
	whole := false
	for len(r.b) > 0 && !r.bad {
		switch op := r.u8(); op {
		case opFull:
			v.full(cell, r)
		case opMove:
			v.move(cell, r)
		case opLeave:
			h := r.u16()
			if s := v.Entities[h]; s != nil && s.Cell == cell {
				delete(v.Entities, h)
			}
		case opHP:
			h, hp := r.u16(), r.u16()
			if s := v.Entities[h]; s != nil {
				s.HP = hp
			}
		case opHit:
			r.take(6)
		case opKey:
			whole = true
		default:
			return fmt.Errorf("%w: record %d", ErrFrame, op)
		}
	}
	if r.bad {
		return ErrFrame
	}
	if whole {
		for h, s := range v.Entities {
			if s.Cell == cell && s.mark != v.marks {
				delete(v.Entities, h)
			}
		}
	}
	return nil
}

func (v *View) full(cell int, r *reader) {
	s := Seen{Handle: r.u16(), ID: int64(r.u64()), Kind: Kind(r.u8()), Look: r.u8(), Level: r.u8()}
	s.X, s.Y, s.Seq = Coordinate(r.u16()), Coordinate(r.u16()), r.u8()
	s.HP, s.MaxHP = r.u16(), r.u16()
	name := r.take(int(r.u8()))
	if r.bad {
		return
	}
	s.Cell, s.mark = cell, v.marks
	known := v.Entities[s.Handle]
	if known == nil {
		known = new(Seen)
		v.Entities[s.Handle] = known
	}
	s.fresh = known.Handle == s.Handle && known.Seq != s.Seq
	s.Name = known.Name
	if s.Name != string(name) {
		s.Name = string(name)
	}
	*known = s
	if v.OnMove != nil {
		v.OnMove(known)
	}
}

func (v *View) move(cell int, r *reader) {
	h := r.u16()
	x, y, seq := r.u16(), r.u16(), r.u8()
	s := v.Entities[h]
	if s == nil || r.bad {
		return
	}
	s.fresh = s.Seq != seq
	s.X, s.Y, s.Seq, s.Cell = Coordinate(x), Coordinate(y), seq, cell
	if v.OnMove != nil {
		v.OnMove(s)
	}
}
