// SPDX-License-Identifier: MIT

package metastore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/troupe-go/troupe/internal/metastore/core"
)

// Requests between nodes:
//
//	request: op (1 byte) | cluster (16 bytes) | payload
//	answer:  status (1 byte) | payload
//
// Numbers are uvarints, texts are length-prefixed. The numbers of ops and
// statuses cross the wire: append, never renumber.
const (
	opStatus   = 1 // -> cluster, applied, leader address, node id
	opPropose  = 2 // count, commands -> results
	opRenew    = 3 // one renewal -> code
	opFeed     = 4 // from, wait in ms -> staleness in ms, entries
	opSnapshot = 5 // id (0: a new one), offset -> id, size, chunk
	opMember   = 6 // action, node id, address -> nothing
)

const (
	statusOK           = 0
	statusNotLeader    = 1 // payload: address of the leader, if known
	statusInDoubt      = 2 // payload: text
	statusWrongCluster = 3
	statusNeedSnapshot = 4
	statusRefused      = 5 // payload: text; nothing happened
	statusClosed       = 6
)

const rpcHeader = 1 + 16

// errRemote is a refusal by the other node.
var errRemote = errors.New("metastore: peer refused")

// wire reads the payloads above; the first problem sticks.
type wire struct {
	b   []byte
	bad bool
}

func (w *wire) uvarint() uint64 {
	v, n := binary.Uvarint(w.b)
	if n <= 0 {
		w.bad, w.b = true, nil
		return 0
	}
	w.b = w.b[n:]
	return v
}

// bytes aliases the input.
func (w *wire) bytes() []byte {
	n := w.uvarint()
	if n > uint64(len(w.b)) {
		w.bad, w.b = true, nil
		return nil
	}
	v := w.b[:n:n]
	w.b = w.b[n:]
	return v
}

func (w *wire) text() string { return string(w.bytes()) }

func putText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// call sends one request and returns the payload of an OK answer. A transport
// failure is in doubt; the statuses map to errors that say more.
func (n *Node) call(ctx context.Context, addr string, op byte, payload []byte) ([]byte, error) {
	cluster := *n.cluster.Load()
	req := make([]byte, 0, rpcHeader+len(payload))
	req = append(req, op)
	req = append(req, cluster[:]...)
	req = append(req, payload...)
	ans, err := n.cfg.Peers.Call(ctx, addr, req)
	if err != nil {
		return nil, fmt.Errorf("%w: call %s: %w", ErrInDoubt, addr, err)
	}
	if len(ans) == 0 {
		return nil, fmt.Errorf("%w: call %s: empty answer", ErrInDoubt, addr)
	}
	body := ans[1:]
	switch ans[0] {
	case statusOK:
		return body, nil
	case statusNotLeader:
		return nil, &redirectError{leader: string(body)}
	case statusInDoubt:
		return nil, fmt.Errorf("%w: %s", ErrInDoubt, body)
	case statusWrongCluster:
		return nil, fmt.Errorf("%w: %s", ErrWrongCluster, addr)
	case statusNeedSnapshot:
		return nil, errNeedSnapshot
	case statusClosed:
		return nil, &redirectError{}
	}
	return nil, fmt.Errorf("%w: %s: %s", errRemote, addr, body)
}

var errNeedSnapshot = errors.New("metastore: feed needs a snapshot")

// redirectError says that nothing happened and who may know better.
type redirectError struct{ leader string }

// Error implements error.
func (e *redirectError) Error() string { return "metastore: not the leader, try " + e.leader }

// Handle answers one request of a peer, which may only act for its own
// sessions. Handle may block for up to ProposeTimeout; it is safe for
// concurrent use.
func (n *Node) Handle(ctx context.Context, from Peer, req []byte) []byte {
	if len(req) < rpcHeader {
		return refused(errors.New("short request"))
	}
	if n.ctx.Err() != nil {
		return []byte{statusClosed}
	}
	op, theirs, payload := req[0], core.ClusterID(req[1:rpcHeader]), req[rpcHeader:]
	own := *n.cluster.Load()
	joiner := theirs == core.ClusterID{} && (op == opStatus || op == opMember)
	if theirs != own && !joiner && !(op == opStatus && own == core.ClusterID{}) {
		return []byte{statusWrongCluster}
	}
	w := &wire{b: payload}
	switch op {
	case opStatus:
		return n.handleStatus()
	case opPropose:
		return n.handlePropose(ctx, from, w)
	case opRenew:
		return n.handleRenew(ctx, from, w)
	case opFeed:
		return n.handleFeed(ctx, w)
	case opSnapshot:
		return n.handleSnapshot(w)
	case opMember:
		return n.handleMember(ctx, from, w)
	}
	return refused(fmt.Errorf("unknown request %d", op))
}

