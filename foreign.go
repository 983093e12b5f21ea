// SPDX-License-Identifier: MIT

package troupe

import "fmt"

// Local actors and pool members live on one node only, whose name is in their
// Ref. Messages to them from other nodes need no directory: they go to that
// node, and wait there in the mailbox like any other.

// resolveForeign returns the address cell of such an actor.
func (k *kind) resolveForeign(ref Ref) (*cell, error) {
	if k.node.cluster == nil {
		return nil, fmt.Errorf("%w: %q is not this node", ErrUnreachable, ref.Node)
	}
	if k.class != classLocal && k.class != classPool {
		return nil, fmt.Errorf("%w: %v: actors of this kind are found without a node", ErrBadArguments, ref)
	}
	if c, ok := k.foreign.Load(ref); ok {
		return c.(*cell), nil
	}
	c := k.newCell(ref.ID, ref.Name)
	c.extra().foreign = ref.Node
	if k.foreignCount.Add(1) > maxForeign {
		k.foreign.Clear() // addresses only: they are made again when needed
		k.foreignCount.Store(1)
	}
	stored, _ := k.foreign.LoadOrStore(ref, c)
	return stored.(*cell), nil
}

// maxForeign bounds the addresses that a kind remembers.
const maxForeign = 1 << 16

// sendForeign sends e to the node where c's actor lives.
func (c *cell) sendForeign(node string, from *cell, e *envelope) error {
	cl := c.kind.node.cluster
	session, ok := cl.view.Load().session[node]
	if !ok {
		return fmt.Errorf("%w: no member is called %q", ErrUnreachable, node)
	}
	link, err := cl.link(session)
	if err != nil {
		return fmt.Errorf("%w: %q: %w", ErrUnreachable, node, err)
	}
	var ref Ref
	var epoch uint64
	if from != nil && from.kind.clustered {
		ref, epoch = from.ref(), from.epoch.Load()
	}
	return cl.send(link, c, e, 0, ref, epoch)
}
