// SPDX-License-Identifier: MIT

// Package far is the actor of the cases with several processes.
package far

import (
	"context"
	"encoding/binary"

	"github.com/troupe-go/troupe"
)

//go:generate go tool troupe gen

// Counter answers calls and adds up what is sent to it.
type Counter struct {
	troupe.Actor
	sum, count int64
}

// Next is the handler of calls.
func (*Counter) Next(_ context.Context, value int64) (int64, error) { return value + 1, nil }

// Add is the handler of one-way messages: their first 8 bytes are a number.
func (c *Counter) Add(_ context.Context, payload []byte) error {
	c.sum += int64(binary.LittleEndian.Uint64(payload))
	c.count++
	return nil
}

// Total returns the sum and the number of what Add was told.
func (c *Counter) Total(context.Context) (sum, count int64, err error) { return c.sum, c.count, nil }

// Home returns the name of the node that the actor lives on.
func (c *Counter) Home(context.Context) (string, error) { return c.Node().Name(), nil }
