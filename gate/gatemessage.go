// SPDX-License-Identifier: MIT

package gate

import (
	"context"
	"errors"
	"reflect"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/internal/wire"
)

// gateMessage is what a gate is told by other nodes; one field is set.
type gateMessage struct {
	Deliver *deliverArgs  `troupe:"1"`
	End     *endArgs      `troupe:"2"`
	Release *releaseCall  `troupe:"3"`
	Reply   *releaseReply `troupe:"4"`
	Follow  *followArgs   `troupe:"5"`
	Batch   *batchArgs    `troupe:"6"`
}

type deliverArgs struct {
	Sessions []uint64 `troupe:"1"`
	Push     Push     `troupe:"2"`
}

type endArgs struct {
	Session  uint64 `troupe:"1"`
	Replaced bool   `troupe:"2"`
	Text     string `troupe:"3"`
}

// followArgs goes the way of the pushes before it to the gate that has the
// session now, which then tells the player's actor: Settled.
type followArgs struct {
	Session uint64 `troupe:"1"`
}

// releaseCall asks for a session; the reply goes to the topic of gate From.
type releaseCall struct {
	Call    uint64         `troupe:"1"`
	From    string         `troupe:"2"`
	Request ReleaseRequest `troupe:"3"`
}

type releaseReply struct {
	Call  uint64       `troupe:"1"`
	OK    bool         `troupe:"2"`
	State SessionState `troupe:"3"`
}

// packet carries an encoded gateMessage through a topic.
type packet struct {
	Body []byte `troupe:"1"`
}

func newGateCodec() (*wire.Codec, error) {
	var cache wire.Cache
	return cache.For(reflect.TypeFor[gateMessage]())
}

// tell passes a message to a gate: directly if it is on this node, otherwise
// through its topic. It does not block.
func (c *Cluster) tell(from troupe.Caller, gate string, m *gateMessage) error {
	if gate == c.node.Name() {
		return c.handle(m)
	}
	if !c.member(gate) {
		return ErrNoSession
	}
	body := c.codec.Append(nil, reflect.ValueOf(m).Elem())
	return troupe.Publish(from, topicOf(gate), packet{body})
}

// hearPacket handles a message from another node.
func (c *Cluster) hearPacket(p packet) {
	var m gateMessage
	err := c.codec.Parse(p.Body, reflect.ValueOf(&m).Elem())
	if err == nil {
		err = c.handle(&m)
	}
	if err != nil && !errors.Is(err, ErrNoSession) && !errors.Is(err, ErrStale) && !errors.Is(err, ErrSlow) {
		c.node.Logger().Warn("gate: message from another node", "error", err)
	}
}

// handle does what a message says. It does not block.
func (c *Cluster) handle(m *gateMessage) error {
	if m.Reply != nil {
		c.replied(*m.Reply)
		return nil
	}
	g := c.local()
	switch {
	case g == nil:
		return ErrNoSession
	case m.Deliver != nil:
		_, err := g.Deliver(m.Deliver.Push, m.Deliver.Sessions...)
		return err
	case m.Batch != nil:
		return g.deliverBatch(m.Batch)
	case m.End != nil && m.End.Replaced:
		return g.Replace(m.End.Session)
	case m.End != nil:
		return g.Kick(m.End.Session, m.End.Text)
	case m.Release != nil:
		c.release(g, *m.Release)
	case m.Follow != nil:
		return c.follow(g, m)
	}
	return nil
}

// follow passes a note on to where its session went, or, when it is here, tells
// the player's actor.
func (c *Cluster) follow(g *Gate, m *gateMessage) error {
	if s := g.find(m.Follow.Session); s != nil {
		g.tell(s, Settled, "")
		return nil
	}
	to, ok := g.movedTo(m.Follow.Session)
	if !ok || to == c.node.Name() {
		return ErrNoSession
	}
	return c.tell(c.speaker(), to, m)
}

// release answers another gate. It waits for a running request, so it does not
// hold up the pushes behind it.
func (c *Cluster) release(g *Gate, call releaseCall) {
	g.goUnlessStopped(func() {
		ctx, cancel := context.WithTimeout(g.ctx, releaseTimeout)
		defer cancel()
		state, err := g.Release(ctx, call.Request)
		reply := &releaseReply{Call: call.Call, OK: err == nil, State: state}
		if err := c.tell(c.speaker(), call.From, &gateMessage{Reply: reply}); err != nil {
			c.node.Logger().Warn("gate: session lost on its way", "player", state.Identity.Player, "to", call.From, "error", err)
		}
	})
}

// hearActor passes on what the node's topics bring.
type hearActor struct {
	troupe.Actor
}

// OnActivate subscribes.
func (a *hearActor) OnActivate(context.Context) error {
	c, ok := troupe.Service[*Cluster](a)
	if !ok {
		return errNotJoined
	}
	c.hearer.Store(a)
	_, err := troupe.Subscribe(a, topicInfo, func(_ context.Context, i Info) { c.hear(i) })
	if err == nil {
		_, err = troupe.Subscribe(a, topicFind, func(_ context.Context, f find) { c.found(f.Player) })
	}
	if err == nil {
		_, err = troupe.Subscribe(a, topicOf(c.node.Name()), func(_ context.Context, p packet) { c.hearPacket(p) })
	}
	return err
}

type wakeArgs struct{}

var wakeMethod = &troupe.Method[wakeArgs, struct{}]{
	MethodInfo: troupe.MethodInfo{Name: "Wake", Number: 1, Access: troupe.AccessSystem},
	Invoke:     func(context.Context, any, *wakeArgs, *struct{}) error { return nil },
}

var hearMethods = []troupe.AnyMethod{wakeMethod}

// TroupeMethods implements troupe.Dispatcher.
func (*hearActor) TroupeMethods() []troupe.AnyMethod { return hearMethods }
