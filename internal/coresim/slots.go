// SPDX-License-Identifier: MIT

package coresim

import (
	"cmp"
	"slices"

	"github.com/troupe-go/troupe/internal/metastore/core"
)

func slotID(k int) core.ID { return core.ID{Kind: "slot", Key: int64(k)} }

// placeSlots claims the slots that belong here and hands over the others.
func (n *node) placeSlots() {
	if n.h.Gate(n.local()) != core.GateLive || n.draining {
		return
	}
	view := n.w.servers[n.hint] // a hint: possibly stale
	if !view.up || n.w.net.cut[n.place][view.place] > 0 {
		return
	}
	list := view.state.Sessions()
	if len(list) == 0 {
		return
	}
	round := n.round
	for k := range slots {
		best := slices.MaxFunc(list, func(a, b *core.Session) int {
			return cmp.Compare(mixed(a.Epoch, uint64(k)), mixed(b.Epoch, uint64(k)))
		})
		epoch, have := n.slots[k]
		if now, ok := view.state.LookupSlot("slot", uint32(k)); ok && now.Session == n.h.Session() && !have {
			epoch, have = now.Epoch, best.Epoch != n.h.Session() // a transfer that was in doubt
		}
		switch {
		case best.Epoch == n.h.Session() && !have:
			n.ask([]core.Command{core.ClaimBatch{Space: core.SpaceSlot, Session: n.h.Session(), IDs: []core.ID{slotID(k)}}}, func(res []core.Result) {
				if res != nil && n.round == round && res[0].Items[0].Code == core.CodeOK {
					n.slots[k] = res[0].Items[0].Epoch
				}
			})
		case best.Epoch != n.h.Session() && have:
			delete(n.slots, k)
			n.ask([]core.Command{core.TransferBatch{Space: core.SpaceSlot, Session: n.h.Session(), To: best.Epoch, Items: []core.IDEpoch{{ID: slotID(k), Epoch: epoch}}}}, func([]core.Result) {})
		}
	}
}

func mixed(a, b uint64) uint64 {
	h := (a ^ b*0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9
	return h ^ h>>31
}
