// SPDX-License-Identifier: MIT

package game

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/examples/mmo/aoi"
	"github.com/troupe-go/troupe/examples/mmo/content"
	"github.com/troupe-go/troupe/gate"
)

// Zone is a square of the world. It knows who is where, lets monsters live and
// tells players what they see: one frame per cell and tick (package aoi).
//
// Nothing here is durable. A zone that comes back on another node answers
// players that it does not know with Unknown, and they enter again.
//
//troupe:kind zone
type Zone struct {
	troupe.Actor
	content *content.Content
	table   content.Zone
	rand    *rand.Rand
	area    aoi.Area
	// groups are the sessions of the players in each cell, who all see the same.
	groups   [aoi.NumCells]gate.Group
	news     gate.Batch // of this tick: one message for each gate
	visitors map[int64]*visitor
	foes     map[uint16]*foe // monsters that live, by handle
	waiting  []respawn
	loot     []*loot
	now      time.Time // of this tick or message
	ticks    int64
	ticker   *troupe.Timer
	period   time.Duration
	second   time.Time // of the last everySecond
	moves    int64
	meter    meter
}

// visitor is a player in the zone.
type visitor struct {
	Visitor
	e      *aoi.Entity
	moved  time.Time // last accepted move
	struck time.Time
	until  time.Time // forgotten unless touched before
	cell   int       // whose group the session is in; -1: none
}

// Rules of the zone.
const (
	// tickEvery is the period of frames, and tickCrowded that of a zone with at
	// least crowd players, where frames cost more than they are worth. A move
	// waits half of it on average before it is shown.
	tickEvery   = 50 * time.Millisecond
	tickCrowded = 80 * time.Millisecond
	crowd       = 150
	// visitorTTL is how long a player that is not heard of stays.
	visitorTTL = 10 * time.Second
	// topSpeed is in units per second; a client that is faster is put back.
	topSpeed    = 80
	speedSlack  = 48
	attackRange = 44
	attackEvery = 450 * time.Millisecond
)

// OnActivate fills the zone with its monsters.
func (z *Zone) OnActivate(context.Context) error {
	if err := services(z, &z.content, nil); err != nil {
		return err
	}
	table, ok := z.content.Tables().Zones[z.ID()]
	if !ok {
		return ErrNotThere
	}
	z.table = table
	z.rand = rand.New(rand.NewPCG(uint64(z.ID()), uint64(time.Now().UnixNano())))
	z.visitors = make(map[int64]*visitor)
	z.foes = make(map[uint16]*foe)
	z.now = time.Now()
	z.populate()
	return z.pace()
}

// pace sets the period of ticks to what the number of players asks for.
func (z *Zone) pace() (err error) {
	period := tickEvery
	if len(z.visitors) >= crowd {
		period = tickCrowded
	}
	if period == z.period {
		return nil
	}
	z.ticker.Stop()
	z.period = period
	z.ticker, err = z.Every(period, z.tick)
	return err
}

// Enter puts a player into the zone, or takes over its new sheet.
func (z *Zone) Enter(_ context.Context, v Visitor) error {
	z.now = time.Now()
	known := z.visitors[v.ID]
	if known != nil {
		known.Visitor = v
		known.e.Level, known.e.MaxHP = uint8(v.Level), uint16(v.MaxHP)
		z.area.SetHP(known.e, uint16(max(v.HP, 1)))
		z.area.Refresh(known.e)
		z.regroup(known)
	} else {
		known = &visitor{Visitor: v, cell: -1, moved: z.now}
		known.e = &aoi.Entity{ID: v.ID, Kind: aoi.Player, Name: v.Name, Look: uint8(v.Look), Level: uint8(v.Level), MaxHP: uint16(v.MaxHP)}
		z.area.Add(known.e, v.X, v.Y, uint16(max(v.HP, 1)))
		z.visitors[v.ID] = known
	}
	known.until = z.now.Add(visitorTTL)
	z.welcome(known)
	return nil
}

