// SPDX-License-Identifier: MIT

package troupe_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/troupetest"
)

// TestClusterZombiesQueue: what an actor sent to another actor on its node, and
// what was still in that one's mailbox when the node lost its lease, goes to
// the next owner. It must not be heard there after the sender's successor spoke
// (I2), whoever passes it on.
func TestClusterZombiesQueue(t *testing.T) {
	inCluster(t, troupetest.Config{Nodes: 4}, func(t *testing.T, c *troupetest.Cluster, w *world) {
		const zombie = 3
		refs := ownedBy(t, c, 0, c.Name(zombie), 2)
		sender, target := refs[0], refs[1]
		ctx, cancel := context.WithTimeout(bg, time.Minute)
		defer cancel()
		busy := make(chan struct{})
		go func() { // the target's turn lasts longer than the lease
			defer close(busy)
			_ = c.Node(zombie).Call(ctx, target, "PassAfter", nil, int64(999), 9, 1, 3*ttl.Milliseconds())
		}()
		time.Sleep(50 * time.Millisecond)
		require.NoError(t, c.Node(zombie).Call(bg, sender, "Pass", nil, target.ID, 7, 1))
		c.Isolate(zombie)
		awayFor(t, c.Node(1), sender, 2*ttl)
		awayFor(t, c.Node(1), target, 2*ttl)
		require.NoError(t, c.Node(1).Call(bg, sender, "Pass", nil, target.ID, 7, 2))
		time.Sleep(ttl)
		c.Heal()
		<-busy
		c.WaitMembers(4)
		time.Sleep(2 * ttl)
		heard := []int64{}
		for _, r := range w.snapshot() {
			if r.sender == 7 {
				heard = append(heard, r.seq)
			}
		}
		require.Equal(t, []int64{2}, heard, "the zombie was heard after its successor")
		stale := int64(0)
		for i := range 4 {
			stale += c.Node(i).Count("notes", troupe.CountDropStale)
		}
		require.Positive(t, stale, "the zombie's message was lost without a count")
	})
}