func refused(err error) []byte { return append([]byte{statusRefused}, err.Error()...) }

// failed turns an error of the packer into an answer.
func (n *Node) failed(err error) []byte {
	switch {
	case errors.Is(err, errNotLeader):
		return n.redirect()
	case errors.Is(err, ErrClosed):
		return []byte{statusClosed}
	}
	return append([]byte{statusInDoubt}, err.Error()...)
}

func (n *Node) redirect() []byte {
	addr, self := n.leader()
	if self { // between elections: we know nobody better
		addr = ""
	}
	return append([]byte{statusNotLeader}, addr...)
}

func (n *Node) handleStatus() []byte {
	cluster := *n.cluster.Load()
	addr, _ := n.leader()
	b := append([]byte{statusOK}, cluster[:]...)
	b = binary.AppendUvarint(b, n.replica.state.Load().Applied())
	return putText(putText(b, addr), n.cfg.ID)
}

func (n *Node) handlePropose(ctx context.Context, from Peer, w *wire) []byte {
	if n.raft == nil {
		return n.redirect()
	}
	if _, self := n.leader(); !self {
		return n.redirect()
	}
	count := int(w.uvarint())
	if w.bad || count < 1 || count > maxEntryCommands {
		return refused(errors.New("command count"))
	}
	if err := n.vet(from, w.b, count); err != nil {
		return refused(err)
	}
	// The answer is only given for a committed entry, so a peer that is gone by
	// then costs nothing.
	b := n.packer.submit(append([]byte(nil), w.b...), count)
	select {
	case <-b.done:
	case <-ctx.Done():
		return append([]byte{statusInDoubt}, "deadline"...)
	}
	if b.err != nil {
		return n.failed(b.err)
	}
	return core.AppendResults([]byte{statusOK}, b.results)
}

// vet decodes the commands of a peer before they reach the log (a command that
// does not decode would halt every node, R7) and binds them to the peer's own
// sessions.
func (n *Node) vet(from Peer, cmds []byte, count int) error {
	entry := append(core.AppendEntryHeader(make([]byte, 0, len(cmds)+8), count), cmds...)
	list, err := core.DecodeEntry(entry)
	if err != nil {
		return err
	}
	state := n.replica.state.Load()
	for _, c := range list {
		if core.LeaderOnly(c) || c.Op() == core.OpRenewBatch {
			return fmt.Errorf("command %d is not for peers", c.Op())
		}
		if from.Node == "" {
			continue
		}
		if err := n.vetCommand(from, c, state); err != nil {
			return err
		}
	}
	return nil
}

// vetCommand binds a command to the peer that sent it: its node and its roles.
func (n *Node) vetCommand(from Peer, c core.Command, state *core.State) error {
	node := from.Node
	switch c := c.(type) {
	case core.OpenSession:
		node = c.Node
		if err := n.cfg.AuthorizeInfo(from, c.Info); err != nil {
			return err
		}
	case core.UpdateInfo:
		if err := n.cfg.AuthorizeInfo(from, c.Info); err != nil {
			return err
		}
	}
	if s := core.SessionOf(c); s != 0 {
		if v, ok := state.Session(s); ok {
			node = v.Node
		}
	}
	if node != from.Node {
		return fmt.Errorf("command %d for a session of %q", c.Op(), node)
	}
	return nil
}

func (n *Node) handleRenew(ctx context.Context, from Peer, w *wire) []byte {
	if n.raft == nil {
		return n.redirect()
	}
	if _, self := n.leader(); !self {
		return n.redirect()
	}
	r := core.Renewal{Session: w.uvarint(), Seq: w.uvarint(), Nonce: w.uvarint(), Ack: w.uvarint()}
	if w.bad {
		return refused(errors.New("renewal"))
	}
	if v, ok := n.replica.state.Load().Session(r.Session); ok && from.Node != "" && v.Node != from.Node {
		return refused(fmt.Errorf("renewal for a session of %q", v.Node))
	}
	code, err := n.renewals.renew(ctx, r)
	if err != nil {
		return n.failed(err)
	}
	return []byte{statusOK, byte(code)}
}
