// SPDX-License-Identifier: MIT

package game

import (
	"context"
	"sort"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/orm"
)

// GuildData is a guild in the database.
type GuildData struct {
	Name    string
	Members map[int64]string
}

// Guild is found by its name in lower case.
//
//troupe:kind guild
type Guild struct {
	troupe.Actor
	doc orm.Doc[GuildData]
}

// OnActivate loads the members.
func (g *Guild) OnActivate(ctx context.Context) error {
	if err := g.doc.Load(ctx, g); err != nil {
		return err
	}
	if g.doc.Data.Members == nil {
		g.doc.Data.Members = make(map[int64]string)
	}
	return nil
}

// Join adds a member, durably. found makes the guild, which must not exist.
func (g *Guild) Join(ctx context.Context, name string, id int64, member string, found bool) error {
	d := &g.doc.Data
	_, in := d.Members[id]
	switch {
	case in: // again, after an answer that was lost
	case found != (len(d.Members) == 0):
		return ErrGuild
	case len(d.Members) >= maxGuild:
		return ErrFull
	}
	if len(d.Members) == 0 {
		d.Name = name
	}
	d.Members[id] = member
	return g.doc.Save(ctx)
}

// Leave removes a member. A guild without members is free to be founded.
func (g *Guild) Leave(ctx context.Context, id int64) error {
	delete(g.doc.Data.Members, id)
	return g.doc.Save(ctx)
}

// Members lists the names, in order.
func (g *Guild) Members(context.Context) ([]string, error) {
	names := make([]string, 0, len(g.doc.Data.Members))
	for _, name := range g.doc.Data.Members {
		names = append(names, name)
	}
	sort.Strings(names)
	return names, nil
}