// welcome tells the client and the player's actor where they are. The view
// starts anew, so the client can reset its own.
func (z *Zone) welcome(v *visitor) {
	e := ZoneEvent{
		Zone: z.ID(), Name: z.table.Name, Look: z.table.Look, Node: z.Node().Name(), Player: v.ID, Handle: v.e.Handle(),
		X: v.e.X(), Y: v.e.Y(), TownX: z.table.Town[0], TownY: z.table.Town[1], Tick: int(z.period.Milliseconds()),
		Neighbours: [4]int64{z.table.North, z.table.East, z.table.South, z.table.West},
	}
	_ = PlayerOf(z, v.ID).SendEntered(e)
	if !v.Session.IsZero() {
		_ = v.Session.Push(z, EventZone, encodeEvent(e))
	}
	z.area.Show(v.e)
}

// Leave takes a player out.
func (z *Zone) Leave(_ context.Context, player int64) error {
	if v := z.visitors[player]; v != nil {
		z.drop(v)
	}
	return nil
}

func (z *Zone) drop(v *visitor) {
	z.ungroup(v)
	z.area.Remove(v.e)
	delete(z.visitors, v.ID)
}

// Touch says that a player is still here, and at which gate.
func (z *Zone) Touch(_ context.Context, player int64, session gate.SessionRef) error {
	z.now = time.Now()
	v := z.visitors[player]
	if v == nil {
		return PlayerOf(z, player).SendUnknown(z.ID())
	}
	v.until = z.now.Add(visitorTTL)
	if v.Session != session {
		z.ungroup(v)
		v.Session = session
		z.welcome(v)
	}
	return nil
}

// Move takes a player's new place, in 1/32 units.
func (z *Zone) Move(_ context.Context, player int64, x, y, seq int32) error {
	v := z.visitors[player]
	if v == nil {
		return PlayerOf(z, player).SendUnknown(z.ID())
	}
	z.moves++
	z.now = time.Now()
	v.until = z.now.Add(visitorTTL)
	nx, ny := float32(x)/aoi.Scale, float32(y)/aoi.Scale
	allowed := topSpeed*float32(min(z.now.Sub(v.moved), 2*time.Second).Seconds()) + speedSlack
	if distance(nx, ny, v.e.X(), v.e.Y()) > allowed {
		z.putBack(v)
		return nil
	}
	v.moved = z.now
	z.area.Move(v.e, nx, ny, uint8(seq))
	return nil
}

// putBack tells a player where the zone has it.
func (z *Zone) putBack(v *visitor) {
	_ = PlayerOf(z, v.ID).SendPlaced(v.e.X(), v.e.Y())
	if !v.Session.IsZero() {
		_ = v.Session.Push(z, EventPlace, encodeEvent(PlaceEvent{X: v.e.X(), Y: v.e.Y()}))
	}
}

// Heal gives a player hit points.
func (z *Zone) Heal(_ context.Context, player int64, hp int32) error {
	if v := z.visitors[player]; v != nil {
		z.area.SetHP(v.e, uint16(min(int32(v.e.HP())+hp, v.MaxHP)))
	}
	return nil
}

// Status is for the console.
func (z *Zone) Status(context.Context) (ZoneStatus, error) {
	mean, worst := z.meter.read()
	return ZoneStatus{
		ID: z.ID(), Name: z.table.Name, Node: z.Node().Name(), Players: int32(len(z.visitors)), Monsters: int32(len(z.foes)),
		Moves: z.moves, Ticks: z.ticks, TickMean: mean, TickMax: worst,
	}, nil
}

// Spawn is a GM's way to make monsters.
//
//troupe:system
func (z *Zone) Spawn(_ context.Context, monster, count int32, x, y float32) error {
	if _, ok := z.content.Tables().Monsters[monster]; !ok || count < 1 || count > 100 {
		return ErrCount
	}
	for range count {
		z.spawn(content.Spawn{Monster: monster, Count: 1, X: x, Y: y, Radius: 60}, false)
	}
	return nil
}
