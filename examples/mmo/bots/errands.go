// SPDX-License-Identifier: MIT

package bots

import (
	"context"
	"errors"
	"time"

	"github.com/troupe-go/troupe/examples/mmo/game"
	"github.com/troupe-go/troupe/gate/client"
)

var lines = []string{
	"anyone up for wolves?", "selling pelts, cheap", "who needs a healer", "the moor is crowded tonight",
	"brb, bread", "nice shield!", "mind the skeletons", "lag? never heard of it", "meet at the fountain",
	"found a ring today", "how do I get to the coast?", "east, then east again",
}

// errand returns what the bot does beside walking in this step, or nil.
func (b *bot) errand(n int) func(context.Context) {
	switch {
	case n%b.fleet.cfg.every(30, maxBuys) == 0:
		return b.buy
	case n%b.fleet.cfg.every(600, maxLines) == 77:
		return b.chat
	case n%900 == 123:
		return b.post
	case n%900 == 723:
		return b.collect
	case n%1500 == 400:
		return b.look
	}
	return nil
}

// buy buys something cheap. A purchase in doubt is repeated under its number
// until there is an answer.
func (b *bot) buy(ctx context.Context) {
	number := time.Now().UnixNano()
	item := int32(1 + b.index%2)
	for attempt := 0; ctx.Err() == nil && attempt < 30; attempt++ {
		var receipt game.Receipt
		err := b.fleet.call(ctx, "buy", func(ctx context.Context) (err error) {
			receipt, err = b.player.Buy(ctx, item, 1, number)
			return err
		})
		if err == nil {
			b.acked[number] = receipt
			b.ackedCount.Add(1)
			return
		}
		var status *client.StatusError
		if errors.As(err, &status) && status.User != 0 {
			if status.User == game.ErrPoor.Code {
				b.sellAll(ctx)
			}
			return
		}
		if !b.sleep(ctx, min(100*time.Millisecond<<min(attempt, 8), time.Second)) {
			break
		}
	}
	b.doubt[number] = true
}

// sellAll turns the bag into gold, so that trade goes on.
func (b *bot) sellAll(ctx context.Context) {
	_ = b.fleet.call(ctx, "sell", func(ctx context.Context) error {
		self, err := b.player.Sheet(ctx)
		if err != nil {
			return err
		}
		for _, s := range self.Bag {
			if _, err := b.player.Sell(ctx, s.Item, s.Count); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *bot) chat(ctx context.Context) {
	channel := game.ChannelZone
	if b.index%max(b.fleet.cfg.Count/8, 4) == 0 {
		channel = game.ChannelWorld
	}
	line := lines[int(time.Now().UnixNano()/1000)%len(lines)]
	_ = b.fleet.call(ctx, "say", func(ctx context.Context) error { return b.player.Say(ctx, channel, "", line) })
}

// post sends a loaf of bread to the next bot.
func (b *bot) post(ctx context.Context) {
	to := botName(b.fleet.cfg.Seed, (b.index+1)%b.fleet.cfg.Count)
	_ = b.fleet.call(ctx, "write", func(ctx context.Context) error {
		return b.player.Write(ctx, to, "bread", "for the road", 1, 0, 0)
	})
}

// collect claims what has come by mail.
func (b *bot) collect(ctx context.Context) {
	var letters []game.Letter
	if b.fleet.call(ctx, "inbox", func(ctx context.Context) (err error) {
		letters, err = b.player.Inbox(ctx)
		return err
	}) != nil {
		return
	}
	for _, l := range letters {
		_ = b.fleet.call(ctx, "claim", func(ctx context.Context) error { return b.player.Claim(ctx, l.ID) })
	}
}

func (b *bot) look(ctx context.Context) {
	_ = b.fleet.call(ctx, "rank", func(ctx context.Context) error {
		_, err := b.player.Ranking(ctx)
		return err
	})
}
