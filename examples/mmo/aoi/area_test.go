// SPDX-License-Identifier: MIT

package aoi

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// watcher is a player with the view that the frames give it.
type watcher struct {
	e    *Entity
	view View
}

// world is an Area with the reference beside it: the plain list of entities.
type world struct {
	area     Area
	entities []*Entity
	watchers map[*Entity]*watcher
	nextID   int64
}

func (w *world) tick(t *rapid.T, lose bool) {
	apply := func(x *watcher, frame []byte) {
		if err := x.view.Apply(frame); err != nil {
			t.Fatal(err)
		}
	}
	w.area.Tick(func(e *Entity, frame []byte) {
		if !lose {
			apply(w.watchers[e], frame)
		}
	}, func(cell int, frame []byte) {
		for _, e := range w.area.Members(cell) {
			if x := w.watchers[e]; x != nil && !lose {
				apply(x, frame)
			}
		}
	})
}

// check compares every view with the entities that brute force finds (A1).
func (w *world) check(t *rapid.T) {
	for _, x := range w.watchers {
		if x.e.Cell() < 0 {
			continue
		}
		want := map[int64]string{}
		for _, e := range w.entities {
			if e.Cell() >= 0 && Sees(CellOf(x.e.X(), x.e.Y()), CellOf(e.X(), e.Y())) {
				want[e.ID] = state(e.ID, Coordinate(Quantize(e.X())), Coordinate(Quantize(e.Y())), e.HP(), e.Cell())
			}
		}
		got := map[int64]string{}
		for _, s := range x.view.Entities {
			got[s.ID] = state(s.ID, s.X, s.Y, s.HP, s.Cell)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("player %d in cell %d, tick %d:\ngot  %v\nwant %v", x.e.ID, x.e.Cell(), w.area.tick, got, want)
		}
	}
}

func state(id int64, x, y float32, hp uint16, cell int) string {
	return fmt.Sprintf("%d: %.2f %.2f hp %d cell %d", id, x, y, hp, cell)
}

// coordinate favours the borders of few cells, where mistakes live.
var coordinate = rapid.Custom(func(t *rapid.T) float32 {
	near := float32(rapid.IntRange(0, 4).Draw(t, "cell") * CellSize)
	return min(max(near+float32(rapid.IntRange(-40, 40).Draw(t, "offset"))/8, 0), Size-1)
})

func (w *world) actions(lossy *bool) map[string]func(*rapid.T) {
	pick := func(t *rapid.T) *Entity {
		var alive []*Entity
		for _, e := range w.entities {
			if e.Cell() >= 0 {
				alive = append(alive, e)
			}
		}
		if len(alive) == 0 {
			t.Skip("nobody")
		}
		return rapid.SampledFrom(alive).Draw(t, "entity")
	}
	return map[string]func(*rapid.T){
		"add": func(t *rapid.T) {
			w.nextID++
			e := &Entity{ID: w.nextID, Kind: rapid.SampledFrom([]Kind{Player, Monster}).Draw(t, "kind"), Name: "n", MaxHP: 100}
			w.area.Add(e, coordinate.Draw(t, "x"), coordinate.Draw(t, "y"), 100)
			w.entities = append(w.entities, e)
			if e.Kind == Player {
				w.watchers[e] = &watcher{e: e}
			}
		},
		"move": func(t *rapid.T) {
			w.area.Move(pick(t), coordinate.Draw(t, "x"), coordinate.Draw(t, "y"), 1)
		},
		"remove": func(t *rapid.T) { w.area.Remove(pick(t)) },
		"hp":     func(t *rapid.T) { w.area.SetHP(pick(t), uint16(rapid.IntRange(0, 100).Draw(t, "hp"))) },
		"hit": func(t *rapid.T) {
			e := pick(t)
			w.area.Hit(e, e, 3)
		},
		"refresh": func(t *rapid.T) { w.area.Refresh(pick(t)) },
		"tick": func(t *rapid.T) {
			w.tick(t, false)
			if !*lossy {
				w.check(t)
			}
		},
	}
}

func TestViewsEqualBruteForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{watchers: map[*Entity]*watcher{}}
		lossy := false
		t.Repeat(w.actions(&lossy))
	})
}

func TestViewsHealAfterLostFrames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{watchers: map[*Entity]*watcher{}}
		lossy := true
		actions := w.actions(&lossy)
		actions["lose"] = func(t *rapid.T) { w.tick(t, true) }
		t.Repeat(actions)
		for range KeyEvery {
			w.tick(t, false)
		}
		w.check(t)
	})
}

func FuzzApply(f *testing.F) {
	var a Area
	a.Add(&Entity{ID: 1, Kind: Player, Name: "ann", MaxHP: 9}, 100, 100, 5)
	keep := func(frame []byte) { f.Add(frame) }
	a.Tick(func(_ *Entity, frame []byte) { keep(frame) }, func(_ int, frame []byte) { keep(frame) })
	f.Fuzz(func(_ *testing.T, frame []byte) {
		var v View
		_ = v.Apply(frame) // must not panic
	})
}

// BenchmarkTick is a zone with 500 players who all move in each tick.
func BenchmarkTick(b *testing.B) {
	var a Area
	var all []*Entity
	for i := range 500 {
		e := &Entity{ID: int64(i), Kind: Player, Name: "somebody", MaxHP: 100}
		a.Add(e, float32(i*37%Size), float32(i*91%Size), 100)
		all = append(all, e)
	}
	bytes := 0
	b.ReportAllocs()
	for n := range b.N {
		for i, e := range all {
			a.Move(e, min(max(e.X()+float32((n+i)%7-3), 0), Size-1), e.Y(), uint8(n))
		}
		a.Tick(func(_ *Entity, f []byte) { bytes += len(f) }, func(_ int, f []byte) { bytes += len(f) })
	}
	b.ReportMetric(float64(bytes)/float64(b.N), "frame-bytes/op")
}
