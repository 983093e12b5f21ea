// SPDX-License-Identifier: MIT

package main

import (
	"context"

	"github.com/troupe-go/troupe"
)

//go:generate go run github.com/troupe-go/troupe/cmd/troupe gen

// Counter is the actor that moves.
type Counter struct {
	troupe.Actor
	n int64
}

// Add adds and returns the sum and the node that the counter lives on.
func (c *Counter) Add(_ context.Context, d int64) (sum int64, home string, err error) {
	c.n += d
	return c.n, c.Node().Name(), nil
}
