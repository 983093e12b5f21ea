// SPDX-License-Identifier: MIT

package transport

import (
	"context"
	"encoding"
	"net"
)

// Lane names one of the independent connections between two nodes. Frames of
// different lanes have no order between them.
type Lane uint8

// The lanes. Their numbers are on the wire.
const (
	// LaneControl is for small urgent frames: leases, forwarding to the leader.
	LaneControl Lane = iota
	// LaneMessages is for actor messages and replies.
	LaneMessages
	// LaneBulk is for hand-off state, snapshots and other background transfers.
	LaneBulk

	laneCount = 3
)

// String returns the name of the lane.
func (l Lane) String() string {
	switch l {
	case LaneControl:
		return "control"
	case LaneMessages:
		return "messages"
	case LaneBulk:
		return "bulk"
	}
	return "unknown lane"
}

// Peer is the identity of one incarnation of a node.
type Peer struct {
	// NodeID is the name of the node, unique in its cluster: 1 to 128 letters,
	// digits, '.', '_' or '-'.
	NodeID string

	// Incarnation tells one start of the process from the next. It is not
	// zero. A node draws a new one at every start; later ones are larger when
	// Config.Admit is NewestWins.
	Incarnation uint64

	// ClusterID names the cluster: 1 to 64 characters of the same set.
	ClusterID string

	// Roles are the services this node may use and the kinds it may host.
	Roles []string

	// Addr is where others reach the node; empty when it only dials.
	Addr string
}

// Meta says how one frame travels.
type Meta struct {
	// Lane is the connection to use. Numbers that are no lane mean
	// LaneMessages.
	Lane Lane

	// Key orders frames: frames of one link, lane and key are delivered in the
	// order they were accepted (invariant T1). Between different keys only a
	// frame larger than one chunk may be overtaken. Callers use a hash of
	// (sending actor, receiving actor).
	Key uint64

	// Now asks for the frame to be written by the calling goroutine when the
	// connection is idle: it saves a goroutine switch, costs the caller a
	// system call (about 5 us) and never blocks. Right for a caller that is
	// about to wait for the answer, wrong for a stream of one-way sends.
	Now bool
}

// Transport is one node's endpoint in the cluster. Endpoint implements it.
type Transport interface {
	// Self is the local identity, with Addr filled in.
	Self() Peer

	// Start hands the handler over and begins to accept connections. It must
	// be called once.
	Start(h Handler) error

	// Connect returns the link to a node, and makes it if there is none. It
	// never blocks: the connection is made in the background. A zero
	// Incarnation accepts whichever answers first; the link then stays bound
	// to that one. An empty Addr relies on the peer to dial.
	Connect(to Peer) (Link, error)

	// Stream opens the named byte-stream service on the same listener: what
	// peers dial under that name arrives at the Listener. See Config.Services
	// for who may.
	Stream(service string) (net.Listener, DialFunc, error)

	// Close flushes for up to Config.CloseTimeout, tells the peers, closes all
	// connections and waits for every goroutine. It must not be called from
	// inside the Handler.
	Close() error
}

// DialFunc opens a stream to the node at addr, or fails with an error that
// wraps one of this package's sentinels.
type DialFunc func(ctx context.Context, addr string) (net.Conn, error)

// Link sends to one incarnation of one node. It outlives connections: it
// redials, and keeps what was accepted but not written. All methods are safe
// for concurrent use.
type Link interface {
	// Peer is the remote identity. Before the first connection it holds what
	// Connect was given.
	Peer() Peer

	// Send copies frame into the queue and returns without blocking. An error
	// means that no byte of it was or will be sent (ErrBackpressure,
	// ErrPeerUnreachable, ErrClosed, ErrFrameTooLarge). Nil means accepted:
	// either it is written to the connection, or Handler.HandleDrop gets it.
	// What was written may still be lost when the connection breaks; see
	// PeerEvent.
	Send(m Meta, frame []byte) error

	// SendAppend is Send without the copy: a encodes itself straight into the
	// connection's buffer, under the queue's lock. AppendBinary must be quick,
	// must only append to its argument and must not use the link. Its error is
	// returned as is and nothing is sent.
	SendAppend(m Meta, a encoding.BinaryAppender) error

	// Wait blocks until less than half of the lane's queue is used, the link
	// is closed or ctx ends.
	Wait(ctx context.Context, lane Lane) error

	// Close drops the connections and the queue; reason is what the events and
	// later sends report (nil means ErrClosed).
	Close(reason error)
}

// Handler receives what arrives. For one link and lane all calls come one
// after another; different links and lanes call concurrently. The methods must
// not block: they hold up the connection's reader.
type Handler interface {
	// HandleFrame takes one frame. The slice is valid only during the call.
	// Frames sent back on the same lane meanwhile are held and leave in one
	// write after HandleBatchEnd.
	HandleFrame(from Link, lane Lane, frame []byte)

	// HandleBatchEnd is called when everything read so far has been handled
	// and the reader is about to wait.
	HandleBatchEnd(from Link, lane Lane)

	// HandleDrop reports a frame that Send accepted and that certainly was not
	// delivered. The slice is valid only during the call, which may be made on
	// any goroutine, also from within Send or Link.Close.
	HandleDrop(to Link, lane Lane, frame []byte, reason error)

	// HandlePeer reports a connection coming up or going down.
	HandlePeer(ev PeerEvent)
}

// PeerEvent reports a change of one lane of a link. Frames written before a
// lane went down may or may not have been delivered: outstanding calls on it
// are in doubt.
type PeerEvent struct {
	Link Link
	Peer Peer // who is, or was, at the other end
	Lane Lane
	Up   bool
	Err  error // why it went down: a *ConnError
}

// Network makes the connections under an Endpoint. TCP is the default; package
// transport/memory has one for tests.
type Network interface {
	Listen(ctx context.Context, addr string) (net.Listener, error)
	Dial(ctx context.Context, addr string) (net.Conn, error)
}

// Interceptor sees every whole frame between the decoder and the Handler. It
// exists for fault injection: deliver may be called any number of times, now
// or later, on any goroutine; after the endpoint closed it does nothing.
type Interceptor interface {
	Intercept(from, to string, lane Lane, frame []byte, deliver func(frame []byte))
}

var _ Transport = (*Endpoint)(nil)
