// SPDX-License-Identifier: MIT

package game

import (
	"context"
	"time"

	"github.com/troupe-go/troupe/examples/mmo/aoi"
	"github.com/troupe-go/troupe/examples/mmo/content"
)

// foe is a monster: it wanders about its home, chases who comes near, and goes
// home when led too far away.
type foe struct {
	e      *aoi.Entity
	kind   content.Monster
	home   content.Spawn
	comes  bool // back after death
	goalX  float32
	goalY  float32
	prey   *visitor
	rest   time.Time // until when it stands still
	bite   time.Time
	seq    uint8
	hurtBy map[int64]bool
}

type respawn struct {
	spawn content.Spawn
	at    time.Time
}

type loot struct {
	e     *aoi.Entity
	item  int32
	until time.Time
}

// Monsters act every foeTicks-th tick: their steps are smoothed by clients.
const (
	foeTicks   = 4
	leash      = 220 // units beyond the home's radius
	biteRange  = 22
	biteEvery  = time.Second
	lootTTL    = 40 * time.Second
	lootRange  = 22
	lootOffset = 6
)

func (z *Zone) populate() {
	for _, s := range z.table.Spawns {
		for range s.Count {
			z.spawn(s, true)
		}
	}
}

func (z *Zone) spawn(s content.Spawn, comes bool) {
	kind, ok := z.content.Tables().Monsters[s.Monster]
	if !ok {
		return
	}
	f := &foe{kind: kind, home: s, comes: comes}
	f.e = &aoi.Entity{ID: int64(kind.ID), Kind: aoi.Monster, Name: kind.Name, Look: kind.Look, MaxHP: kind.HP}
	x, y := z.somewhere(s)
	f.goalX, f.goalY = x, y
	z.area.Add(f.e, x, y, kind.HP)
	z.foes[f.e.Handle()] = f
}

func (z *Zone) somewhere(s content.Spawn) (x, y float32) {
	x = s.X + (z.rand.Float32()*2-1)*s.Radius
	y = s.Y + (z.rand.Float32()*2-1)*s.Radius
	return inside(x), inside(y)
}

func inside(v float32) float32 { return min(max(v, 12), aoi.Size-12) }

func (z *Zone) runFoes() {
	if z.ticks%foeTicks != 0 {
		return
	}
	for _, f := range z.foes {
		z.think(f)
	}
	waiting := z.waiting[:0]
	for _, w := range z.waiting {
		if z.now.After(w.at) {
			z.spawn(w.spawn, true)
		} else {
			waiting = append(waiting, w)
		}
	}
	z.waiting = waiting
}

// think is a monster's turn.
func (z *Zone) think(f *foe) {
	x, y := f.e.X(), f.e.Y()
	if f.prey != nil && !z.huntable(f) {
		f.prey = nil
		f.goalX, f.goalY = z.somewhere(f.home)
	}
	if f.prey == nil && z.ticks%(foeTicks*3) == int64(f.e.Handle())%3*foeTicks {
		f.prey = z.nearest(f)
	}
	if f.prey != nil {
		f.goalX, f.goalY = f.prey.e.X(), f.prey.e.Y()
		if distance(x, y, f.goalX, f.goalY) <= biteRange {
			z.bite(f)
			return
		}
	} else if z.now.Before(f.rest) {
		return
	}
	d := distance(x, y, f.goalX, f.goalY)
	step := f.kind.Speed * float32(z.period.Seconds()) * foeTicks
	if f.prey == nil {
		step *= 0.5
	}
	if d <= step {
		if f.prey == nil {
			f.rest = z.now.Add(time.Duration(z.rand.IntN(4000)) * time.Millisecond)
			f.goalX, f.goalY = z.somewhere(f.home)
		}
		return
	}
	f.seq++
	z.area.Move(f.e, inside(x+(f.goalX-x)/d*step), inside(y+(f.goalY-y)/d*step), f.seq)
}

// huntable reports whether the prey can still be chased.
func (z *Zone) huntable(f *foe) bool {
	v := f.prey
	return z.visitors[v.ID] == v && !z.inTown(v) &&
		distance(v.e.X(), v.e.Y(), f.e.X(), f.e.Y()) < f.kind.Aggro*2 &&
		distance(f.e.X(), f.e.Y(), f.home.X, f.home.Y) < f.home.Radius+leash
}

// townRadius is where monsters do not go.
const townRadius = 120

func (z *Zone) inTown(v *visitor) bool {
	return distance(v.e.X(), v.e.Y(), z.table.Town[0], z.table.Town[1]) < townRadius
}

