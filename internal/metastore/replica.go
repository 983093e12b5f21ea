// SPDX-License-Identifier: MIT

package metastore

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/troupe-go/troupe/internal/metastore/core"
)

// replica is this node's copy of the state, fed in log order by raft's FSM
// goroutine (voters) or by the feed (others). apply and restore are called by
// that one goroutine; everything else by anyone.
type replica struct {
	state atomic.Pointer[core.State]

	mu       sync.Mutex
	recent   []feedEntry // for followers of the feed, oldest first
	bytes    int
	maxCount int
	maxBytes int
	floor    uint64 // entries up to here are not in recent any more
	waiters  []waiter
	subs     map[int]func([]core.Change)
	nextSub  int

	onTouched func(term uint64, list []core.Touch) // set before the first apply
	halted    atomic.Pointer[error]
	hash      atomic.Pointer[stateHash] // newest recorded one, for Noop (R8)
	now       atomic.Pointer[stateHash] // at the applied index (I12)
}

type stateHash struct{ index, hash uint64 }

type feedEntry struct {
	index, term uint64
	data        []byte
}

type waiter struct {
	index uint64
	ch    chan struct{}
}

func newReplica(maxCount, maxBytes int) *replica {
	r := &replica{maxCount: maxCount, maxBytes: maxBytes, subs: map[int]func([]core.Change){}}
	r.state.Store(core.NewState())
	r.hash.Store(&stateHash{})
	r.now.Store(&stateHash{})
	return r
}

// apply executes one entry. After an error the replica never applies again.
func (r *replica) apply(index, term uint64, data []byte) ([]core.Result, error) {
	if p := r.halted.Load(); p != nil {
		return nil, *p
	}
	done, err := r.state.Load().Apply(index, term, data)
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrHalted, err)
		r.halted.Store(&err)
		return nil, err
	}
	r.now.Store(&stateHash{index, r.state.Load().Hash()})
	if i, h := r.state.Load().LatestHash(); i > r.hash.Load().index {
		r.hash.Store(&stateHash{i, h})
	}
	if r.onTouched != nil {
		r.onTouched(term, done.Touched)
	}
	r.publish(done.Changes, index, func() {
		r.recent = append(r.recent, feedEntry{index, term, data})
		r.bytes += len(data)
		r.trim()
	})
	return done.Results, nil
}

// trim forgets the oldest entries beyond the bounds. r.mu is held.
func (r *replica) trim() {
	drop := 0
	for len(r.recent)-drop > r.maxCount || r.bytes > r.maxBytes && drop < len(r.recent) {
		r.bytes -= len(r.recent[drop].data)
		r.floor = r.recent[drop].index
		drop++
	}
	if drop > 0 {
		clear(r.recent[:drop])
		r.recent = r.recent[drop:]
	}
}

// restore replaces the state by a snapshot.
func (r *replica) restore(in io.Reader) error {
	s, err := core.Restore(in)
	if err != nil {
		return err
	}
	r.now.Store(&stateHash{s.Applied(), s.Hash()})
	r.state.Store(s)
	r.publish([]core.Change{{Type: core.ChangeRestored, Index: s.Applied()}}, s.Applied(), func() {
		r.recent, r.bytes, r.floor = nil, 0, s.Applied()
	})
	return nil
}

// publish runs record under the lock, wakes who waits for index, and calls the
// subscribers in apply order.
func (r *replica) publish(changes []core.Change, index uint64, record func()) {
	r.mu.Lock()
	record()
	keep := r.waiters[:0]
	for _, w := range r.waiters {
		if w.index <= index {
			close(w.ch)
		} else {
			keep = append(keep, w)
		}
	}
	clear(r.waiters[len(keep):])
	r.waiters = keep
	var subs []func([]core.Change)
	if len(changes) > 0 {
		for _, f := range r.subs {
			subs = append(subs, f)
		}
	}
	r.mu.Unlock()
	for _, f := range subs {
		f(changes)
	}
}

// waitApplied returns when the entry at index has been applied here.
func (r *replica) waitApplied(ctx context.Context, index uint64) error {
	if r.state.Load().Applied() >= index {
		return nil
	}
	r.mu.Lock()
	if r.state.Load().Applied() >= index {
		r.mu.Unlock()
		return nil
	}
	w := waiter{index, make(chan struct{})}
	r.waiters = append(r.waiters, w)
	r.mu.Unlock()
	select {
	case <-w.ch:
		return nil
	case <-ctx.Done():
		r.mu.Lock()
		for i := range r.waiters {
			if r.waiters[i].ch == w.ch {
				r.waiters = append(r.waiters[:i], r.waiters[i+1:]...)
				break
			}
		}
		r.mu.Unlock()
		return ctx.Err()
	}
}

// subscribe calls f, in apply order, with the changes of every entry. f runs
// on the applying goroutine: it must be quick and must not call back into
// subscribe. The slice is valid only during the call.
func (r *replica) subscribe(f func([]core.Change)) (cancel func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	id := r.nextSub
	r.nextSub++
	r.subs[id] = f
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.subs, id)
	}
}

// tail returns entries after index, at most limit bytes but at least one; ok
// is false when the follower needs a snapshot first.
func (r *replica) tail(index uint64, limit int) (list []feedEntry, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if index < r.floor {
		return nil, false
	}
	// The follower is usually near the end.
	i := len(r.recent)
	for i > 0 && r.recent[i-1].index > index {
		i--
	}
	size := 0
	for _, e := range r.recent[i:] {
		size += len(e.data)
		if len(list) > 0 && size > limit {
			break
		}
		list = append(list, e)
	}
	return list, true
}
