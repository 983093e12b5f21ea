// SPDX-License-Identifier: MIT

package troupe

import (
	"context"
	"fmt"
)

// ShardOf returns the shard of a stub with that many shards to which an integer
// key belongs. It is the same on every node and in every version.
func ShardOf(key int64, shards int) int64 { return int64(mix64(uint64(key)) % uint64(shards)) }

// ShardOfName is ShardOf for a string key.
func ShardOfName(key string, shards int) int64 { return int64(hashName(key) % uint64(shards)) }

// StubFor returns a handle to the shard of a stub kind to which an integer key
// belongs.
func StubFor(from Caller, kindName string, key int64) Handle {
	return HandleOf(from, ID(kindName, ShardOf(key, kindCount(from, kindName))))
}

// StubForName is StubFor for a string key.
func StubForName(from Caller, kindName, key string) Handle {
	return HandleOf(from, ID(kindName, ShardOfName(key, kindCount(from, kindName))))
}

// kindCount returns the number of shards or members of a kind, at least 1.
func kindCount(from Caller, kindName string) int {
	n, _ := callerNode(from)
	if n == nil {
		return 1
	}
	k := n.kindOf(kindName)
	if k == nil {
		return 1
	}
	if k.class == classPool {
		return k.size
	}
	return k.shards
}

// Broadcast posts a message to every shard of a stub kind, or to every member
// of a pool. It returns the first error after trying all.
func Broadcast[A, R any](from Caller, kindName string, m *Method[A, R], args A) error {
	n, _ := callerNode(from)
	if n == nil {
		return ErrNoActor
	}
	k := n.kindOf(kindName)
	if k == nil {
		return fmt.Errorf("broadcast: %w: %q", ErrUnknownKind, kindName)
	}
	if k.class != classPool && k.class != classStub {
		return fmt.Errorf("broadcast: %w: %q is a %s kind, want a stub or a pool", ErrBadConfig, kindName, classNames[k.class])
	}
	var first error
	for i := range kindCount(from, kindName) {
		if err := Post(HandleOf(from, ID(kindName, int64(i))), m, args); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// startShards activates the shards of a stub, so that they are there before
// the first message and a failing OnActivate fails Start.
func (k *kind) startShards(ctx context.Context) error {
	errs := make(chan error, k.shards)
	for i := range k.shards {
		c, err := k.resolve(ID(k.name, int64(i)))
		if err != nil {
			return err
		}
		c.pushSystem(func(c *cell) {
			if c.state == stateFresh {
				t := c.turn
				t.env, t.failure = envelope{}, ErrStopped
				if !c.activate(t) {
					errs <- fmt.Errorf("%v: %w", c.ref(), t.failure)
					return
				}
			}
			errs <- nil
		})
	}
	for range k.shards {
		select {
		case err := <-errs:
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
