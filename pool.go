// SPDX-License-Identifier: MIT

package troupe

import "fmt"

// startPool makes the members of a pool. They are activated by their first
// message.
func (k *kind) startPool() {
	for i := range k.size {
		c := k.newCell(int64(i), "")
		k.registry.add(c)
	}
}

// Pick returns a handle to a member of a pool, each in turn.
func Pick(from Caller, kindName string) Handle {
	n, _ := callerNode(from)
	if n == nil || n.kindOf(kindName) == nil {
		return HandleOf(from, ID(kindName, 0))
	}
	turn := n.kindOf(kindName).nextPick.Add(1)
	return HandleOf(from, ID(kindName, int64(turn%uint64(kindCount(from, kindName)))))
}

// PickFor returns a handle to the member of a pool that all messages with this
// key go to.
func PickFor(from Caller, kindName string, key int64) Handle { return StubFor(from, kindName, key) }

// PickForName is PickFor for a string key.
func PickForName(from Caller, kindName, key string) Handle { return StubForName(from, kindName, key) }

// pick returns the member that ref names.
func (k *kind) pick(ref Ref) (*cell, error) {
	if ref.Name != "" || ref.ID < 0 || ref.ID >= int64(k.size) {
		return nil, fmt.Errorf("%w: %v: members are numbered from 0 to %d", ErrNoActor, ref, k.size-1)
	}
	if c := k.registry.get(ref.ID, ""); c != nil {
		return c, nil
	}
	if k.node.stopping.Load() {
		return nil, ErrStopped
	}
	// The member was stopped by its supervisor: make a new one.
	c := k.registry.getOrAdd(ref.ID, "", func() *cell { return k.newCell(ref.ID, "") })
	return c, nil
}
