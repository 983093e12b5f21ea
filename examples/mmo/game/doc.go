// SPDX-License-Identifier: MIT

// Package game holds the actors of the example game.
//
//	kind     form       key            durable state
//	player   virtual    character id   purse, bag, purchases, place
//	zone     virtual    zone number    none: monsters and loot come back
//	mailbox  virtual    character id   letters
//	guild    virtual    name           members
//	names    16 shards  name           which character has which name
//	chat     16 shards  channel        none: the last lines
//	rank     singleton                 the best players
//	vault    singleton                 the secret that signs tokens
//
// What crosses a node keeps these rules:
//
//   - G1: gold and items change only in the player's own document, and a
//     purchase is answered after Save.
//   - G2: a purchase carries the client's number; the same number again returns
//     the first receipt.
//   - G3: what a letter carries leaves the sender's bag in the same save that
//     puts the letter into the outbox, and the outbox is emptied only after
//     the mailbox has saved the letter. The mailbox drops a letter it has seen.
//   - G4: what a letter carries enters the bag in the same save that notes the
//     letter as claimed; only then the mailbox forgets it.
//   - G5: a name is answered for after the shard has saved it.
package game

//go:generate go run github.com/troupe-go/troupe/cmd/troupe gen -ts ../web/src/game.ts
