// SPDX-License-Identifier: MIT

// Package v1 is the old code of a rolling upgrade, package v2 the new.
package v1

import (
	"context"

	"github.com/troupe-go/troupe"
)

//go:generate go run github.com/troupe-go/troupe/cmd/troupe gen

// Transfer is a field short of v2's.
type Transfer struct {
	To     int64
	Amount int64
}

// Bank is the actor.
//
//troupe:kind bank
type Bank struct{ troupe.Actor }

// Move returns what it understood.
func (b *Bank) Move(_ context.Context, t Transfer, tags []string) (done Transfer, err error) {
	return t, nil
}
