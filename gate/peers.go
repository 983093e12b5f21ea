// SPDX-License-Identifier: MIT

package gate

import (
	"context"
	"time"
)

// releaseTimeout bounds the wait for another gate to give a session up: a
// running request, and the way there and back.
const releaseTimeout = 8 * time.Second

// peerCheck is how often a waiting gate looks whether the other is still there.
const peerCheck = 250 * time.Millisecond

// nodePeers reaches other gates through the node.
type nodePeers struct{ c *Cluster }

// Release implements Peers. It gives up at once when the other gate's node is
// not a member any more.
func (p *nodePeers) Release(ctx context.Context, gate string, r ReleaseRequest) (SessionState, error) {
	c := p.c
	call, replies := c.begin()
	defer c.forgetCall(call)
	ctx, cancel := context.WithTimeout(ctx, releaseTimeout)
	defer cancel()
	request := &releaseCall{Call: call, From: c.node.Name(), Request: r}
	if err := c.tell(c.node, gate, &gateMessage{Release: request}); err != nil {
		return SessionState{}, ErrReload
	}
	tick := time.NewTicker(peerCheck)
	defer tick.Stop()
	for {
		select {
		case reply := <-replies:
			if !reply.OK {
				return SessionState{}, ErrReload
			}
			return reply.State, nil
		case <-ctx.Done():
			return SessionState{}, ErrReload
		case <-tick.C:
			if !c.member(gate) {
				return SessionState{}, ErrReload
			}
		}
	}
}

func (c *Cluster) begin() (call uint64, replies chan releaseReply) {
	replies = make(chan releaseReply, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next++
	c.calls[c.next] = replies
	return c.next, replies
}

func (c *Cluster) forgetCall(call uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.calls, call)
}

func (c *Cluster) replied(r releaseReply) {
	c.mu.Lock()
	replies := c.calls[r.Call]
	c.mu.Unlock()
	if replies != nil {
		select {
		case replies <- r:
		default: // answered already
		}
	}
}

// Forward implements Peers.
func (p *nodePeers) Forward(gate string, ids []uint64, push Push) error {
	return p.c.tell(p.c.node, gate, &gateMessage{Deliver: &deliverArgs{Sessions: ids, Push: push}})
}

// Elsewhere implements Peers.
func (p *nodePeers) Elsewhere() (Info, bool) {
	all, _ := p.c.Gates(context.Background())
	return LeastLoaded(all, p.c.node.Name())
}
