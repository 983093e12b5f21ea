// SPDX-License-Identifier: MIT

package metastore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/raft"

	"github.com/troupe-go/troupe/internal/metastore/core"
)

// Actions of opMember.
const (
	memberAdd    = 1
	memberRemove = 2
	memberDemote = 3
	memberCheck  = 4 // fails with errAbsentMember when the node is none
)

// errAbsentMember crosses the wire as this very text, see removed.
var errAbsentMember = errors.New("metastore: not a member")

// caughtUp is how far behind, in entries, a new voter may be when it gets its
// vote.
const caughtUp = 64

// Join asks the cluster, through the seeds, to make this node a voter, and
// returns when it is one. The node must have been opened with Config.Voter and
// without Bootstrap. It first becomes a non-voter, and a voter once it caught
// up: a voter that lags would only lower the cluster's resilience.
func (n *Node) Join(ctx context.Context) error {
	if n.raft == nil {
		return errors.New("metastore: Join needs Config.Voter")
	}
	return n.AddVoter(ctx, n.cfg.ID, n.cfg.Addr)
}

// AddVoter makes a node a voter, or changes the address of one. It may be
// called on any node.
func (n *Node) AddVoter(ctx context.Context, id, addr string) error {
	return n.member(ctx, memberAdd, id, addr)
}

// RemoveVoter removes a voter for good. Its name must never be used again with
// an empty data directory.
func (n *Node) RemoveVoter(ctx context.Context, id string) error {
	return n.member(ctx, memberRemove, id, "")
}

// ReplaceVoter demotes a failed voter, adds another in its place, and removes
// the failed one. In this order there is never an even number of voters for
// longer than the new one needs to catch up.
func (n *Node) ReplaceVoter(ctx context.Context, failed, id, addr string) error {
	if err := n.member(ctx, memberDemote, failed, ""); err != nil {
		return err
	}
	if err := n.AddVoter(ctx, id, addr); err != nil {
		return err
	}
	return n.RemoveVoter(ctx, failed)
}

// member finds the leader and has it carry the change out. All actions are
// idempotent.
func (n *Node) member(ctx context.Context, action byte, id, addr string) error {
	for {
		err := n.memberAttempt(ctx, action, id, addr)
		if err == nil || errors.Is(err, errRemote) || errors.Is(err, ErrWrongCluster) {
			return err
		}
		n.findSeeds(ctx)
		sleep(ctx, 2*tickEvery)
		if ctx.Err() != nil || n.ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
	}
}

func (n *Node) memberAttempt(ctx context.Context, action byte, id, addr string) error {
	leader, self := n.leader()
	if self {
		return n.change(ctx, action, id, addr)
	}
	targets := n.voters()
	if leader != "" {
		targets = append([]string{leader}, targets...)
	}
	req := putText(putText([]byte{action}, id), addr)
	last := error(errNotLeader)
	for len(targets) > 0 {
		to := targets[0]
		targets = targets[1:]
		if err := n.learnCluster(ctx, to); err != nil {
			continue
		}
		_, err := n.call(ctx, to, opMember, req)
		var r *redirectError
		if errors.As(err, &r) && r.leader != "" && r.leader != to {
			_, err = n.call(ctx, r.leader, opMember, req)
		}
		if err == nil || errors.Is(err, errRemote) {
			return err
		}
	}
	return last
}

// configured reports whether this node is in the newest configuration that it
// knows.
func (n *Node) configured() bool {
	for _, v := range n.Voters() {
		if v.ID == n.cfg.ID {
			return true
		}
	}
	return false
}

// removed asks the other voters for a leader, and that whether this node still
// belongs to the configuration.
func (n *Node) removed(ctx context.Context) bool {
	if n.cfg.Peers == nil {
		return false
	}
	req := putText(putText([]byte{memberCheck}, n.cfg.ID), "")
	for _, v := range n.Voters() {
		if v.ID == n.cfg.ID {
			continue
		}
		st, err := n.askStatus(ctx, v.Addr)
		if err != nil || st.leader == "" || st.leader == n.cfg.Addr {
			continue
		}
		_, err = n.call(ctx, st.leader, opMember, req)
		return err != nil && strings.Contains(err.Error(), errAbsentMember.Error())
	}
	return false
}

