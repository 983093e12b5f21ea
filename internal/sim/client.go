// SPDX-License-Identifier: MIT

package sim

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/troupe-go/troupe"
)

// operation is one operation of a client, with all its tries.
type operation struct {
	entity     int64
	kind       string // "append", "note" or "read"
	id         int64
	start, end time.Duration // end is 0 while the outcome is unknown
	position   int
	epoch      uint64
	list       []int64
}

// client runs operations until ctx ends, then finishes the one under way.
func (c *cluster) client(ctx context.Context, number int) {
	rng := rand.New(rand.NewPCG(c.seed, uint64(number)+0xc1))
	for seq := int64(1); ctx.Err() == nil; seq++ {
		op := &operation{entity: rng.Int64N(entities), id: int64(number)<<32 | seq, kind: "append"}
		switch p := rng.Float64(); {
		case p < 0.10:
			c.askSlot(ctx, rng)
			continue
		case p < 0.30:
			op.kind = "note"
		case p < 0.55:
			op.kind = "read"
		}
		c.run(ctx, rng, op)
		sleep(ctx, time.Duration(10+rng.IntN(80))*time.Millisecond)
	}
}

func (c *cluster) askSlot(ctx context.Context, rng *rand.Rand) {
	try, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if n := c.node(rng.IntN(nodes)); n != nil {
		_ = n.Call(try, troupe.ID("slot", rng.Int64N(slots)), "Serve", new(string))
	}
	sleep(ctx, 20*time.Millisecond)
}

// run tries op until it is acknowledged or ctx ends. An append that is in doubt
// is repeated under its own number; a note in doubt stays so.
func (c *cluster) run(ctx context.Context, rng *rand.Rand, op *operation) {
	h := c.hist
	op.start = time.Since(h.begin)
	h.mu.Lock()
	h.ops = append(h.ops, op)
	h.mu.Unlock()
	for ctx.Err() == nil {
		n := c.node(rng.IntN(nodes))
		if n == nil {
			sleep(ctx, 20*time.Millisecond)
			continue
		}
		if c.try(ctx, n, op) {
			return
		}
		if op.kind == "note" {
			return
		}
		sleep(ctx, time.Duration(20+rng.IntN(200))*time.Millisecond)
	}
}

// try reports whether op was acknowledged.
func (c *cluster) try(ctx context.Context, n *troupe.Node, op *operation) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	to := troupe.ID("entity", op.entity)
	var at Placed
	var list []int64
	var err error
	switch op.kind {
	case "append":
		err = n.Call(ctx, to, "Append", &at, op.id)
	case "note":
		err = n.Call(ctx, to, "Note", &at, op.id)
	default:
		err = n.Call(ctx, to, "Read", &list)
	}
	if err != nil {
		return false
	}
	c.hist.mu.Lock()
	defer c.hist.mu.Unlock()
	op.end = time.Since(c.hist.begin)
	op.position, op.epoch, op.list = at.Position, at.Epoch, list
	return true
}
