// SPDX-License-Identifier: MIT

package troupe

import (
	"fmt"
	"sync"

	"github.com/troupe-go/troupe/internal/metastore/core"
)

// fenceTable refuses what comes from activations that were overtaken (I2). It
// knows two reasons:
//
//   - Something with a newer epoch of the same actor was accepted here before.
//   - The directory has a newer epoch, and the session under which the sender
//     was activated is over. If that session lives, the actor was handed over
//     after it sent this: it is late, not a zombie's.
type fenceTable struct {
	mu   sync.Mutex
	seen map[Ref]uint64 // newest epoch accepted
}

// maxFences bounds the table; when it is full it starts over, and the directory
// alone decides about senders that are not in it.
const maxFences = 1 << 16

// check refuses a message whose sending actor was overtaken.
func (f *fenceTable) check(cl *cluster, node string, msg *message) error {
	if msg.from.kind == 0 || msg.fromEpoch == 0 {
		return nil
	}
	from := cl.refOf(msg.from)
	k := cl.node.kindOf(from.Kind)
	if k == nil || !k.clustered {
		return nil
	}
	session := cl.sessionOf(node, msg)
	// A claim is younger than the session it is under.
	held := session != 0 && session < msg.fromEpoch && cl.alive(session)
	err := f.pass(cl, k, from, msg.fromEpoch, held)
	if err != nil {
		k.count(CountDropStale, 1)
	}
	return err
}

// sessionOf returns the session under which a message left the node of its
// sender. One that another node has passed on says so itself.
func (cl *cluster) sessionOf(node string, msg *message) uint64 {
	if msg.hops > 1 {
		return msg.fromSession
	}
	return cl.view.Load().session[node]
}

func (f *fenceTable) pass(cl *cluster, k *kind, ref Ref, epoch uint64, held bool) error {
	newest := uint64(0)
	if !held {
		newest = cl.newestEpoch(k, ref)
	}
	f.mu.Lock()
	seen := f.seen[ref]
	if epoch > seen && epoch >= newest {
		if len(f.seen) >= maxFences || f.seen == nil {
			f.seen = make(map[Ref]uint64)
		}
		f.seen[ref] = epoch
	}
	f.mu.Unlock()
	return checkFence(ref, epoch, max(newest, seen))
}

func checkFence(ref Ref, epoch, newest uint64) error {
	if epoch >= newest {
		return nil
	}
	return fmt.Errorf("%w: from %v with epoch %d, the newest is %d", ErrFenced, ref, epoch, newest)
}

// checkReply refuses the reply of an activation that was overtaken. The handler
// may have run: the caller is in doubt. What was accepted before is noted in
// the cell here, so that replies cost no table.
func (cl *cluster) checkReply(call *call, epoch uint64) error {
	link, c := call.link.Load(), call.target
	if epoch == 0 || link == nil || c == nil || !c.kind.clustered {
		return nil
	}
	x := c.extra()
	newest := x.answered.Load()
	if !cl.alive(link.session) {
		newest = max(newest, cl.newestEpoch(c.kind, c.ref()))
	}
	for epoch > newest && !x.answered.CompareAndSwap(newest, epoch) {
		newest = max(newest, x.answered.Load())
	}
	err := checkFence(c.ref(), epoch, newest)
	if err != nil {
		c.kind.count(CountDropStale, 1)
	}
	return err
}

// newestEpoch is the epoch of a claim in this node's copy of the directory.
func (cl *cluster) newestEpoch(k *kind, ref Ref) uint64 {
	if k.class == classStub {
		o, _ := cl.meta.LookupSlot(ref.Kind, uint32(ref.ID))
		return o.Epoch
	}
	o, _ := cl.meta.LookupClaim(core.ID{Kind: ref.Kind, Key: ref.ID, Name: ref.Name})
	return o.Epoch
}
