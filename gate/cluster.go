// SPDX-License-Identifier: MIT

package gate

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/internal/wire"
)

// kindHear is the kind of the one actor per node that hears what other nodes
// tell the gates.
const kindHear = "gate"

// topicInfo is where gates tell their load; topicFind is where players' actors
// look for their sessions.
const (
	topicInfo = "gate.info"
	topicFind = "gate.find"
)

// topicOf is where one gate is told things.
func topicOf(gate string) string { return "gate.to." + gate }

// A Cluster connects a node with the gates: Join it on every node, make a Gate
// on those that serve clients.
//
// Nodes talk to a gate through the topic that only its node subscribes to: one
// message per gate whatever the number of sessions, in order per sender.
type Cluster struct {
	node  *troupe.Node
	codec *wire.Codec // of gateMessage

	// hearer is the node's actor, once it is there.
	hearer atomic.Pointer[hearActor]
	// stays are the members' sessions by name, nil before the first change.
	stays atomic.Pointer[map[string]uint64]

	mu    sync.Mutex
	gate  *Gate
	heard map[string]heardInfo
	calls map[uint64]chan releaseReply // requests to other gates
	next  uint64
}

type heardInfo struct {
	info Info
	at   time.Time
}

// infoInterval is how often a gate tells the others its load. Who was not heard
// for infoFresh may be dead and is named only when nobody else is; after infoTTL
// a gate is forgotten.
const (
	infoInterval = time.Second
	infoFresh    = 2500 * time.Millisecond
	infoTTL      = 10 * time.Second
)

// Join registers what gates and pushing actors need. Call it on every node of
// the cluster that serves clients, pushes to them, or hands out gates; after
// New and before Start.
func Join(node *troupe.Node) (*Cluster, error) {
	codec, err := newGateCodec()
	if err != nil {
		return nil, fmt.Errorf("gate: join: %w", err)
	}
	c := &Cluster{node: node, codec: codec, heard: make(map[string]heardInfo), calls: make(map[uint64]chan releaseReply)}
	hear := troupe.Pool[hearActor](kindHear, troupe.Size(1), troupe.MailboxLimit(1<<16), troupe.MailboxBytes(64<<20))
	if err := node.Register(hear); err != nil {
		return nil, fmt.Errorf("gate: join: %w", err)
	}
	troupe.Provide(node, c)
	node.WatchMembers(func(troupe.MemberEvent) { c.noteMembers() })
	return c, nil
}

// NewGate makes the node's gate. Name, Backend and Peers of cfg are filled in.
// A node has one gate at a time. Start the node before the first Serve.
func (c *Cluster) NewGate(cfg Config) (*Gate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gate != nil && !c.gate.stopped.Load() {
		return nil, fmt.Errorf("%w: node %q has a gate already", ErrConfig, c.node.Name())
	}
	cfg.Name = c.node.Name()
	cfg.Backend = NewNodeBackend(c.node)
	cfg.Peers = &nodePeers{c}
	cfg.announce = c.announce
	g, err := New(cfg)
	if err != nil {
		return nil, err
	}
	c.gate = g
	c.heard[cfg.Name] = heardInfo{g.Info(), time.Now()} // who asks at once finds it
	return g, nil
}

// Gates returns the gates of the cluster's members that were heard of within
// the last two and a half seconds, for LoginConfig.Gates. When there is none,
// as under heavy load, it returns those of the last ten.
func (c *Cluster) Gates(context.Context) ([]Info, error) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	var fresh, late []Info
	for name, h := range c.heard {
		switch age := now.Sub(h.at); {
		case age > infoTTL || name != c.node.Name() && !c.member(name):
			delete(c.heard, name)
		case age > infoFresh:
			late = append(late, h.info)
		default:
			fresh = append(fresh, h.info)
		}
	}
	if len(fresh) == 0 {
		return late, nil
	}
	return fresh, nil
}

// Listen makes this node hear of gates from now on. A node with a gate does so
// by itself; others that hand out gates call it once, after Start.
func (c *Cluster) Listen() error {
	return troupe.Post(troupe.HandleOf(c.node, troupe.Ref{Kind: kindHear, Node: c.node.Name()}), wakeMethod, wakeArgs{})
}

// announce tells all nodes about the local gate. It tells nobody before the
// node is a member; the next announcement is infoInterval away.
func (c *Cluster) announce(i Info) {
	c.hear(i)
	if c.member(c.node.Name()) {
		_ = c.Listen()
		_ = troupe.Publish(c.node, topicInfo, i)
	}
}

// noteMembers keeps what every message to a gate looks up. It is called for each
// change, one at a time.
func (c *Cluster) noteMembers() {
	stays := make(map[string]uint64)
	for _, m := range c.node.Members() {
		stays[m.Name] = m.Session
	}
	c.stays.Store(&stays)
}

// stayOf returns the number of a member's present stay in the cluster.
func (c *Cluster) stayOf(name string) (session uint64, ok bool) {
	if stays := c.stays.Load(); stays != nil {
		session, ok = (*stays)[name]
		return session, ok
	}
	for _, m := range c.node.Members() {
		if m.Name == name {
			return m.Session, true
		}
	}
	return 0, false
}

// member reports whether a node of that name is in the cluster.
func (c *Cluster) member(name string) bool {
	_, ok := c.stayOf(name)
	return ok
}

// find asks which gate has the session of a player.
type find struct {
	Player troupe.Ref `troupe:"1"`
}

// ask asks every gate. The local one first: its answer is in the actor's
// mailbox before anything else can be.
func (c *Cluster) ask(from troupe.Caller, player troupe.Ref) {
	if c.found(player) || len(c.node.Members()) == 0 {
		return
	}
	if err := troupe.Publish(from, topicFind, find{player}); err != nil {
		c.node.Logger().Debug("gate: session not looked for", "player", player, "error", err)
	}
}

// found tells the player's actor if its session is at the local gate.
func (c *Cluster) found(player troupe.Ref) bool {
	g := c.local()
	if g == nil {
		return false
	}
	g.mu.RLock()
	s := g.players[player]
	g.mu.RUnlock()
	if s == nil || !s.online() {
		return false
	}
	g.tell(s, Alive, "")
	return true
}

func (c *Cluster) hear(i Info) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heard[i.Name] = heardInfo{i, time.Now()}
}

// speaker is who the gate's messages to other nodes come from: the node's
// actor, which may speak until the node has handed everything over, while the
// node itself says nothing new from the moment it begins to stop. A session on
// its way and the pushes behind it must not be lost in between.
func (c *Cluster) speaker() troupe.Caller {
	if a := c.hearer.Load(); a != nil {
		return a
	}
	return c.node
}

// local returns the node's gate, or nil.
func (c *Cluster) local() *Gate {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.gate
}
