// SPDX-License-Identifier: MIT

package game

import (
	"context"
	"sort"
	"time"
)

// Buy buys from the shop. It is durable before the reply (G1). number is the
// client's own for this purchase: the same number again returns the receipt of
// the first time (G2), so a client may repeat a purchase that is in doubt.
//
//troupe:client
//troupe:max 64
func (p *Player) Buy(ctx context.Context, item, count int32, number int64) (Receipt, error) {
	d := &p.doc.Data
	for _, r := range d.Purchases {
		if r.Number == number {
			return r, p.doc.Save(ctx) // the first time may have failed after its change
		}
	}
	receipt, err := p.buy(item, count, number)
	if err != nil {
		return Receipt{}, err
	}
	if err := p.doc.Save(ctx); err != nil {
		return Receipt{}, err
	}
	p.tell("")
	if it := p.content.Tables().Items[item]; it.Attack > 0 || it.Defense > 0 {
		p.enter() // the zone should know the new gear
	}
	return receipt, nil
}

// buy changes the document.
func (p *Player) buy(item, count int32, number int64) (Receipt, error) {
	d := &p.doc.Data
	t := p.content.Tables()
	for _, ware := range t.Shop {
		if ware.ID != item {
			continue
		}
		cost := ware.Price * int64(count)
		switch {
		case count < 1 || count > 99:
			return Receipt{}, ErrCount
		case d.Gold < cost:
			return Receipt{}, ErrPoor
		case d.Bag[item]+count > maxStack:
			return Receipt{}, ErrFull
		}
		d.Gold -= cost
		d.Bag[item] += count
		d.Bought++
		r := Receipt{Number: number, Item: item, Count: count, Price: cost, Gold: d.Gold, At: time.Now().UTC()}
		if len(d.Purchases) >= keepPurchases {
			d.Purchases = append(d.Purchases[:0:0], d.Purchases[len(d.Purchases)-keepPurchases+1:]...)
		}
		d.Purchases = append(d.Purchases, r)
		return r, nil
	}
	return Receipt{}, ErrNoItem
}

// Sell sells things at half their price and returns the gold.
//
//troupe:client
func (p *Player) Sell(ctx context.Context, item, count int32) (int64, error) {
	d := &p.doc.Data
	it, ok := p.content.Tables().Items[item]
	switch {
	case !ok:
		return 0, ErrNoItem
	case count < 1:
		return 0, ErrCount
	case d.Bag[item] < count:
		return 0, ErrNoItem
	}
	p.take(item, count)
	d.Gold += it.Price / 2 * int64(count)
	if err := p.doc.Save(ctx); err != nil {
		return 0, err
	}
	p.tell("")
	return d.Gold, nil
}

// Use eats or drinks one.
//
//troupe:client
func (p *Player) Use(_ context.Context, item int32) error {
	d := &p.doc.Data
	it, ok := p.content.Tables().Items[item]
	if !ok || it.Heal == 0 || d.Bag[item] < 1 {
		return ErrNoItem
	}
	p.take(item, 1)
	d.HP = min(d.HP+it.Heal, p.maxHP())
	p.tell("")
	return ZoneOf(p, d.Zone).SendHeal(p.ID(), it.Heal)
}

// Wares lists the items of the game.
//
//troupe:client
func (p *Player) Wares(context.Context) ([]Ware, error) {
	t := p.content.Tables()
	var wares []Ware
	sold := map[int32]bool{}
	for _, it := range t.Shop {
		sold[it.ID] = true
	}
	for _, it := range t.Items {
		wares = append(wares, Ware{
			Item: it.ID, Name: it.Name, Icon: it.Icon, Price: it.Price,
			Heal: it.Heal, Attack: it.Attack, Defense: it.Defense, Sold: sold[it.ID],
		})
	}
	sort.Slice(wares, func(i, j int) bool { return wares[i].Item < wares[j].Item })
	return wares, nil
}

// take removes things that are there from the bag.
func (p *Player) take(item, count int32) {
	bag := p.doc.Data.Bag
	if bag[item] -= count; bag[item] <= 0 {
		delete(bag, item)
	}
}

func (p *Player) bag() []Stack {
	stacks := make([]Stack, 0, len(p.doc.Data.Bag))
	for item, count := range p.doc.Data.Bag {
		stacks = append(stacks, Stack{Item: item, Count: count})
	}
	sort.Slice(stacks, func(i, j int) bool { return stacks[i].Item < stacks[j].Item })
	return stacks
}

// Grant is a GM's gift, or fine. It is durable.
//
//troupe:system
func (p *Player) Grant(ctx context.Context, gold int64, item, count int32) (int64, error) {
	d := &p.doc.Data
	if d.Name == "" {
		return 0, ErrNobody
	}
	d.Gold = max(d.Gold+gold, 0)
	if _, ok := p.content.Tables().Items[item]; ok && count > 0 {
		d.Bag[item] = min(d.Bag[item]+count, maxStack)
	}
	if err := p.doc.Save(ctx); err != nil {
		return 0, err
	}
	p.tell("a gift")
	return d.Gold, nil
}

// Teleport is a GM's way to move somebody.
//
//troupe:system
func (p *Player) Teleport(_ context.Context, zone int64, x, y float32) error {
	if _, ok := p.content.Tables().Zones[zone]; !ok {
		return ErrNotThere
	}
	p.travel(zone, x, y)
	return nil
}
