// SPDX-License-Identifier: MIT

package troupe

import "time"

// A cell of an actor on another node stays after its last message, since it
// knows the way and where its own messages went (D3). runSweep lets go of those
// that were not used for a while: by then everything they sent has arrived, or
// never will.
const (
	// sweepRemoteEvery must be longer than flushLimit.
	sweepRemoteEvery = 30 * time.Second
	// sweepRemoteAfter is how many sweeps in a row must find a cell unused.
	sweepRemoteAfter = 3
)

// runSweep ends with the cluster.
func (cl *cluster) runSweep() {
	ticker := time.NewTicker(sweepRemoteEvery)
	defer ticker.Stop()
	for {
		select {
		case <-cl.ctx.Done():
			return
		case <-ticker.C:
		}
		for _, k := range cl.node.sortedKinds() {
			if k.clustered {
				k.registry.each((*cell).sweepRemote)
			}
		}
	}
}

// sweepRemote asks a cell that has not been used to leave.
func (c *cell) sweepRemote() {
	x := c.ext.Load()
	if x == nil || c.where.Load() == whereHere {
		return
	}
	if x.unused.Add(1) > sweepRemoteAfter {
		c.pushSystem((*cell).leaveRemote)
	}
}

// leaveRemote takes the cell out of the registry if it has nothing to do: no
// message waits, and the actor is not here.
func (c *cell) leaveRemote() {
	x := c.extra()
	idle := c.state == stateRemote || c.state == stateFresh && !c.owned()
	if idle && len(x.again) == 0 && x.unused.Load() > sweepRemoteAfter {
		c.leave()
	}
}