// nearest returns a player within the monster's reach, in its own cell or the
// ones around.
func (z *Zone) nearest(f *foe) *visitor {
	var best *visitor
	reach := f.kind.Aggro
	var around [9]int
	for _, c := range aoi.Block(around[:0], f.e.Cell()) {
		for _, e := range z.area.Members(c) {
			if e.Kind != aoi.Player {
				continue
			}
			v := z.visitors[e.ID]
			if d := distance(e.X(), e.Y(), f.e.X(), f.e.Y()); v != nil && d < reach && !z.inTown(v) {
				best, reach = v, d
			}
		}
	}
	return best
}

func (z *Zone) bite(f *foe) {
	if z.now.Before(f.bite) {
		return
	}
	f.bite = z.now.Add(biteEvery)
	v := f.prey
	damage := max(f.kind.Damage-v.Defense+int32(z.rand.IntN(3)), 1)
	z.area.Hit(f.e, v.e, uint16(damage))
	if left := int32(v.e.HP()) - damage; left > 0 {
		z.area.SetHP(v.e, uint16(left))
		_ = PlayerOf(z, v.ID).SendHealth(left, false)
		return
	}
	f.prey = nil
	z.area.SetHP(v.e, uint16(v.MaxHP))
	z.area.Move(v.e, z.table.Town[0], z.table.Town[1], 0)
	_ = PlayerOf(z, v.ID).SendHealth(v.MaxHP, true)
	z.putBack(v)
}

// Attack strikes a monster.
func (z *Zone) Attack(_ context.Context, player int64, handle int32) error {
	v, f := z.visitors[player], z.foes[uint16(handle)]
	z.now = time.Now()
	if v == nil || f == nil || z.now.Before(v.struck) || distance(v.e.X(), v.e.Y(), f.e.X(), f.e.Y()) > attackRange {
		return nil
	}
	v.struck = z.now.Add(attackEvery)
	damage := v.Attack + int32(z.rand.IntN(4))
	z.area.Hit(v.e, f.e, uint16(damage))
	if f.prey == nil {
		f.prey = v
	}
	if f.hurtBy == nil {
		f.hurtBy = make(map[int64]bool)
	}
	f.hurtBy[player] = true
	if left := int32(f.e.HP()) - damage; left > 0 {
		z.area.SetHP(f.e, uint16(left))
		return nil
	}
	z.slay(f)
	return nil
}

// slay rewards all who took part, and leaves loot to who comes first.
func (z *Zone) slay(f *foe) {
	n := int64(len(f.hurtBy))
	for player := range f.hurtBy {
		_ = PlayerOf(z, player).SendReward((f.kind.Gold+n-1)/n, (f.kind.XP+n-1)/n, 0, 0)
	}
	for i, d := range f.kind.Drops {
		if z.rand.Float64() < d.Chance {
			l := &loot{item: d.Item, until: z.now.Add(lootTTL)}
			l.e = &aoi.Entity{ID: int64(d.Item), Kind: aoi.Loot, Name: z.content.Tables().Items[d.Item].Name, Look: uint8(d.Item)}
			z.area.Add(l.e, inside(f.e.X()+float32(i)*lootOffset), inside(f.e.Y()), 0)
			z.loot = append(z.loot, l)
		}
	}
	if f.comes {
		z.waiting = append(z.waiting, respawn{f.home, z.now.Add(time.Duration(f.kind.Respawn * float32(time.Second)))})
	}
	delete(z.foes, f.e.Handle())
	z.area.Remove(f.e)
}

// runLoot gives loot to who stands on it and drops what is old.
func (z *Zone) runLoot() {
	if len(z.loot) == 0 || z.ticks%foeTicks != 1 {
		return
	}
	left := z.loot[:0]
	for _, l := range z.loot {
		v := z.taker(l)
		if v != nil {
			_ = PlayerOf(z, v.ID).SendReward(0, 0, l.item, 1)
		}
		if v != nil || z.now.After(l.until) {
			z.area.Remove(l.e)
			continue
		}
		left = append(left, l)
	}
	clear(z.loot[len(left):])
	z.loot = left
}

func (z *Zone) taker(l *loot) *visitor {
	for _, e := range z.area.Members(l.e.Cell()) {
		if e.Kind == aoi.Player && distance(e.X(), e.Y(), l.e.X(), l.e.Y()) < lootRange {
			return z.visitors[e.ID]
		}
	}
	return nil
}
