// SPDX-License-Identifier: MIT

package troupe

import (
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/troupe-go/troupe/internal/metastore"
	"github.com/troupe-go/troupe/internal/metastore/core"
	"github.com/troupe-go/troupe/internal/mpsc"
)

type pointer = unsafe.Pointer

// cellExt is the part of a cell that most actors never need, so that an idle
// actor stays small. It is made on first use and stays until the cell is gone.
type cellExt struct {
	// name is the string key. Constant.
	name string
	// foreign is the node of an actor that lives on that node only; the cell
	// is then no more than its address. Constant.
	foreign string
	// ring replaces the queue in kinds that drop the oldest. Constant.
	ring *mpsc.Ring[envelope]
	// bytes is what the queued messages are charged for MailboxBytes.
	bytes atomic.Int64
	// space is closed when there is room again; nil when no sender waits.
	space atomic.Pointer[chan struct{}]
	// reentry is held by the handler that runs, in reentrant kinds, and given
	// up while it waits for a call.
	reentry sync.Mutex
	inTurn  bool // reentry is held for the handler; guarded by it
	outside int  // handlers that gave it up to wait for a call; guarded by it

	// The rest belongs to the turn, except what mu guards.
	attachments []Attachment
	cancels     []func() // subscriptions
	parent      *cell
	pending     int // off-turn work whose done has not run
	stopping    *stopRequest
	restarts    restartState
	again       []envelope // to be handled first when the cell stops waiting
	backoff     bool       // waits for a restart

	// In a cluster; they belong to the turn, session also to the lease.
	session  *metastore.Session // under which this node owns the id; nil: it does not
	link     *peerLink          // to the owner, in stateRemote
	remote   core.Owner
	ownerAt  uint64 // log index at which remote was seen to be the owner
	locating bool   // waits for an owner
	moving   *move
	tries    int
	gated    bool                 // waits for the lease's gate
	opened   []func(*cell)        // to be run when the gate opens
	answered atomic.Uint64        // newest epoch of a reply from another node; any goroutine
	stamped  atomic.Pointer[meta] // of one-way messages from this activation; any goroutine
	came     atomic.Pointer[meta] // of the last one-way message from another node; any goroutine
	unused   atomic.Uint32        // sweeps since the last message to another node
	popped   uint32               // since the last look at waiting senders

	mu       sync.Mutex
	children map[*cell]struct{}
	watchers map[Ref]struct{}

	// Owned by the kind's lru, under its lock.
	lruNext, lruPrev *cell
	lruIn            bool
	bytesHeld        int64
	lastRun          time.Duration
	ran              atomic.Bool
}

// extra returns the cell's cellExt, making it on first use. Any goroutine may
// call it.
func (c *cell) extra() *cellExt {
	if x := c.ext.Load(); x != nil {
		return x
	}
	c.ext.CompareAndSwap(nil, new(cellExt))
	return c.ext.Load()
}

// pop is cell.pop for a cell with an ext.
func (x *cellExt) pop(c *cell, e *envelope) mpsc.PopResult {
	var r mpsc.PopResult
	if x.ring != nil {
		r = x.ring.Pop(e)
	} else {
		r = c.queue.Pop(e)
	}
	if r != mpsc.Popped {
		return r
	}
	if x.bytes.Load() != 0 {
		if n := e.m.payloadBytes(e.ptr); n > 0 {
			x.bytes.Add(-n)
		}
	}
	// Senders are woken in groups, when half of the room is free again.
	if x.popped++; x.popped&63 == 0 && x.space.Load() != nil && c.queue.Len() <= c.kind.limit/2 {
		x.wakeSenders()
	}
	return r
}

// wakeSenders lets the senders that wait for room try again.
func (x *cellExt) wakeSenders() {
	if x.space.Load() == nil {
		return
	}
	if ch := x.space.Swap(nil); ch != nil {
		close(*ch)
	}
}

// room returns a channel that is closed when there may be room again. The
// sender must try once more after it has the channel.
func (x *cellExt) room() <-chan struct{} {
	for {
		if ch := x.space.Load(); ch != nil {
			return *ch
		}
		ch := make(chan struct{})
		if x.space.CompareAndSwap(nil, &ch) {
			return ch
		}
	}
}
