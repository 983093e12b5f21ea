// SPDX-License-Identifier: MIT

package game

import (
	"context"
	"sort"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/orm"
)

// rankPlaces is how many places the rank list has.
const rankPlaces = 100

// RankData is the rank list, the best first.
type RankData struct {
	Top []Standing
}

// Rank is the one rank list of the world.
//
//troupe:kind rank singleton
type Rank struct {
	troupe.Actor
	doc orm.Doc[RankData]
}

// OnActivate loads the list.
func (r *Rank) OnActivate(ctx context.Context) error { return r.doc.Load(ctx, r) }

// Score notes how far a player has come.
func (r *Rank) Score(_ context.Context, s Standing) error {
	top := r.doc.Data.Top
	if len(top) == rankPlaces && s.XP <= top[len(top)-1].XP {
		return nil
	}
	at := -1
	for i := range top {
		if top[i].ID == s.ID {
			at = i
		}
	}
	if at >= 0 {
		top[at] = s
	} else {
		top = append(top, s)
	}
	sort.SliceStable(top, func(i, j int) bool { return top[i].XP > top[j].XP })
	r.doc.Data.Top = top[:min(len(top), rankPlaces)]
	return nil
}

// Top returns the first n places.
func (r *Rank) Top(_ context.Context, n int32) ([]Standing, error) {
	top := r.doc.Data.Top
	return append([]Standing(nil), top[:min(int(max(n, 0)), len(top))]...), nil
}
