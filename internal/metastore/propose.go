// SPDX-License-Identifier: MIT

package metastore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/troupe-go/troupe/internal/metastore/core"
)

// attemptTimeout bounds one attempt, so that a leader that stopped answering
// is left for the next one within the request's own limit.
const attemptTimeout = 2 * time.Second

// leader returns the address of whoever this node believes to lead, and
// whether that is itself. It is routing advice and nothing else: only a
// committed entry proves anything.
func (n *Node) leader() (addr string, self bool) {
	if n.raft != nil {
		a, id := n.raft.LeaderWithID()
		return string(a), string(id) == n.cfg.ID
	}
	if p := n.hint.Load(); p != nil {
		return *p, false
	}
	return "", false
}

// sendToLeader gets an encoded run of commands committed and returns their
// results. All commands are idempotent, so it tries again after failures that
// leave the outcome in doubt, until the limit.
func (n *Node) sendToLeader(ctx context.Context, cmds []byte, count int) ([]core.Result, error) {
	if err := n.vet(Peer{}, cmds, count); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	ctx, cancel := context.WithTimeout(ctx, n.cfg.ProposeTimeout)
	defer cancel()
	var last error
	doubt := false
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		results, err := n.attempt(ctx, cmds, count)
		if err == nil {
			return results, nil
		}
		last = err
		doubt = doubt || errors.Is(err, ErrInDoubt)
		if errors.Is(err, errRemote) {
			return nil, fmt.Errorf("%w: %w", ErrRefused, err)
		}
		sleep(ctx, pause)
		if ctx.Err() == nil {
			continue
		}
		switch {
		case doubt:
			return nil, fmt.Errorf("%w: %w", ErrInDoubt, last)
		case n.ctx.Err() != nil:
			return nil, n.closedError()
		}
		return nil, fmt.Errorf("%w: %w", ErrNoQuorum, last)
	}
}

func (n *Node) closedError() error {
	if p := n.fault.Load(); p != nil {
		return errors.Join(ErrClosed, *p)
	}
	return ErrClosed
}

func (n *Node) attempt(ctx context.Context, cmds []byte, count int) ([]core.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	addr, self := n.leader()
	switch {
	case self:
		b := n.packer.submit(cmds, count)
		select {
		case <-b.done:
			return b.results, b.err
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: no commit in time", ErrInDoubt)
		}
	case addr == "":
		n.findLeader(ctx)
		return nil, errNotLeader
	}
	req := append(binary.AppendUvarint(make([]byte, 0, len(cmds)+4), uint64(count)), cmds...)
	body, err := n.call(ctx, addr, opPropose, req)
	if err != nil {
		n.redirected(addr, err)
		return nil, err
	}
	results, err := core.DecodeResults(body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInDoubt, err)
	}
	return results, nil
}

// redirected learns from a failed attempt where else to try. Voters ask raft
// every time and keep no hint.
func (n *Node) redirected(tried string, err error) {
	if n.raft != nil {
		return
	}
	var r *redirectError
	if errors.As(err, &r) && r.leader != "" && r.leader != tried {
		n.hint.Store(&r.leader)
		return
	}
	n.hint.Store(nil)
}

// findLeader asks voters, for a node that is none.
func (n *Node) findLeader(ctx context.Context) {
	if n.raft != nil {
		return
	}
	for _, addr := range n.voters() {
		st, err := n.askStatus(ctx, addr)
		if err == nil && st.leader != "" {
			n.hint.Store(&st.leader)
			return
		}
		if ctx.Err() != nil {
			return
		}
	}
	n.findSeeds(ctx)
}

// findSeedsEvery is the time between two searches for seeds.
const findSeedsEvery = 2 * time.Second

// findSeeds asks for more addresses, since no voter that is known answers.
func (n *Node) findSeeds(ctx context.Context) {
	if n.cfg.FindSeeds == nil {
		return
	}
	now, last := n.cfg.Clock(), n.lookedAt.Load()
	if last != 0 && now-last < int64(findSeedsEvery) || !n.lookedAt.CompareAndSwap(last, max(now, 1)) {
		return
	}
	found := n.cfg.FindSeeds(ctx)
	n.found.Store(&found)
}

// voters returns where voters may be reached: the members that say so, and
// the seeds.
func (n *Node) voters() []string {
	var list []string
	seen := map[string]bool{"": true, n.cfg.Addr: true}
	add := func(addr string) {
		if !seen[addr] {
			seen[addr] = true
			list = append(list, addr)
		}
	}
	for _, s := range n.replica.state.Load().Sessions() {
		if s.Info.Voter {
			add(s.Info.Address)
		}
	}
	for _, addr := range n.cfg.Seeds {
		add(addr)
	}
	if found := n.found.Load(); found != nil {
		for _, addr := range *found {
			add(addr)
		}
	}
	return list
}

type peerStatus struct {
	cluster core.ClusterID
	applied uint64
	leader  string
	node    string
}

const statusTimeout = 500 * time.Millisecond

func (n *Node) askStatus(ctx context.Context, addr string) (peerStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	body, err := n.call(ctx, addr, opStatus, nil)
	if err != nil {
		return peerStatus{}, err
	}
	if len(body) < 16 {
		return peerStatus{}, fmt.Errorf("%w: short status", ErrInDoubt)
	}
	w := &wire{b: body[16:]}
	return peerStatus{cluster: core.ClusterID(body[:16]), applied: w.uvarint(), leader: w.text(), node: w.text()}, nil
}

// renew sends one renewal to the leader.
func (n *Node) renew(ctx context.Context, r core.Renewal) (core.Code, error) {
	addr, self := n.leader()
	switch {
	case self:
		return n.renewals.renew(ctx, r)
	case addr == "":
		n.findLeader(ctx)
		return 0, errNotLeader
	}
	var req []byte
	for _, v := range []uint64{r.Session, r.Seq, r.Nonce, r.Ack} {
		req = binary.AppendUvarint(req, v)
	}
	body, err := n.call(ctx, addr, opRenew, req)
	if err != nil {
		n.redirected(addr, err)
		return 0, err
	}
	if len(body) != 1 {
		return 0, ErrInDoubt
	}
	return core.Code(body[0]), nil
}
