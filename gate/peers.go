// SPDX-License-Identifier: MIT

package gate

import (
	"context"
	"errors"
	"time"

	"github.com/troupe-go/troupe"
)

// releaseTimeout bounds the wait for another gate to give a session up: a
// running request, and the way there and back.
const releaseTimeout = 8 * time.Second

// peerCheck is how often a waiting gate looks whether the other is still there.
const peerCheck = 250 * time.Millisecond

// nodePeers reaches other gates through the node.
type nodePeers struct{ c *Cluster }

// Release implements Peers. It gives up at once when the other gate's node
// cannot be reached, is not a member any more, or is one that has been started
// again since: the session is gone in all three cases, or its player logs in
// anew and replaces it.
func (p *nodePeers) Release(ctx context.Context, gate string, r ReleaseRequest) (SessionState, error) {
	c := p.c
	stay, ok := c.stayOf(gate)
	if !ok {
		return SessionState{}, ErrReload
	}
	call, replies := c.begin()
	defer c.forgetCall(call)
	ctx, cancel := context.WithTimeout(ctx, releaseTimeout)
	request := &releaseCall{Call: call, From: c.node.Name(), Request: r}
	if err := c.tell(c.speaker(), gate, &gateMessage{Release: request}); err != nil {
		cancel()
		return SessionState{}, ErrReload
	}
	gone := c.probe(ctx, gate)
	defer func() {
		cancel()
		if gone != nil {
			<-gone // the probe ends with ctx
		}
	}()
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
		case unreachable := <-gone:
			gone = nil
			if unreachable {
				return SessionState{}, ErrReload
			}
		case <-tick.C:
			if now, ok := c.stayOf(gate); !ok || now != stay {
				return SessionState{}, ErrReload
			}
		}
	}
}

// probe calls the node of another gate and tells whether the network says that
// nobody is there. A node that answers, or takes its time, is none of these.
// The channel gets one value at the end of ctx at the latest.
func (c *Cluster) probe(ctx context.Context, gate string) chan bool {
	result := make(chan bool, 1)
	go func() {
		to := troupe.HandleOf(c.node, troupe.Ref{Kind: kindHear, Node: gate}).WhileDraining()
		_, err := troupe.Invoke(ctx, to, wakeMethod, wakeArgs{})
		result <- errors.Is(err, troupe.ErrUnreachable)
	}()
	return result
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
	return p.c.tell(p.c.speaker(), gate, &gateMessage{Deliver: &deliverArgs{Sessions: ids, Push: push}})
}

// Elsewhere implements Peers.
func (p *nodePeers) Elsewhere() (Info, bool) {
	all, _ := p.c.Gates(context.Background())
	return LeastLoaded(all, p.c.node.Name())
}
