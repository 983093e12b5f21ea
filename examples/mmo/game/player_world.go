// SPDX-License-Identifier: MIT

package game

import (
	"context"
	"time"

	"github.com/troupe-go/troupe/examples/mmo/aoi"
	"github.com/troupe-go/troupe/gate"
)

// Move says where the client is now, in 1/32 units, and numbers the move.
//
//troupe:client
//troupe:max 64
func (p *Player) Move(_ context.Context, x, y int32, seq int32) error {
	if !p.joined {
		return ErrNotThere
	}
	if x < 0 || y < 0 || x >= aoi.Size*aoi.Scale || y >= aoi.Size*aoi.Scale {
		return nil // the zone's answer to nonsense is silence
	}
	p.x, p.y = float32(x)/aoi.Scale, float32(y)/aoi.Scale
	if to, nx, ny := p.crossing(); to != 0 {
		p.travel(to, nx, ny)
		return nil
	}
	return ZoneOf(p, p.doc.Data.Zone).SendMove(p.ID(), x, y, seq)
}

// Borders: within edge units of a border with a neighbour a player crosses, and
// appears arrival units inside.
const (
	edge    = 8
	arrival = 24
)

// crossing returns the zone behind the border that the player stands at.
func (p *Player) crossing() (to int64, x, y float32) {
	z := p.content.Tables().Zones[p.doc.Data.Zone]
	switch {
	case p.x < edge && z.West != 0:
		return z.West, aoi.Size - arrival, p.y
	case p.x > aoi.Size-edge && z.East != 0:
		return z.East, arrival, p.y
	case p.y < edge && z.North != 0:
		return z.North, p.x, aoi.Size - arrival
	case p.y > aoi.Size-edge && z.South != 0:
		return z.South, p.x, arrival
	}
	return 0, 0, 0
}

// travel moves the player to another zone, on whatever node that lives. Both
// messages are one-way: the old zone forgets us by itself, and the new one is
// told again by touch until it knows us.
func (p *Player) travel(to int64, x, y float32) {
	d := &p.doc.Data
	_ = ZoneOf(p, d.Zone).SendLeave(p.ID())
	p.leaveChannel(zoneChannel(d.Zone))
	d.Zone, d.X, d.Y = to, x, y
	p.x, p.y = x, y
	p.enter()
}

// enter puts the player into its zone, also when it is there already.
func (p *Player) enter() {
	d := &p.doc.Data
	if _, ok := p.content.Tables().Zones[d.Zone]; !ok {
		p.goHome()
	}
	level, _ := levelOf(d.XP)
	attack, defense := p.gear()
	_ = ZoneOf(p, d.Zone).SendEnter(Visitor{
		ID: p.ID(), Name: d.Name, Look: d.Look, Level: level, HP: d.HP, MaxHP: p.maxHP(),
		Attack: attack, Defense: defense, X: p.x, Y: p.y, Session: p.client.Session(),
	})
	p.joinChannels()
}

func (p *Player) goHome() {
	t := p.content.Tables()
	home := t.Zones[t.ZoneIDs[0]]
	p.doc.Data.Zone, p.x, p.y = home.ID, home.Town[0], home.Town[1]
	p.keepPlace()
}

// keepPlace copies the place to the document.
func (p *Player) keepPlace() { p.doc.Data.X, p.doc.Data.Y = p.x, p.y }

// touch repeats to the zone and the channels that the player is there: after a
// node's death they come back empty.
func (p *Player) touch(context.Context) {
	if !p.joined {
		return
	}
	if !p.restored.IsZero() && time.Since(p.restored) > confirmTime {
		p.client = gate.Presence{} // its gate is gone
		p.leaveWorld()
		return
	}
	d := &p.doc.Data
	_ = ZoneOf(p, d.Zone).SendTouch(p.ID(), p.client.Session())
	p.joinChannels()
	if d.XP != p.told {
		p.told = d.XP
		level, _ := levelOf(d.XP)
		_ = RankOf(p).SendScore(Standing{ID: p.ID(), Name: d.Name, Level: level, XP: d.XP, Guild: d.Guild})
	}
}

// Unknown is a zone's answer to a player that it does not know.
func (p *Player) Unknown(_ context.Context, zone int64) error {
	if p.joined && zone == p.doc.Data.Zone {
		p.enter()
	}
	return nil
}

// Entered is a zone's answer to Enter.
func (p *Player) Entered(_ context.Context, e ZoneEvent) error {
	if e.Zone != p.doc.Data.Zone {
		return nil // left again meanwhile
	}
	p.zoneNode = e.Node
	return nil
}

// Where says which nodes the player and its zone live on.
//
//troupe:client
func (p *Player) Where(context.Context) (Place, error) {
	z := p.content.Tables().Zones[p.doc.Data.Zone]
	return Place{
		PlayerNode: p.Node().Name(), Zone: z.ID, ZoneName: z.Name, ZoneNode: p.zoneNode,
		Neighbours: []int64{z.North, z.East, z.South, z.West},
	}, nil
}

// Attack strikes the monster with this handle once.
//
//troupe:client
//troupe:max 64
func (p *Player) Attack(_ context.Context, handle int32) error {
	if !p.joined {
		return ErrNotThere
	}
	return ZoneOf(p, p.doc.Data.Zone).SendAttack(p.ID(), handle)
}

// Reward is what a zone gives: for a kill, for loot that was walked over. It is
// not durable at once; a crash may cost the last second's loot.
func (p *Player) Reward(_ context.Context, gold, xp int64, item, count int32) error {
	d := &p.doc.Data
	before, _ := levelOf(d.XP)
	d.Gold += max(gold, 0)
	d.XP += max(xp, 0)
	why := ""
	if it, ok := p.content.Tables().Items[item]; ok && count > 0 {
		d.Bag[item] = min(d.Bag[item]+count, maxStack)
		why = it.Name
	}
	p.tell(why)
	if after, _ := levelOf(d.XP); after != before {
		d.HP = p.maxHP()
		p.push(EventNotice, NoticeEvent{Text: "You have reached a new level!"})
		p.enter()
	}
	return nil
}

// Health is a zone's news of the hit points.
func (p *Player) Health(_ context.Context, hp int32, died bool) error {
	p.doc.Data.HP = max(hp, 1)
	if died {
		p.push(EventNotice, NoticeEvent{Text: "You were defeated and wake up in town."})
	}
	p.tell("")
	return nil
}

// Placed is a zone's word on where the player is.
func (p *Player) Placed(_ context.Context, x, y float32) error {
	p.x, p.y = x, y
	return nil
}

// gear adds up what the bag's best weapon and shield give.
func (p *Player) gear() (attack, defense int32) {
	attack = 8
	for id, n := range p.doc.Data.Bag {
		if it, ok := p.content.Tables().Items[id]; ok && n > 0 {
			attack += it.Attack
			defense += it.Defense
		}
	}
	level, _ := levelOf(p.doc.Data.XP)
	return attack + level, defense
}
