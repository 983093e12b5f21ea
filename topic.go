// SPDX-License-Identifier: MIT

package troupe

import (
	"context"
	"fmt"
	"reflect"
	"sync"

	"github.com/troupe-go/troupe/internal/mpsc"
)

// Subscribe calls fn on the actor's turn for every message that is published
// under the topic from now on. The messages of one publisher arrive in order;
// they wait in the actor's mailbox under its bounds. All messages of a topic
// have the type M. The subscription ends with unsubscribe or with the instance:
// subscribe in OnActivate.
func Subscribe[M any](a ActorHolder, topic string, fn func(ctx context.Context, message M)) (unsubscribe func(), err error) {
	c := a.actorBase().cell
	if c == nil {
		return nil, ErrNoActor
	}
	base := a.actorBase()
	s := &subscription{cell: c, base: base}
	s.method = &Method[topicArgs[M], struct{}]{
		MethodInfo: MethodInfo{Name: topic},
		Invoke: func(ctx context.Context, self any, m *topicArgs[M], _ *struct{}) error {
			if !s.ended && self.(ActorHolder).actorBase() == base {
				fn(ctx, m.Message)
			}
			return nil
		},
	}
	if err := s.method.prepare(); err != nil {
		return nil, err
	}
	n := c.kind.node
	if err := n.topics.add(topic, reflect.TypeFor[M](), s); err != nil {
		return nil, err
	}
	cancel := func() {
		s.ended = true
		n.topics.remove(topic, s)
	}
	x := c.extra()
	x.cancels = append(x.cancels, cancel)
	return cancel, nil
}

// Publish sends message to all subscribers of a topic. It does not wait for
// them. Subscribers on one node share the message: what it points to must not
// be changed by anybody afterwards. A subscriber whose mailbox is full loses
// the message, with a dead letter.
func Publish[M any](from Caller, topic string, message M) error {
	n, c := callerNode(from)
	if n == nil {
		return ErrNoActor
	}
	if err := n.admit(c != nil); err != nil {
		return fmt.Errorf("publish %q: %w", topic, err)
	}
	err := publishLocal(n, topic, message)
	if n.cluster != nil && err == nil {
		err = n.cluster.topics.publish(topic, reflect.ValueOf(&message).Elem())
	}
	return err
}

func publishLocal[M any](n *Node, topic string, message M) error {
	subs, typ := n.topics.subscribers(topic)
	if len(subs) == 0 {
		return nil
	}
	if typ != reflect.TypeFor[M]() {
		return fmt.Errorf("publish %q: %w: subscribers take %v, got %T", topic, ErrBadArguments, typ, message)
	}
	for _, s := range subs {
		m := s.method.(*Method[topicArgs[M], struct{}])
		e := envelope{}
		m.pack(&e, topicArgs[M]{message})
		s.deliver(e)
	}
	return nil
}

// topicArgs is the argument struct of a subscriber's method.
type topicArgs[M any] struct{ Message M }

// subscription is one actor's interest in a topic.
type subscription struct {
	cell   *cell
	base   *Actor
	method AnyMethod
	ended  bool // on the turn
}

// deliverAny delivers a message from another node; v has the topic's type.
func (s *subscription) deliverAny(v reflect.Value) {
	if e, err := s.method.setArgs([]any{v.Interface()}); err == nil {
		s.deliver(e)
	}
}

// deliver puts a message into the subscriber's mailbox, or drops it.
func (s *subscription) deliver(e envelope) {
	switch r := s.cell.push(&e); r {
	case mpsc.Full:
		s.cell.discard(&e, CountDropFull, ErrMailboxFull)
	case mpsc.Closed:
		s.cell.discard(&e, CountDropStopped, ErrActorStopped)
	default:
		s.cell.pushedUncommonly(r, nil)
	}
}

// topicTable holds the subscriptions of a node.
type topicTable struct {
	node   *Node
	mu     sync.RWMutex
	topics map[string]*topic
}

type topic struct {
	typ  reflect.Type
	subs []*subscription // copied on write
}

func (t *topicTable) init(n *Node) {
	t.node = n
	t.topics = make(map[string]*topic)
}

func (t *topicTable) add(name string, typ reflect.Type, s *subscription) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	tp := t.topics[name]
	if tp == nil {
		tp = &topic{typ: typ}
		t.topics[name] = tp
		if t.node.cluster != nil {
			t.node.cluster.topics.set(name, true)
		}
	}
	if tp.typ != typ {
		return fmt.Errorf("subscribe %q: %w: others subscribed with %v, not %v", name, ErrBadArguments, tp.typ, typ)
	}
	tp.subs = append(tp.subs[:len(tp.subs):len(tp.subs)], s)
	return nil
}

func (t *topicTable) remove(name string, s *subscription) {
	t.mu.Lock()
	defer t.mu.Unlock()
	tp := t.topics[name]
	if tp == nil {
		return
	}
	left := make([]*subscription, 0, len(tp.subs))
	for _, other := range tp.subs {
		if other != s {
			left = append(left, other)
		}
	}
	if tp.subs = left; len(left) == 0 {
		delete(t.topics, name)
		if t.node.cluster != nil {
			t.node.cluster.topics.set(name, false)
		}
	}
}

func (t *topicTable) subscribers(name string) ([]*subscription, reflect.Type) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if tp := t.topics[name]; tp != nil {
		return tp.subs, tp.typ
	}
	return nil, nil
}
