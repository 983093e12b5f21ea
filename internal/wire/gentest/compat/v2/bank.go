// SPDX-License-Identifier: MIT

// Package v2 is the new code of a rolling upgrade: fields, parameters, results
// and methods were added, and things were renamed.
package v2

import (
	"context"

	"github.com/troupe-go/troupe"
)

//go:generate go run github.com/troupe-go/troupe/cmd/troupe gen

// Transfer has more than v1's.
type Transfer struct {
	Receiver int64
	Amount   int64
	Note     string
	Parts    []Part
}

// Part is new.
type Part struct{ Amount int64 }

// Bank is the actor.
//
//troupe:kind bank
type Bank struct{ troupe.Actor }

// Audit is new.
func (b *Bank) Audit(context.Context) error { return nil }

// Move returns what it understood.
func (b *Bank) Move(_ context.Context, t Transfer, labels []string, dry bool) (done Transfer, fee int64, err error) {
	return t, 5, nil
}
