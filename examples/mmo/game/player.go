// SPDX-License-Identifier: MIT

package game

import (
	"context"
	"time"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/examples/mmo/content"
	"github.com/troupe-go/troupe/gate"
	"github.com/troupe-go/troupe/orm"
)

// PlayerData is a character in the database.
type PlayerData struct {
	Name      string
	Look      int32
	Gold      int64
	XP        int64 `orm:"index"`
	HP        int32
	Zone      int64
	X, Y      float32
	Bag       map[int32]int32
	Purchases []Receipt // the last keepPurchases, oldest first
	Bought    int64     // all purchases ever
	Claimed   []int64   // letters that the mailbox may still have (G4)
	Outbox    []Letter  // letters that a mailbox may not have yet (G3)
	Guild     string
	Created   time.Time
	// Session is the client's while it plays, so that an activation on another
	// node goes on at once. The gate repeats it; see restored.
	Session gate.SessionRef
}

// Player is a character. Clients talk to their own only.
//
//troupe:kind player
type Player struct {
	troupe.Actor
	doc      orm.Doc[PlayerData]
	client   gate.Presence
	content  *content.Content
	ids      *IDs
	x, y     float32 // where the client says it is; the document follows
	joined   bool    // the client has asked to be in the world
	zoneNode string
	told     int64 // experience that the rank list knows
	// restored is when the session was taken from the document; zero once the
	// gate has confirmed it.
	restored time.Time
}

// Periods of a player's housekeeping.
const (
	touchEvery = 4 * time.Second  // tell the zone and the channels that we are here
	placeEvery = 10 * time.Second // copy the place to the document
	// confirmTime is how long a session from the document is believed: gates
	// repeat theirs every second.
	confirmTime = 5 * time.Second
)

// OnActivate loads the character.
func (p *Player) OnActivate(ctx context.Context) error {
	if err := services(p, &p.content, &p.ids); err != nil {
		return err
	}
	if err := p.doc.Load(ctx, p); err != nil {
		return err
	}
	d := &p.doc.Data
	p.x, p.y = d.X, d.Y
	if d.Bag == nil {
		d.Bag = make(map[int32]int32)
	}
	if _, err := p.Every(touchEvery, p.touch, troupe.StartAfter(p.spread(touchEvery))); err != nil {
		return err
	}
	if _, err := p.Every(placeEvery, func(context.Context) { p.keepPlace() }, troupe.StartAfter(p.spread(placeEvery))); err != nil {
		return err
	}
	p.restore()
	if len(d.Outbox) > 0 {
		p.After(time.Second, func(context.Context) { p.deliverOutbox() })
	}
	return nil
}

// OnDeactivate keeps the place; the document is flushed afterwards.
func (p *Player) OnDeactivate(context.Context) error {
	p.keepPlace()
	return nil
}

// restore goes on with the session that the last activation had.
func (p *Player) restore() {
	session := p.doc.Data.Session
	if session.IsZero() || p.doc.Data.Name == "" {
		return
	}
	_ = p.client.Handle(p, gate.SessionEvent{Change: gate.Alive, Session: session}) // fails for a second session only
	p.joined, p.restored = true, time.Now()
	p.enter()
}

// spread gives players different phases, so that not all of them act in one tick.
func (p *Player) spread(period time.Duration) time.Duration {
	return period/8 + time.Duration(uint64(p.ID())*2654435761%1024)*period/1024
}

// Born makes the character if it does not exist. It is durable.
func (p *Player) Born(ctx context.Context, name string) error {
	d := &p.doc.Data
	if d.Name != "" {
		return nil
	}
	t := p.content.Tables()
	home := t.Zones[t.ZoneIDs[0]]
	d.Name, d.Gold, d.HP, d.Created = name, startGold, startHP, time.Now().UTC()
	d.Look = int32(uint64(p.ID()) * 2654435761 >> 7 % 12)
	d.Zone, d.X, d.Y = home.ID, home.Town[0]+float32(p.ID()%97)-48, home.Town[1]+float32(p.ID()%89)-44
	d.Bag[2] = 3
	p.x, p.y = d.X, d.Y
	return p.doc.Save(ctx)
}

// Session hears of the client's connection.
func (p *Player) Session(_ context.Context, e gate.SessionEvent) error {
	before := p.client.Session()
	if err := p.client.Handle(p, e); err != nil {
		return err
	}
	now := p.client.Session()
	p.restored = time.Time{}
	switch {
	case now.IsZero() && !before.IsZero():
		p.leaveWorld()
	case e.Change != gate.Opened && e.Change != gate.Offline && !now.IsZero() && !p.joined && p.doc.Data.Name != "":
		p.joined = true // activated again, under a client that is playing
		p.doc.Data.Session = now
		p.enter()
	case now != before && p.joined:
		p.doc.Data.Session = now
		p.enter()
	}
	return nil
}

func (p *Player) leaveWorld() {
	p.joined = false
	p.doc.Data.Session = gate.SessionRef{}
	p.keepPlace()
	_ = ZoneOf(p, p.doc.Data.Zone).SendLeave(p.ID()) // a zone that is gone has forgotten us
	p.leaveChannels()
	p.After(30*time.Second, func(context.Context) {
		if !p.joined && !p.client.Online() {
			p.Passivate()
		}
	})
}

// Join puts the player into the world and returns its sheet.
//
//troupe:client
func (p *Player) Join(context.Context) (Self, error) {
	if p.doc.Data.Name == "" {
		return Self{}, ErrNobody
	}
	p.joined = true
	p.doc.Data.Session = p.client.Session()
	p.enter()
	return p.self(), nil
}

// Sheet returns the player's own sheet.
//
//troupe:client
func (p *Player) Sheet(context.Context) (Self, error) { return p.self(), nil }

func (p *Player) self() Self {
	d := &p.doc.Data
	level, next := levelOf(d.XP)
	return Self{
		ID: p.ID(), Name: d.Name, Look: d.Look, Level: level, XP: d.XP, NextXP: next, Gold: d.Gold,
		HP: d.HP, MaxHP: p.maxHP(), Zone: d.Zone, X: p.x, Y: p.y, Guild: d.Guild, Bag: p.bag(), Node: p.Node().Name(),
	}
}

func (p *Player) maxHP() int32 {
	level, _ := levelOf(p.doc.Data.XP)
	return startHP + 10*(level-1)
}

// tell pushes the numbers of the sheet to the client.
func (p *Player) tell(why string) {
	d := &p.doc.Data
	level, next := levelOf(d.XP)
	p.push(EventSelf, SelfEvent{Level: level, XP: d.XP, NextXP: next, Gold: d.Gold, HP: d.HP, MaxHP: p.maxHP(), Why: why})
}

// push sends an event if there is a client; without one nobody misses it.
func (p *Player) push(event int32, data any) {
	if !p.client.Session().IsZero() {
		_ = p.client.Push(p, event, encodeEvent(data))
	}
}
