// SPDX-License-Identifier: MIT

package metastore

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/troupe-go/troupe/internal/metastore/core"
)

// outboxInFlight is how many bundles of one node may be on their way to the
// leader: one being committed, one waiting at the leader for the next entry.
const outboxInFlight = 2

// outbox collects the requests of this node while others are on their way.
// Claims of one session are merged into one command.
type outbox struct {
	send  func(ctx context.Context, cmds []byte, count int) ([]core.Result, error)
	limit int           // of requests waiting
	bound time.Duration // of one request, waiting included

	mu     sync.Mutex
	queue  []*request
	wake   chan struct{}
	closed bool
}

// request is one command, or some ids of a claim.
type request struct {
	cmd    core.Command
	result core.Result
	err    error
	sent   atomic.Bool
	done   chan struct{}
}

func newOutbox(limit int, bound time.Duration, send func(context.Context, []byte, int) ([]core.Result, error)) *outbox {
	return &outbox{send: send, limit: limit, bound: bound, wake: make(chan struct{}, 1)}
}

// do queues cmd and waits for its result. When ctx ends first, the request may
// still take effect unless it was never sent.
func (o *outbox) do(ctx context.Context, cmd core.Command) (core.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, o.bound)
	defer cancel()
	r := &request{cmd: cmd, done: make(chan struct{})}
	o.mu.Lock()
	switch {
	case o.closed:
		o.mu.Unlock()
		return core.Result{}, ErrClosed
	case len(o.queue) >= o.limit:
		o.mu.Unlock()
		return core.Result{}, ErrOverloaded
	}
	o.queue = append(o.queue, r)
	o.mu.Unlock()
	wakeUp(o.wake)
	select {
	case <-r.done:
		return r.result, r.err
	case <-ctx.Done():
		if !r.sent.CompareAndSwap(false, true) { // it left already
			return core.Result{}, errors.Join(ErrInDoubt, ctx.Err())
		}
		return core.Result{}, errors.Join(ErrNoQuorum, ctx.Err())
	}
}

func (o *outbox) runOutbox(ctx context.Context) {
	slots := make(chan struct{}, outboxInFlight)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer o.close()
	for {
		select {
		case <-o.wake:
		case <-ctx.Done():
			return
		}
		for {
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
			batch := o.take()
			if len(batch) == 0 {
				<-slots
				break
			}
			wg.Go(func() {
				o.deliver(ctx, batch)
				<-slots
			})
		}
	}
}

// take removes requests worth about one log entry. Requests whose caller gave
// up before they were sent are dropped.
func (o *outbox) take() []*request {
	o.mu.Lock()
	defer o.mu.Unlock()
	var batch []*request
	n, ids := 0, 0
	for n < len(o.queue) && ids < maxEntryCommands {
		r := o.queue[n]
		if size := weight(r.cmd); ids > 0 && ids+size > maxEntryCommands {
			break
		} else if r.sent.CompareAndSwap(false, true) {
			ids += size
			batch = append(batch, r)
		}
		n++
	}
	clear(o.queue[:n])
	o.queue = o.queue[n:]
	return batch
}

// weight is the size of a command in units of about 50 bytes.
func weight(cmd core.Command) int {
	n := 0
	switch c := cmd.(type) {
	case core.ClaimBatch:
		for _, id := range c.IDs {
			n += idWeight(id)
		}
	case core.ReleaseBatch:
		for _, it := range c.Items {
			n += idWeight(it.ID)
		}
	case core.TransferBatch:
		for _, it := range c.Items {
			n += idWeight(it.ID)
		}
	case core.KVWrite:
		n = len(c.Value) / 50
	}
	return max(1, n)
}

func idWeight(id core.ID) int { return 1 + (len(id.Kind)+len(id.Name))/50 }

// merged is one command on its way with the requests it answers.
type merged struct {
	cmd  core.Command
	from []*request
}

// merge joins the claims of one session and space; the rest stays in order.
func merge(batch []*request) []merged {
	var list []merged
	type group struct {
		space   core.Space
		session uint64
	}
	claims := map[group]int{}
	for _, r := range batch {
		c, ok := r.cmd.(core.ClaimBatch)
		if !ok {
			list = append(list, merged{r.cmd, []*request{r}})
			continue
		}
		g := group{c.Space, c.Session}
		i, ok := claims[g]
		if !ok {
			i = len(list)
			claims[g] = i
			list = append(list, merged{core.ClaimBatch{Space: c.Space, Session: c.Session}, nil})
		}
		m := list[i].cmd.(core.ClaimBatch)
		m.IDs = append(m.IDs, c.IDs...)
		list[i].cmd = m
		list[i].from = append(list[i].from, r)
	}
	return list
}

func (o *outbox) deliver(ctx context.Context, batch []*request) {
	list := merge(batch)
	var cmds []byte
	for _, m := range list {
		cmds = core.AppendCommand(cmds, m.cmd)
	}
	results, err := o.send(ctx, cmds, len(list))
	if err == nil && len(results) != len(list) {
		err = ErrInDoubt
	}
	for i, m := range list {
		var res core.Result
		if err == nil {
			res = results[i]
		}
		m.answer(res, err)
	}
}

// answer splits the outcomes of a merged claim.
func (m merged) answer(res core.Result, err error) {
	items := res.Items
	for _, r := range m.from {
		r.result, r.err = res, err
		if c, ok := r.cmd.(core.ClaimBatch); ok && err == nil {
			if len(items) < len(c.IDs) {
				r.err = ErrInDoubt
			} else {
				r.result.Items, items = items[:len(c.IDs):len(c.IDs)], items[len(c.IDs):]
			}
		}
		close(r.done)
	}
}

func (o *outbox) close() {
	o.mu.Lock()
	queue := o.queue
	o.queue, o.closed = nil, true
	o.mu.Unlock()
	for _, r := range queue {
		r.err = ErrClosed
		close(r.done)
	}
}
