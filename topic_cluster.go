// SPDX-License-Identifier: MIT

package troupe

import (
	"context"
	"encoding/binary"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/troupe-go/troupe/internal/metastore/core"
	"github.com/troupe-go/troupe/internal/wire"
	"github.com/troupe-go/troupe/transport"
)

// clusterTopics knows which nodes have subscribers of a topic. Each node with
// subscribers keeps an ephemeral key "topic/<node>/<topic>" in the metadata
// store, so publishing is a memory read and one frame per node.
type clusterTopics struct {
	cl     *cluster
	codecs wire.Cache

	mu    sync.Mutex
	nodes map[string]map[uint64]struct{} // topic -> sessions with subscribers
	want  map[string]bool                // topics with subscribers here
	told  map[string]bool                // as announced under the present session
	wake  chan struct{}                  // capacity 1
}

const topicPrefix = "topic/"

func (t *clusterTopics) init(cl *cluster) {
	t.cl = cl
	t.nodes = make(map[string]map[uint64]struct{})
	t.want, t.told = make(map[string]bool), make(map[string]bool)
	t.wake = make(chan struct{}, 1)
}

// set notes whether this node has subscribers of a topic.
func (t *clusterTopics) set(topic string, subscribed bool) {
	t.mu.Lock()
	if subscribed {
		t.want[topic] = true
	} else {
		delete(t.want, topic)
	}
	t.mu.Unlock()
	t.poke()
}

// reannounce tells a new session's keys from the start.
func (t *clusterTopics) reannounce() {
	t.mu.Lock()
	t.told = make(map[string]bool)
	t.mu.Unlock()
	t.poke()
}

func (t *clusterTopics) poke() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

func (t *clusterTopics) key(topic string) string { return topicPrefix + t.cl.node.name + "/" + topic }

// run brings the announced topics in line with the wanted ones.
func (t *clusterTopics) run() {
	for {
		select {
		case <-t.cl.ctx.Done():
			return
		case <-t.wake:
		}
		for t.announce() != nil && t.cl.ctx.Err() == nil {
			t.cl.sleep(200 * time.Millisecond)
		}
	}
}

func (t *clusterTopics) announce() error {
	t.mu.Lock()
	var add, drop []string
	for topic := range t.want {
		if !t.told[topic] {
			add = append(add, topic)
		}
	}
	for topic := range t.told {
		if !t.want[topic] {
			drop = append(drop, topic)
		}
	}
	t.mu.Unlock()
	s := t.cl.session.Load()
	ctx, cancel := context.WithTimeout(t.cl.ctx, t.cl.node.cfg.CallTimeout)
	defer cancel()
	for _, topic := range add {
		if _, err := s.Put(ctx, t.key(topic), nil, true); err != nil {
			return err
		}
		t.mark(topic, true)
	}
	for _, topic := range drop {
		if err := s.Delete(ctx, t.key(topic), 0); err != nil {
			return err
		}
		t.mark(topic, false)
	}
	return nil
}

func (t *clusterTopics) mark(topic string, told bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if told {
		t.told[topic] = true
	} else {
		delete(t.told, topic)
	}
}

// onChanges follows the keys; it runs on the metadata store's goroutine.
func (t *clusterTopics) onChanges(changes []core.Change) {
	for i := range changes {
		switch c := &changes[i]; c.Type {
		case core.ChangeKey, core.ChangeKeyGone:
			if strings.HasPrefix(c.Key, topicPrefix) {
				t.note(c.Key, c.Session, c.Type == core.ChangeKey)
			}
		case core.ChangeSessionDead:
			t.forget(c.Session) // its keys died with it
		case core.ChangeRestored:
			t.reload()
		}
	}
}

func (t *clusterTopics) note(key string, session uint64, on bool) {
	_, topic, ok := strings.Cut(strings.TrimPrefix(key, topicPrefix), "/")
	if !ok {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !on {
		delete(t.nodes[topic], session)
		if len(t.nodes[topic]) == 0 {
			delete(t.nodes, topic)
		}
		return
	}
	if t.nodes[topic] == nil {
		t.nodes[topic] = make(map[uint64]struct{})
	}
	t.nodes[topic][session] = struct{}{}
}

func (t *clusterTopics) forget(session uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for topic, nodes := range t.nodes {
		if delete(nodes, session); len(nodes) == 0 {
			delete(t.nodes, topic)
		}
	}
}

func (t *clusterTopics) reload() {
	t.mu.Lock()
	t.nodes = make(map[string]map[uint64]struct{})
	t.mu.Unlock()
	for _, kv := range t.cl.meta.List(topicPrefix) {
		t.note(kv.Key, kv.Session, true)
	}
}

// targets returns the sessions of other nodes with subscribers.
func (t *clusterTopics) targets(topic string) []uint64 {
	own := uint64(0)
	if s := t.cl.session.Load(); s != nil {
		own = s.Epoch()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []uint64
	for s := range t.nodes[topic] {
		if s == own {
			continue
		}
		if t.cl.alive(s) {
			list = append(list, s)
		}
	}
	return list
}

// publish sends message to the other nodes with subscribers.
func (t *clusterTopics) publish(topic string, message reflect.Value) error {
	targets := t.targets(topic)
	if len(targets) == 0 {
		return nil
	}
	codec, err := t.codecs.For(message.Type())
	if err != nil {
		return fmt.Errorf("publish %q: %w: %w", topic, ErrEncoding, err)
	}
	b := append([]byte{framePublish}, binary.AppendUvarint(nil, uint64(len(topic)))...)
	b = codec.Append(append(b, topic...), message)
	if len(b) > t.cl.node.cfg.MaxMessageBytes {
		return fmt.Errorf("publish %q: %w: %d bytes", topic, ErrTooLarge, len(b))
	}
	var first error
	for _, s := range targets {
		link, err := t.cl.link(s)
		if err == nil {
			err = link.Send(transport.Meta{Lane: transport.LaneMessages, Key: hashName(topic)}, b)
		}
		if err != nil && first == nil {
			first = fmt.Errorf("publish %q: %w", topic, sendError(err))
		}
	}
	return first
}

// onPublish hands a message from another node to the subscribers here.
func (t *clusterTopics) onPublish(frame []byte) error {
	r := reader{b: frame}
	topic := r.text()
	if r.bad {
		return errFrame
	}
	subs, typ := t.cl.node.topics.subscribers(topic)
	if len(subs) == 0 {
		return nil
	}
	codec, err := t.codecs.For(typ)
	if err != nil {
		return fmt.Errorf("topic %q: %w", topic, err)
	}
	v := reflect.New(typ).Elem()
	if err := codec.Parse(r.b, v); err != nil {
		return fmt.Errorf("topic %q: %w", topic, err)
	}
	for _, s := range subs {
		s.deliverAny(v)
	}
	return nil
}
