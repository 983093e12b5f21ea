// SPDX-License-Identifier: MIT

package game

import (
	"context"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/gate/client"
)

// A PlayerClient calls a character's client methods over a gate session: what
// the generated game.ts is for browsers. Calls may fail with
// *client.StatusError, client.ErrInDoubt and the errors of package context.
type PlayerClient struct{ Session *client.Client }

// clientCall runs a method over the session.
func clientCall[A, R any](ctx context.Context, c PlayerClient, m *troupe.Method[A, R], args A) (R, error) {
	var reply R
	data, err := c.Session.Call(ctx, m.Number, m.AppendArgs(nil, &args))
	if err == nil {
		err = m.ParseReply(data, &reply)
	}
	return reply, err
}

// Join puts the player into the world.
func (c PlayerClient) Join(ctx context.Context) (Self, error) {
	r, err := clientCall(ctx, c, &playerJoin, playerJoinArgs{})
	return r.R0, err
}

// Sheet returns the player's sheet.
func (c PlayerClient) Sheet(ctx context.Context) (Self, error) {
	r, err := clientCall(ctx, c, &playerSheet, playerSheetArgs{})
	return r.R0, err
}

// SendMove says where the player is; it does not wait.
func (c PlayerClient) SendMove(x, y, seq int32) error {
	args := playerMoveArgs{X: x, Y: y, Seq: seq}
	return c.Session.Send(playerMove.Number, playerMove.AppendArgs(nil, &args))
}

// SendAttack strikes a monster; it does not wait.
func (c PlayerClient) SendAttack(handle int32) error {
	args := playerAttackArgs{Handle: handle}
	return c.Session.Send(playerAttack.Number, playerAttack.AppendArgs(nil, &args))
}

// Buy buys from the shop.
func (c PlayerClient) Buy(ctx context.Context, item, count int32, number int64) (Receipt, error) {
	r, err := clientCall(ctx, c, &playerBuy, playerBuyArgs{Item: item, Count: count, Number: number})
	return r.R0, err
}

// Say speaks on a channel.
func (c PlayerClient) Say(ctx context.Context, channel, to, text string) error {
	_, err := clientCall(ctx, c, &playerSay, playerSayArgs{Channel: channel, To: to, Text: text})
	return err
}

// Write sends a letter.
func (c PlayerClient) Write(ctx context.Context, to, subject, text string, gold int64, item, count int32) error {
	_, err := clientCall(ctx, c, &playerWrite, playerWriteArgs{To: to, Subject: subject, Text: text, Gold: gold, Item: item, Count: count})
	return err
}

// Inbox lists the letters.
func (c PlayerClient) Inbox(ctx context.Context) ([]Letter, error) {
	r, err := clientCall(ctx, c, &playerInbox, playerInboxArgs{})
	return r.R0, err
}

// Claim takes what a letter carries.
func (c PlayerClient) Claim(ctx context.Context, letter int64) error {
	_, err := clientCall(ctx, c, &playerClaim, playerClaimArgs{Letter: letter})
	return err
}

// Ranking returns the best players.
func (c PlayerClient) Ranking(ctx context.Context) ([]Standing, error) {
	r, err := clientCall(ctx, c, &playerRanking, playerRankingArgs{})
	return r.R0, err
}

// Sell sells things and returns the gold.
func (c PlayerClient) Sell(ctx context.Context, item, count int32) (int64, error) {
	r, err := clientCall(ctx, c, &playerSell, playerSellArgs{Item: item, Count: count})
	return r.R0, err
}
