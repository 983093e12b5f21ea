// SPDX-License-Identifier: MIT

package client

import (
	"errors"

	"github.com/troupe-go/troupe/gate/internal/frame"
)

// ackEvery is how many sequenced frames may wait for an acknowledgement when
// no request or ping carries it.
const ackEvery = 32

var errGap = errors.New("client: gap in the sequence numbers")

// handle acts on one frame after the welcome.
func (c *Client) handle(payload []byte) error {
	kind, body, err := frame.Split(payload)
	if err != nil {
		return err
	}
	switch kind {
	case frame.KindPush:
		p, err := frame.ParsePush(body)
		if err != nil {
			return err
		}
		if fresh, err := c.sequence(p.Seq); !fresh {
			return err
		}
		if c.cfg.OnPush != nil {
			c.cfg.OnPush(Push{Event: int32(p.Event), Data: append([]byte(nil), p.Data...), Volatile: p.Seq == 0})
		}
		return nil
	case frame.KindReply:
		r, err := frame.ParseReply(body)
		if err != nil {
			return err
		}
		if fresh, err := c.sequence(r.Seq); !fresh {
			return err
		}
		c.reply(r)
		return nil
	case frame.KindLost:
		l, err := frame.ParseLost(body)
		if err != nil {
			return err
		}
		if fresh, err := c.sequence(l.Seq); !fresh {
			return err
		}
		c.report(Event{State: Lossy, Lost: l.Count})
		return nil
	case frame.KindPong:
		p, err := frame.ParsePong(body)
		if err != nil {
			return err
		}
		c.mu.Lock()
		c.acceptedLocked(p.LastRequest)
		c.mu.Unlock()
		return nil
	case frame.KindGoodbye:
		return parseGoodbye(body)
	}
	return frame.ErrMalformed
}

// sequence checks a sequence number and reports whether the frame is new.
func (c *Client) sequence(seq uint64) (fresh bool, err error) {
	if seq == 0 {
		return true, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case seq <= c.lastSeq:
		return false, nil
	case seq != c.lastSeq+1:
		return false, errGap
	}
	c.lastSeq = seq
	if c.lastSeq-c.acked >= ackEvery {
		c.acked = c.lastSeq
		ack := frame.Ack{Seq: c.lastSeq}
		c.writeLocked(ack.Append(nil))
	}
	return true, nil
}

// reply completes the request it answers, and with it every one-way request
// before: the gate accepts in order.
func (c *Client) reply(r frame.Reply) {
	c.mu.Lock()
	var answered *request
	kept := c.pending[:0]
	for _, p := range c.pending {
		switch {
		case p.seq == r.Request:
			answered = p
		case p.seq < r.Request && p.done == nil:
		default:
			kept = append(kept, p)
		}
	}
	clear(c.pending[len(kept):])
	c.pending = kept
	c.mu.Unlock()
	if answered == nil || answered.done == nil {
		return
	}
	res := result{data: append([]byte(nil), r.Data...)}
	if r.Code != 0 {
		res = result{err: &StatusError{Code: r.Code, User: r.User, Text: r.Text}}
	}
	answered.done <- res
}
