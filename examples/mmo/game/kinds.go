// SPDX-License-Identifier: MIT

package game

import (
	"errors"
	"time"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/examples/mmo/content"
	"github.com/troupe-go/troupe/orm"
)

// The kinds' names.
const (
	KindPlayer = "player"
	KindZone   = "zone"
)

// ErrServices: the node lacks what Provide should have given it.
var ErrServices = errors.New("game: the node needs Provide of *content.Content, *IDs and *orm.DB")

// Kinds returns everything to register, at every node.
func Kinds() []troupe.Kind {
	return []troupe.Kind{
		troupe.Virtual[Player](KindPlayer, troupe.IdleAfter(2*time.Minute), troupe.PlaceBy(troupe.PlaceLocal)), // near its gate,
		troupe.Virtual[Zone](KindZone, troupe.IdleAfter(-1)),
		troupe.Virtual[Mailbox]("mailbox", troupe.IdleAfter(time.Minute)),
		troupe.Virtual[Guild]("guild", troupe.IdleAfter(5*time.Minute)),
		troupe.Stub[Names]("names", troupe.Shards(16)),
		troupe.Stub[Chat]("chat", troupe.Shards(16)),
		troupe.Singleton[Rank]("rank"),
		troupe.Singleton[Vault]("vault"),
	}
}

// Documents returns the document types, for orm.Open.
func Documents() []*orm.Type {
	return []*orm.Type{
		orm.Document[PlayerData]("player"),
		orm.Document[MailboxData]("mailbox"),
		orm.Document[GuildData]("guild"),
		orm.Document[NamesData]("names"),
		orm.Document[RankData]("rank"),
		orm.Document[VaultData]("vault"),
	}
}

// services fetches what the node provides. Nil pointers are not asked for.
func services(a troupe.Caller, c **content.Content, ids **IDs) error {
	ok := true
	if c != nil {
		*c, ok = troupe.Service[*content.Content](a)
	}
	if ids != nil && ok {
		*ids, ok = troupe.Service[*IDs](a)
	}
	if !ok {
		return ErrServices
	}
	return nil
}
