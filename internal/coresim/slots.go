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
	for k := range slots {
		if n.placing[k] {
			continue
		}
		best := slices.MaxFunc(list, func(a, b *core.Session) int {
			return cmp.Compare(mixed(a.Epoch, uint64(k)), mixed(b.Epoch, uint64(k)))
		})
		epoch, have := n.slots[k]
		if now, ok := view.state.LookupSlot("slot", uint32(k)); ok && now.Session == n.h.Session() && !have {
			epoch, have = now.Epoch, best.Epoch != n.h.Session() // a transfer that was in doubt
		}
		switch {
		case best.Epoch == n.h.Session() && !have:
			n.claimSlot(k)
		case best.Epoch != n.h.Session() && have:
			n.passSlot(k, epoch, best.Epoch)
		}
	}
}

func (n *node) claimSlot(k int) {
	round := n.round
	n.placing[k] = true
	n.ask([]core.Command{core.ClaimBatch{Space: core.SpaceSlot, Session: n.h.Session(), IDs: []core.ID{slotID(k)}}}, func(res []core.Result) {
		if n.round != round {
			return
		}
		n.placing[k] = false
		if res != nil && res[0].Items[0].Code == core.CodeOK {
			n.slots[k] = res[0].Items[0].Epoch
		}
	})
}

func (n *node) passSlot(k int, epoch, to uint64) {
	round := n.round
	n.placing[k] = true
	delete(n.slots, k)
	item := []core.IDEpoch{{ID: slotID(k), Epoch: epoch}}
	n.ask([]core.Command{core.TransferBatch{Space: core.SpaceSlot, Session: n.h.Session(), To: to, Items: item}}, func([]core.Result) {
		if n.round == round {
			n.placing[k] = false
		}
	})
}

func mixed(a, b uint64) uint64 {
	h := (a ^ b*0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9
	return h ^ h>>31
}
