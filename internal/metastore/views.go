// SPDX-License-Identifier: MIT

package metastore

import (
	"context"
	"time"

	"github.com/troupe-go/troupe/internal/metastore/core"
)

// The lookups below are memory reads of this node's copy: hints, possibly
// stale, never a proof of anything.

// LookupClaim returns the live owner of a virtual actor.
func (n *Node) LookupClaim(id core.ID) (core.Owner, bool) {
	return n.replica.state.Load().LookupClaim(id)
}

// LookupSlot returns the live owner of a stub shard.
func (n *Node) LookupSlot(kind string, shard uint32) (core.Owner, bool) {
	return n.replica.state.Load().LookupSlot(kind, shard)
}

// Slots returns the owned shards of a kind, in order.
func (n *Node) Slots(kind string) []core.Slot { return n.replica.state.Load().Slots(kind) }

// Members returns the live and draining sessions, ordered by node name.
func (n *Node) Members() []*core.Session { return n.replica.state.Load().Sessions() }

// SessionByEpoch returns a session that is not swept yet; see Alive.
func (n *Node) SessionByEpoch(epoch uint64) (*core.Session, bool) {
	return n.replica.state.Load().Session(epoch)
}

// ClaimsOf returns what a session owns. Cost: all claims.
func (n *Node) ClaimsOf(session uint64) []core.IDEpoch {
	return n.replica.state.Load().ClaimsOf(session)
}

// LookupLease returns the live holder of a lease.
func (n *Node) LookupLease(name string) (core.Owner, bool) {
	return n.replica.state.Load().LookupLease(name)
}

// Get returns a key.
func (n *Node) Get(key string) (core.KV, bool) { return n.replica.state.Load().Get(key) }

// List returns the keys with a prefix, in order. Cost: all keys.
func (n *Node) List(prefix string) []core.KV { return n.replica.state.Load().List(prefix) }

// Generation returns the operator's generation.
func (n *Node) Generation() uint64 { return n.replica.state.Load().Generation() }

// Applied returns the log index that the lookups reflect.
func (n *Node) Applied() uint64 { return n.replica.state.Load().Applied() }

// StateHash returns the hash of this node's copy and the index it stands for.
// Nodes at the same index have the same hash (I12).
func (n *Node) StateHash() (index, hash uint64) {
	h := n.replica.now.Load()
	return h.index, h.hash
}

// WaitApplied returns when the entry at index is in this node's copy. Use it
// after a NotOwner answer that carries an index.
func (n *Node) WaitApplied(ctx context.Context, index uint64) error {
	return n.replica.waitApplied(ctx, index)
}

// Subscribe calls f with the changes of every entry, in apply order, on the
// applying goroutine: f must be quick, must not block and must not call
// Subscribe or its cancel. The slice is valid only during the call. After
// core.ChangeRestored everything may be different. A session's death ends what
// it owned without further changes.
func (n *Node) Subscribe(f func([]core.Change)) (cancel func()) { return n.replica.subscribe(f) }

// Status is a picture of the node's health.
type Status struct {
	Cluster core.ClusterID
	Leader  string // address, as believed here
	Leading bool   // as believed here; proves nothing
	Applied uint64
	// Quorum: the node heard, within the last 2 s, from a leader that commits;
	// or it is that leader and committed something.
	Quorum bool
	Err    error // why the node halted
}

// Status returns the current picture.
func (n *Node) Status() Status {
	st := Status{Cluster: *n.cluster.Load(), Applied: n.Applied(), Quorum: n.staleness() < recently}
	st.Leader, st.Leading = n.leader()
	if p := n.fault.Load(); p != nil {
		st.Err = *p
	}
	return st
}

// staleness is how long ago this node had contact with a quorum.
func (n *Node) staleness() time.Duration {
	const never = time.Hour
	switch {
	case n.ctx.Err() != nil:
		return never
	case n.raft == nil:
		if at := n.fedAt.Load(); at != 0 {
			return time.Duration(n.cfg.Clock() - at)
		}
		return never
	}
	addr, self := n.leader()
	switch {
	case self && n.grants.committedRecently():
		return 0
	case self, addr == "":
		return never
	}
	return time.Since(n.raft.LastContact())
}

// WaitReady returns when the node has a quorum and applied a state that names
// the cluster, or with ctx's error.
func (n *Node) WaitReady(ctx context.Context) error {
	for {
		if st := n.Status(); st.Err != nil {
			return n.closedError()
		} else if st.Quorum && st.Applied > 0 && st.Cluster != (core.ClusterID{}) {
			return nil
		}
		sleep(ctx, 10*time.Millisecond)
		if err := ctx.Err(); err != nil {
			return err
		}
		if n.ctx.Err() != nil {
			return n.closedError()
		}
	}
}
