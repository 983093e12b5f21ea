// SPDX-License-Identifier: MIT

// Package aoi decides what players in a zone see: a grid of cells, of which a
// player sees its own and the eight around it.
//
//	+---+---+---+---+
//	|   | o | o | o |      P sees the cells marked o. All players of one cell
//	+---+---+---+---+      see the same nine, so a zone encodes one frame per
//	|   | o | P | o |      cell and tick, however many players are in it.
//	+---+---+---+---+
//	|   | o | o | o |
//	+---+---+---+---+
//
// An Area is the zone's side, a View the client's. After each frame a View
// holds exactly the entities of the nine cells around its centre (invariant
// A1). Frames may be lost: every cell repeats its whole content every KeyEvery
// ticks, after which A1 holds again.
//
// Nothing here starts a goroutine, reads a clock or knows actors.
package aoi

// The measures of a zone, in units. A unit is about 20 cm.
const (
	Size     = 1280 // width and height of a zone
	CellSize = 160
	Side     = Size / CellSize // cells per row
	NumCells = Side * Side
	// Scale is how many steps a unit has on the wire: coordinates are u16.
	Scale = 32
	// KeyEvery is after how many ticks a cell repeats its whole content.
	KeyEvery = 32
)

// CellOf returns the cell at a point. Points outside belong to the nearest.
func CellOf(x, y float32) int {
	return axis(y)*Side + axis(x)
}

func axis(v float32) int { return min(max(int(v)/CellSize, 0), Side-1) }

// Sees reports whether a player in cell a sees cell b.
func Sees(a, b int) bool {
	return abs(a%Side-b%Side) <= 1 && abs(a/Side-b/Side) <= 1
}

func abs(n int) int { return max(n, -n) }

// Block appends the cells that a player in cell sees, in ascending order.
func Block(dst []int, cell int) []int {
	for dy := -1; dy <= 1; dy++ {
		for dx := -1; dx <= 1; dx++ {
			x, y := cell%Side+dx, cell/Side+dy
			if x >= 0 && x < Side && y >= 0 && y < Side {
				dst = append(dst, y*Side+x)
			}
		}
	}
	return dst
}

// Kind says what an entity is.
type Kind uint8

// The kinds of entities.
const (
	Player Kind = iota + 1
	Monster
	Loot
)

// Quantize turns a coordinate into its wire form.
func Quantize(v float32) uint16 { return uint16(min(max(v*Scale, 0), Size*Scale-1)) }

// Coordinate is the inverse of Quantize.
func Coordinate(q uint16) float32 { return float32(q) / Scale }
