// SPDX-License-Identifier: MIT

package ormbench

import (
	"context"
	"errors"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/orm"
)

// actor is a player with a document.
type actor struct {
	troupe.Actor
	doc orm.Doc[Player]
}

func (a *actor) OnActivate(ctx context.Context) error {
	err := a.doc.Load(ctx, a)
	if !a.doc.Exists() {
		a.doc.Data.Fill(a.ID())
	}
	return err
}

// Change changes the document and saves it.
func (a *actor) Change(ctx context.Context, round int64) error {
	a.doc.Data.Gold = round
	return a.doc.Save(ctx)
}

// Troupe is actors with documents on a node.
type Troupe struct {
	name string
	node *troupe.Node
	db   *orm.DB
}

// PlayerType is the document type, for stores that are cleaned up afterwards.
func PlayerType() *orm.Type { return orm.Document[Player]("ormbench_player") }

// NewTroupe starts a node over store.
func NewTroupe(ctx context.Context, name string, store orm.Store, cfg orm.Config) (*Troupe, error) {
	cfg.Types = []*orm.Type{PlayerType()}
	db, err := orm.Open(ctx, store, cfg)
	if err != nil {
		return nil, err
	}
	node, err := troupe.New(troupe.Config{})
	if err == nil {
		troupe.Provide(node, db)
		err = errors.Join(node.Register(troupe.Virtual[actor]("player")), node.Start(ctx))
	}
	if err != nil {
		return nil, errors.Join(err, db.Close(ctx))
	}
	return &Troupe{name, node, db}, nil
}

// Name implements Contender.
func (t *Troupe) Name() string { return t.name }

// Save implements Contender.
func (t *Troupe) Save(ctx context.Context, id, round int64) error {
	return t.node.Call(ctx, troupe.ID("player", id), "Change", nil, round)
}

// Close implements Contender.
func (t *Troupe) Close() error {
	ctx := context.Background()
	return errors.Join(t.node.Stop(ctx), t.db.Close(ctx))
}

// Stats returns what the DB counted.
func (t *Troupe) Stats() orm.Stats { return t.db.Stats() }
