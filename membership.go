// SPDX-License-Identifier: MIT

package troupe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/troupe-go/troupe/internal/metastore/core"
	"github.com/troupe-go/troupe/transport"
)

// Member is a node of the cluster as seen by this one.
type Member struct {
	Name string
	Addr string
	// Session identifies this stay of the node in the cluster. A node that
	// restarts comes back with a greater one.
	Session  uint64
	Roles    []string
	Kinds    []string
	Voter    bool
	Draining bool
	// Load is the number of its active virtual actors, a few seconds old.
	Load int64

	incarnation uint64
}

// MemberEvent tells of a node that joined, changed or left.
type MemberEvent struct {
	Member Member
	// Left is set when the node's session ended.
	Left bool
}

// view is an immutable picture of the members.
type view struct {
	members []Member
	bySess  map[uint64]*Member
	hosts   map[string][]Host // by kind, without draining nodes
	session map[string]uint64 // by node name
}

// Members returns the nodes of the cluster, ordered by name; a node by itself
// has none.
func (n *Node) Members() []Member {
	if n.cluster == nil {
		return nil
	}
	return slices.Clone(n.cluster.view.Load().members)
}

// WatchMembers calls f for every later change of Members, one call at a time,
// until cancel. f must not block.
func (n *Node) WatchMembers(f func(MemberEvent)) (cancel func()) {
	if n.cluster == nil {
		return func() {}
	}
	return n.cluster.watchers.add(f)
}

type watchList struct {
	mu   sync.Mutex
	next int
	fs   map[int]func(MemberEvent)
}

func (w *watchList) add(f func(MemberEvent)) func() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fs == nil {
		w.fs = make(map[int]func(MemberEvent))
	}
	id := w.next
	w.next++
	w.fs[id] = f
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.fs, id)
	}
}

// tell calls the functions without the lock, so that they may do anything but
// block. The caller tells one event at a time.
func (w *watchList) tell(e MemberEvent) {
	w.mu.Lock()
	fs := make([]func(MemberEvent), 0, len(w.fs))
	for _, f := range w.fs {
		fs = append(fs, f)
	}
	w.mu.Unlock()
	for _, f := range fs {
		f(e)
	}
}

// onChanges is called by the metadata store on its applying goroutine.
func (cl *cluster) onChanges(changes []core.Change) {
	members := false
	for i := range changes {
		switch changes[i].Type {
		case core.ChangeSessionOpened, core.ChangeSessionUpdated, core.ChangeSessionDead, core.ChangeRestored:
			members = true
		case core.ChangeClaimed, core.ChangeReleased, core.ChangeSlotClaimed, core.ChangeSlotReleased:
			cl.ownerChanged(&changes[i])
		}
	}
	cl.topics.onChanges(changes)
	if members {
		select {
		case cl.changed <- struct{}{}:
		default:
		}
	}
}

func (cl *cluster) runView() {
	for {
		select {
		case <-cl.ctx.Done():
			return
		case <-cl.changed:
			cl.refreshView()
		}
	}
}

// refreshView makes the view anew and tells the watchers.
func (cl *cluster) refreshView() {
	cl.refresh.Lock()
	defer cl.refresh.Unlock()
	old := cl.view.Load()
	v := newView(cl.meta.Members())
	cl.view.Store(v)
	for _, link := range cl.takeDeadLinks(v) {
		link.Close(errLeft)
	}
	for i := range v.members {
		m := &v.members[i]
		if before := old.bySess[m.Session]; before == nil || before.Draining != m.Draining {
			cl.watchers.tell(MemberEvent{Member: *m})
		}
	}
	for i := range old.members {
		if m := &old.members[i]; v.bySess[m.Session] == nil {
			cl.watchers.tell(MemberEvent{Member: *m, Left: true})
		}
	}
}

// errLeft is why the connections to a member that left are closed.
var errLeft = errors.New("troupe: the node left the cluster")

// takeDeadLinks removes the links of sessions that ended, and returns those
// whose process is not a member under another session.
func (cl *cluster) takeDeadLinks(v *view) []transport.Link {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	var dead []transport.Link
	for s, link := range cl.links {
		if v.bySess[s] != nil {
			continue
		}
		delete(cl.links, s)
		peer := link.Peer()
		if m := v.bySess[v.session[peer.NodeID]]; m == nil || m.incarnation != peer.Incarnation {
			dead = append(dead, link.Link)
		}
	}
	return dead
}

func newView(sessions []*core.Session) *view {
	v := &view{bySess: make(map[uint64]*Member), hosts: make(map[string][]Host), session: make(map[string]uint64)}
	for _, s := range sessions {
		m := Member{
			Name: s.Node, Addr: s.Info.Address, Session: s.Epoch, Roles: s.Info.Roles,
			Kinds: s.Info.Kinds, Voter: s.Info.Voter, Draining: s.State == core.SessionDraining,
		}
		m.Load, m.incarnation = readMeta(s.Info.Meta)
		v.members = append(v.members, m)
	}
	for i := range v.members {
		m := &v.members[i]
		v.bySess[m.Session] = m
		v.session[m.Name] = m.Session
		if m.Draining {
			continue
		}
		for _, k := range m.Kinds {
			v.hosts[k] = append(v.hosts[k], Host{Node: m.Name, Hash: hashName(m.Name), Load: m.Load})
		}
	}
	return v
}

// peerLink is the connection to the node that holds a session.
type peerLink struct {
	transport.Link
	session uint64
}

// link returns the connection to the node that holds a session.
func (cl *cluster) link(session uint64) (*peerLink, error) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if l := cl.links[session]; l != nil {
		return l, nil
	}
	s, ok := cl.meta.SessionByEpoch(session)
	if !ok || !s.Alive() {
		return nil, ErrUnreachable
	}
	_, incarnation := readMeta(s.Info.Meta)
	l, err := cl.ep.Connect(transport.Peer{
		NodeID: s.Node, ClusterID: cl.cfg.Name, Addr: s.Info.Address, Incarnation: incarnation,
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	cl.links[session] = &peerLink{l, session}
	return cl.links[session], nil
}

// appendMeta encodes what members tell each other beside core.Info: the load,
// and the incarnation of the process on the transport.
func appendMeta(b []byte, load int64, incarnation uint64) []byte {
	return binary.AppendUvarint(binary.AppendVarint(b, load), incarnation)
}

func readMeta(b []byte) (load int64, incarnation uint64) {
	r := reader{b: b}
	if len(b) > 0 {
		load, incarnation = r.varint(), r.uvarint()
	}
	return load, incarnation
}
