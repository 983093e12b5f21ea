// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/orm"
	"github.com/troupe-go/troupe/orm/bolt"
)

//go:generate go run github.com/troupe-go/troupe/cmd/troupe gen

// errPoor is an error of the game, not of the library.
var errPoor = errors.New("not enough gold")

// Player has an inventory.
type Player struct {
	troupe.Actor
	doc orm.Doc[Inventory]
}

// OnActivate loads the inventory, through the upgrade if it is old.
func (p *Player) OnActivate(ctx context.Context) error { return p.doc.Load(ctx, p) }

// Find picks something up. It changes memory; the flusher saves it within a
// second.
func (p *Player) Find(_ context.Context, item string) error {
	p.put(item, 1)
	return nil
}

// Buy is durable before the buyer hears of it.
func (p *Player) Buy(ctx context.Context, item string, price int64) (int64, error) {
	if p.doc.Data.Gold < price {
		return p.doc.Data.Gold, fmt.Errorf("%w: %s costs %d", errPoor, item, price)
	}
	p.doc.Data.Gold -= price
	p.put(item, 1)
	return p.doc.Data.Gold, p.doc.Save(ctx)
}

// Enchant changes a value deep inside the document.
func (p *Player) Enchant(ctx context.Context, item, name string, power float64) error {
	stack, ok := p.doc.Data.Bag[item]
	if !ok {
		return fmt.Errorf("no %s in the bag", item)
	}
	stack.Enchantments = append(stack.Enchantments, Enchantment{Name: name, Power: power})
	p.doc.Data.Bag[item] = stack
	p.doc.Data.Worn = &Equipment{Hand: item}
	return p.doc.Save(ctx)
}

// Show returns the inventory.
func (p *Player) Show(context.Context) (Inventory, error) { return p.doc.Data, nil }

func (p *Player) put(item string, n int32) {
	if p.doc.Data.Bag == nil {
		p.doc.Data.Bag = make(map[string]Stack)
	}
	stack := p.doc.Data.Bag[item]
	stack.Count += n
	p.doc.Data.Bag[item] = stack
}

// Veteran is the player actor of the first release.
type Veteran struct {
	troupe.Actor
	doc orm.Doc[inventoryV1]
}

// OnActivate loads the inventory.
func (v *Veteran) OnActivate(ctx context.Context) error { return v.doc.Load(ctx, v) }

// Earn gives gold and items.
func (v *Veteran) Earn(ctx context.Context, gold int, items []string) error {
	v.doc.Data.Gold += gold
	v.doc.Data.Items = append(v.doc.Data.Items, items...)
	return v.doc.Save(ctx)
}

// server is a node with its database.
type server struct {
	node *troupe.Node
	db   *orm.DB
}

// start opens the file and starts a node whose players are of kind.
func start(ctx context.Context, path string, kind troupe.Kind, typ *orm.Type) (*server, error) {
	store, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		return nil, err
	}
	db, err := orm.Open(ctx, store, orm.Config{Types: []*orm.Type{typ}})
	if err != nil {
		return nil, err
	}
	node, err := troupe.New(troupe.Config{})
	if err == nil {
		troupe.Provide(node, db)
		err = errors.Join(node.Register(kind), node.Start(ctx))
	}
	if err != nil {
		return nil, errors.Join(err, db.Close(ctx))
	}
	return &server{node, db}, nil
}

// stop saves everything.
func (s *server) stop(ctx context.Context) error {
	return errors.Join(s.node.Stop(ctx), s.db.Close(ctx))
}

// player returns the way to the one player of this example.
func (s *server) player() PlayerRef { return PlayerOf(s.node, 1) }

// veteran is player in the first release, whose kind had the same name.
func (s *server) veteran() VeteranRef { return VeteranAt(s.node, troupe.ID("player", 1)) }
