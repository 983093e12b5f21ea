// SPDX-License-Identifier: MIT

package troupe

import (
	"context"
	"fmt"
	"slices"
)

// Enable makes this node host a stub kind that it registered with Disabled:
// from now on it takes its share of the shards, which move to it one at a time,
// without losing a message. It blocks until that is decided, not until they have
// moved; the other nodes hear of it a moment later, in Members too. Enabling twice does nothing, nor does
// enabling on a node without a cluster, which hosts everything.
//
// It fails with ErrUnknownKind, with ErrBadConfig if the kind is no stub or has
// a Role that this node lacks, with ErrStopped before Start and after Stop, and
// with ErrNoQuorum or ErrLeaseLost while the cluster cannot be told; then the
// kind stays disabled and Enable may be repeated.
func (n *Node) Enable(ctx context.Context, kindName string) error {
	k := n.kindOf(kindName)
	switch {
	case k == nil:
		return fmt.Errorf("enable: %w: %q", ErrUnknownKind, kindName)
	case k.class != classStub:
		return fmt.Errorf("enable: %w: %q is a %s kind, want a stub", ErrBadConfig, kindName, classNames[k.class])
	case n.state.Load() != nodeRunning:
		return fmt.Errorf("enable %q: %w", kindName, ErrStopped)
	case n.cluster == nil:
		return nil
	case !n.cluster.hasRole(k):
		return fmt.Errorf("enable: %w: %q is for roles %q, this node has %q", ErrBadConfig, kindName, k.roles, n.cluster.cfg.Roles)
	}
	if err := n.cluster.enable(ctx, k); err != nil {
		return fmt.Errorf("enable %q: %w", kindName, metaError(err))
	}
	return nil
}

// hasRole reports whether this node's roles allow it to host a kind.
func (cl *cluster) hasRole(k *kind) bool {
	return len(k.roles) == 0 ||
		slices.ContainsFunc(k.roles, func(role string) bool { return slices.Contains(cl.cfg.Roles, role) })
}

// enable tells the cluster. A session that opens meanwhile may tell it too; if
// this fails, the next load report takes it back.
func (cl *cluster) enable(ctx context.Context, k *kind) error {
	cl.telling <- struct{}{} // it waits for the network, so this is no mutex
	defer func() { <-cl.telling }()
	if k.hosted.Swap(true) {
		return nil
	}
	err := cl.session.Load().Update(ctx, cl.info())
	if err != nil {
		k.hosted.Store(false)
		cl.untold.Store(true)
	}
	return err
}
