// SPDX-License-Identifier: MIT

package troupe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/troupe-go/troupe/internal/metastore"
)

// This file is what an operator does to a cluster, rarely and by hand: replace
// a voter for good, and start again after a majority of them was lost. See
// docs/operate.md for the procedures.

// Voter is one of the nodes that keep the cluster's log, running or not.
type Voter struct {
	Name, Addr string
	// Voting is false while a new voter catches up.
	Voting bool
}

// Voters returns the nodes that keep the log, as this node knows them; nil if
// it is not one of them, or has not started.
func (n *Node) Voters() []Voter {
	if n.cluster == nil || n.cluster.session.Load() == nil {
		return nil
	}
	var list []Voter
	for _, v := range n.cluster.meta.Voters() {
		list = append(list, Voter{v.ID, v.Addr, v.Voting})
	}
	return list
}

// RemoveMember removes another voter from the cluster for good, such as one
// whose machine or disk is lost: it does not count in majorities any more. Its
// name must never be used again; a node with a new name, Voter, Join and an
// empty DataDir takes its place. Stop it first if it runs: a voter that is
// removed while it runs hosts nothing any more and tells OnFatal.
//
// It works on voters only, and blocks until the change is committed or ctx
// ends. A name that is not a voter's is no error, so that it may be repeated; a
// node that is no voter is forgotten when it stops. It fails with ErrNoQuorum
// and changes nothing if those that remain have no majority that runs, also
// with ErrNoQuorum if ctx ends first, and then the outcome is in doubt.
func (n *Node) RemoveMember(ctx context.Context, name string) error {
	cl := n.cluster
	switch {
	case cl == nil || !cl.cfg.Voter:
		return fmt.Errorf("remove %q: %w: this node is not a voter", name, ErrBadConfig)
	case name == n.name:
		return fmt.Errorf("remove %q: %w: this is the node itself; ask another voter", name, ErrBadConfig)
	case cl.session.Load() == nil:
		return ErrStopped
	}
	if err := cl.majorityWithout(name); err != nil {
		return fmt.Errorf("remove %q: %w", name, err)
	}
	if err := cl.meta.RemoveVoter(ctx, name); err != nil {
		return fmt.Errorf("remove %q: %w", name, memberError(ctx, err))
	}
	cl.log.Info("troupe: voter removed", "voter", name)
	return nil
}

// memberError is metaError for changes of the voters, which are tried until ctx
// ends.
func memberError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", ErrNoQuorum, err)
	}
	return metaError(err)
}

// majorityWithout reports whether the other voters that run are a majority of
// those that would remain: otherwise the removal could never be committed, and
// would take the majority that there is now with it.
func (cl *cluster) majorityWithout(name string) error {
	alive := make(map[string]bool)
	for _, m := range cl.view.Load().members {
		alive[m.Name] = m.Voter
	}
	remain, running := 0, 0
	for _, v := range cl.meta.Voters() {
		if v.ID == name || !v.Voting {
			continue
		}
		remain++
		if alive[v.ID] {
			running++
		}
	}
	if 2*running <= remain {
		return fmt.Errorf("%w: of the %d voters that remain, %d run", ErrNoQuorum, remain, running)
	}
	return nil
}

// LogEnd says how far the log of a voter goes.
type LogEnd struct {
	Node        string // whose data directory it is
	Term, Index uint64
}

// Less orders ends: nothing that was committed is missing behind the greatest
// of a majority.
func (e LogEnd) Less(o LogEnd) bool {
	return cmp.Or(cmp.Compare(e.Term, o.Term), cmp.Compare(e.Index, o.Index)) < 0
}

// ReadLogEnd reads the end of the log in a voter's ClusterConfig.DataDir, to
// choose the one to Recover. The node must not run.
func ReadLogEnd(dataDir string) (LogEnd, error) {
	end, err := metastore.ReadLogEnd(dataDir)
	if err != nil {
		return LogEnd{}, fmt.Errorf("read the log of %s: %w", dataDir, recoverError(err))
	}
	return LogEnd(end), nil
}

// Recover makes the voter that cfg describes the only one of its cluster, after
// a majority of the voters was lost for good. It is an offline operation: it
// works on the DataDir of a node that does not run, with the name and address
// that the node will have, and returns the new generation of every Fence.
//
// Stop all nodes of the cluster first and copy all data directories. Recover
// the voter whose ReadLogEnd is the greatest, once; wait a minute after the last
// node of the old cluster ended, because ids (see Snowflake) that the lost log
// knew of may lie that far ahead; then start it. The others come back under new
// names, with empty data directories, without Bootstrap and with Join: the old
// ones must never run again.
//
// What was committed by the lost majority alone is lost; what was never
// committed may become so. Tokens of before are smaller than all new ones: a
// database that orders by Fence.Less, as package orm does, needs no change. One
// that keeps Epoch alone would refuse, or worse accept, the wrong writer: store
// the generation returned with it before anything starts.
//
// It fails with ErrBadConfig if cfg is not a voter's, or the directory is
// another node's, another cluster's, or holds no log.
func Recover(cfg Config) (generation uint64, err error) {
	if cfg, err = cfg.withDefaults(); err != nil {
		return 0, fmt.Errorf("recover: %w", err)
	}
	cc := cfg.Cluster
	if cc == nil || !cc.Voter || cc.DataDir == "" {
		return 0, fmt.Errorf("recover: %w: want a Cluster with Voter and DataDir", ErrBadConfig)
	}
	addr := cmp.Or(cc.Advertise, cc.Listen)
	if host, port, err := net.SplitHostPort(addr); err == nil && (host == "" || port == "0") || addr == "" {
		return 0, fmt.Errorf("recover: %w: ClusterConfig.Advertise: want the address that others dial, not %q", ErrBadConfig, addr)
	}
	generation, err = metastore.Recover(metastore.Config{
		ID: cfg.Name, Addr: addr, DataDir: cc.DataDir, Voter: true, Logger: cfg.Logger,
		Bootstrap: &metastore.Bootstrap{
			Cluster: cc.clusterID(), Servers: []metastore.Server{{ID: cfg.Name, Addr: addr}},
		},
	})
	if err != nil {
		return 0, fmt.Errorf("recover: %w", recoverError(err))
	}
	return generation + 1, nil // as in Fence, see fenceOf
}

func recoverError(err error) error {
	for _, bad := range []error{metastore.ErrWrongNode, metastore.ErrWrongCluster, metastore.ErrNoLog} {
		if errors.Is(err, bad) {
			return fmt.Errorf("%w: %w", ErrBadConfig, err)
		}
	}
	return err
}
