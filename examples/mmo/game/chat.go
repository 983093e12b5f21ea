// SPDX-License-Identifier: MIT

package game

import (
	"context"
	"time"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/gate"
)

// Chat carries channels; each belongs to one shard. A listener says every few
// seconds that it is there, so that a shard that comes back empty on another
// node fills again.
//
//troupe:kind chat stub
type Chat struct {
	troupe.Actor
	channels map[string]*channel
}

type channel struct {
	listeners map[int64]*listener
	group     gate.Group
	last      []ChatEvent // the last lines, for those who come
}

type listener struct {
	session gate.SessionRef
	until   time.Time
}

const (
	listenerTTL = 15 * time.Second
	chatHistory = 12
)

// OnActivate begins to sweep listeners that are silent.
func (c *Chat) OnActivate(context.Context) error {
	c.channels = make(map[string]*channel)
	_, err := c.Every(listenerTTL/3, func(context.Context) { c.sweep(time.Now()) })
	return err
}

// Join makes a session hear a channel for the next 15 seconds.
func (c *Chat) Join(_ context.Context, name string, player int64, session gate.SessionRef) error {
	ch := c.channels[name]
	if ch == nil {
		ch = &channel{listeners: make(map[int64]*listener)}
		c.channels[name] = ch
	}
	l := ch.listeners[player]
	if l == nil {
		l = &listener{}
		ch.listeners[player] = l
	}
	l.until = time.Now().Add(listenerTTL)
	if l.session != session {
		fresh := l.session.ID != session.ID
		ch.group.Remove(l.session)
		ch.group.Add(session)
		l.session = session
		if fresh {
			for _, line := range ch.last {
				_ = session.Push(c, EventChat, encodeEvent(line))
			}
		}
	}
	return nil
}

// Leave ends it.
func (c *Chat) Leave(_ context.Context, name string, player int64) error {
	if ch := c.channels[name]; ch != nil {
		ch.drop(player)
	}
	return nil
}

func (ch *channel) drop(player int64) {
	if l := ch.listeners[player]; l != nil {
		ch.group.Remove(l.session)
		delete(ch.listeners, player)
	}
}

// Say sends a line to all who listen: one message per gate.
func (c *Chat) Say(_ context.Context, name string, line ChatEvent) error {
	ch := c.channels[name]
	if ch == nil {
		return nil
	}
	ch.last = append(ch.last, line)
	if n := len(ch.last) - chatHistory; n > 0 {
		ch.last = append(ch.last[:0], ch.last[n:]...)
	}
	return ch.group.Push(c, EventChat, encodeEvent(line))
}

func (c *Chat) sweep(now time.Time) {
	for name, ch := range c.channels {
		for player, l := range ch.listeners {
			if now.After(l.until) {
				ch.drop(player)
			}
		}
		if len(ch.listeners) == 0 && len(ch.last) == 0 {
			delete(c.channels, name)
		}
	}
}
