// SPDX-License-Identifier: MIT

// Package trade is the call of the codec cases: what a game sends all day.
package trade

import (
	"context"

	"github.com/troupe-go/troupe"
)

//go:generate go tool troupe gen

// Place is where somebody is.
type Place struct {
	X, Y, Z float32
	Zone    int32
}

// Item is a stack of things.
type Item struct {
	ID    int64
	Count int32
	Bound bool
}

// Clerk is the actor.
type Clerk struct{ troupe.Actor }

// Offer is the handler: an integer, a string, a small struct and eight more.
func (*Clerk) Offer(_ context.Context, player int64, note string, at Place, items []Item) error {
	return nil
}

// Args are the arguments of Offer as the generated code holds them.
type Args = clerkOfferArgs

// Append and Parse are the generated codec of Args.
func Append(b []byte, args *Args) []byte { return clerkOffer.AppendArgs(b, args) }

// Parse sets args to the message in b.
func Parse(b []byte, args *Args) error { return clerkOffer.ParseArgs(b, args) }