func (n *Node) handleMember(ctx context.Context, from Peer, w *wire) []byte {
	if n.raft == nil || len(w.b) == 0 {
		return n.redirect()
	}
	if _, self := n.leader(); !self {
		return n.redirect()
	}
	action := w.b[0]
	w.b = w.b[1:]
	id, addr := w.text(), w.text()
	if w.bad || id == "" {
		return refused(errors.New("member"))
	}
	if action != memberCheck {
		if err := n.cfg.AuthorizeMember(from, action == memberAdd, id); err != nil {
			return refused(err)
		}
	}
	err := n.change(ctx, action, id, addr)
	switch {
	case errors.Is(err, errAbsentMember):
		return refused(errAbsentMember)
	case err != nil:
		return n.failed(err)
	}
	return []byte{statusOK}
}

// change runs on the leader.
func (n *Node) change(ctx context.Context, action byte, id, addr string) error {
	servers, index, err := n.servers()
	if err != nil {
		return err
	}
	var cur *raft.Server
	for i := range servers {
		if string(servers[i].ID) == id {
			cur = &servers[i]
		}
	}
	switch action {
	case memberAdd:
		return n.addVoter(ctx, cur, index, id, addr)
	case memberRemove:
		if cur == nil {
			return nil
		}
		return confChange(n.raft.RemoveServer(raft.ServerID(id), index, n.cfg.ProposeTimeout))
	case memberCheck:
		if cur == nil {
			return errAbsentMember
		}
		return nil
	case memberDemote:
		if cur == nil || cur.Suffrage != raft.Voter {
			return nil
		}
		return confChange(n.raft.DemoteVoter(raft.ServerID(id), index, n.cfg.ProposeTimeout))
	}
	return fmt.Errorf("%w: action %d", ErrRefused, action)
}

func (n *Node) servers() ([]raft.Server, uint64, error) {
	f := n.raft.GetConfiguration()
	if err := f.Error(); err != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrInDoubt, err)
	}
	return f.Configuration().Servers, f.Index(), nil
}

func confChange(f raft.IndexFuture) error {
	switch err := f.Error(); {
	case err == nil:
		return nil
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrEnqueueTimeout):
		return fmt.Errorf("%w: %w", errNotLeader, err)
	default:
		return fmt.Errorf("%w: %w", ErrInDoubt, err)
	}
}

func (n *Node) addVoter(ctx context.Context, cur *raft.Server, index uint64, id, addr string) error {
	sid, saddr := raft.ServerID(id), raft.ServerAddress(addr)
	if cur != nil && cur.Suffrage == raft.Voter {
		if cur.Address == saddr {
			return nil
		}
		return confChange(n.raft.AddVoter(sid, saddr, index, n.cfg.ProposeTimeout)) // a new address
	}
	if err := confChange(n.raft.AddNonvoter(sid, saddr, index, n.cfg.ProposeTimeout)); err != nil {
		return err
	}
	if err := n.waitCaughtUp(ctx, addr); err != nil {
		return err
	}
	_, index, err := n.servers()
	if err != nil {
		return err
	}
	return confChange(n.raft.AddVoter(sid, saddr, index, n.cfg.ProposeTimeout))
}

// waitCaughtUp asks the node itself how far it is, until it is close twice in
// a row.
func (n *Node) waitCaughtUp(ctx context.Context, addr string) error {
	close := 0
	for close < 2 {
		st, err := n.askStatus(ctx, addr)
		if err == nil && st.cluster == *n.cluster.Load() && st.applied+caughtUp >= n.Applied() {
			close++
		} else {
			close = 0
		}
		sleep(ctx, 2*tickEvery)
		if err := errors.Join(ctx.Err(), n.ctx.Err()); err != nil {
			return fmt.Errorf("%w: the new voter did not catch up: %w", ErrInDoubt, err)
		}
	}
	return nil
}

// Voter is one server of the Raft configuration as this voter knows it.
type Voter struct {
	Server
	Voting bool
}

// Voters returns the Raft configuration; nil on nodes that are no voters.
func (n *Node) Voters() []Voter {
	if n.raft == nil {
		return nil
	}
	servers, _, err := n.servers()
	if err != nil {
		return nil
	}
	list := make([]Voter, len(servers))
	for i, s := range servers {
		list[i] = Voter{Server{string(s.ID), string(s.Address)}, s.Suffrage == raft.Voter}
	}
	return list
}

// SetGeneration raises the operator's generation from from to to. It only
// works on the leader.
func (n *Node) SetGeneration(from, to uint64) error {
	if n.packer == nil {
		return errNotLeader
	}
	b, err := n.packer.propose(core.SetGeneration{From: from, To: to})
	if err != nil {
		return err
	}
	return refusal("set generation", b.results[0].Outcome)
}
