// SPDX-License-Identifier: MIT

package coresim

import (
	"time"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/internal/metastore/core"
)

// idWindow is how far ahead of the wall clock ids may be minted.
const idWindow = 10 * second

// idSource mints with a worker number that is leased from the metastore, as
// troupe.IDSource does.
type idSource struct {
	session uint64
	worker  uint64
	epoch   uint64
	busy    bool
	minted  *troupe.Snowflakes
	by      minter
}

func (d *idSource) reset() { *d = idSource{} }

// until is the mark to set now, never below the present one.
func (n *node) idsUntil(mark int64) int64 { return max(mark, n.wallMillis()) + idWindow/millisecond }

// renew raises the mark, or leases a number when the session is another one.
func (d *idSource) renew(n *node) func() {
	d.reset()
	return func() {
		session := n.h.Session()
		if d.busy || n.draining || n.h.Gate(n.local()) != core.GateLive {
			return
		}
		d.busy = true
		if d.session == session {
			mark := n.idsUntil(0)
			n.ask([]core.Command{core.MarkWorker{Session: session, Pool: "ids", Number: uint32(d.worker), Epoch: d.epoch, Mark: mark}},
				func(res []core.Result) {
					d.busy = false
					if res != nil && res[0].Code == core.CodeOK && d.minted != nil && d.session == session {
						d.minted.Extend(time.UnixMilli(mark))
					}
				})
			return
		}
		n.ask([]core.Command{core.AcquireWorker{Session: session, Pool: "ids", Limit: workers + 1}}, func(res []core.Result) {
			if res == nil || res[0].Code != core.CodeOK {
				d.busy = false
				return
			}
			d.acquired(n, session, res[0])
		})
	}
}

// acquired raises the mark of a new number before it mints with it.
func (d *idSource) acquired(n *node, session uint64, got core.Result) {
	mark := n.idsUntil(got.Mark)
	n.ask([]core.Command{core.MarkWorker{Session: session, Pool: "ids", Number: uint32(got.Value), Epoch: got.Epoch, Mark: mark}},
		func(res []core.Result) {
			d.busy = false
			if res == nil || res[0].Code != core.CodeOK {
				return
			}
			cfg := troupe.SnowflakeConfig{
				Worker: int64(got.Value), WorkerBits: 4, Until: time.UnixMilli(mark),
				Clock: func() time.Time { return time.UnixMilli(n.wallMillis()) },
			}
			if got.Mark != 0 && !n.w.plan.Rules.IgnoreMark {
				cfg.After = time.UnixMilli(got.Mark)
			}
			g, err := troupe.NewSnowflakes(cfg)
			if err != nil {
				n.w.check.fail("I9: no id source: %v", err)
				return
			}
			n.w.note("worker", uint64(n.number), got.Value, got.Epoch)
			d.by = minter{n.number, n.w.generation}
			d.session, d.worker, d.epoch, d.minted = session, got.Value, got.Epoch, g
		})
}

// mint asks for an id now and then, whatever the lease says: the mark alone
// must keep ids apart.
func (d *idSource) mint(n *node) func() {
	return func() {
		if d.minted == nil {
			return
		}
		id, err := d.minted.Next()
		if err != nil {
			n.w.stats.IDsRefused++
			return
		}
		n.w.check.minted(d.by, id)
	}
}
