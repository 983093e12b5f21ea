// SPDX-License-Identifier: MIT

package troupe

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// A call is the place where a caller waits for its reply.
//
//	free ──begin──> waiting ──complete──> done ──finish──> free
//	                   │
//	                   └──abandon──> abandoned (the deadline passed or the
//	                                 context ended: the call is given to the
//	                                 garbage collector, not reused, because
//	                                 the callee may still hold it)
//
// C1: only the CAS from waiting decides; whoever wins it owns the outcome. The
// word holds the serial too, so a late reply from another node cannot complete
// a later use of the same call.
// C2: a callee does not touch the call after complete.
// C3: reply and err are written before ch is signalled.
type call struct {
	meta  meta
	state atomic.Uint64 // serial<<8 | phase
	ch    chan struct{} // capacity 1
	reply unsafe.Pointer
	err   error
	cause error // why a call was abandoned
	// index is the call's place in the table; with serial it is the
	// correlation number on the wire.
	index  uint32
	serial uint32
	// deadline is in node time; 0 until the sweeper stamps the default.
	deadline atomic.Int64

	// For calls to other nodes. m decodes the reply; env keeps the arguments
	// for another try, and owns them, while the request is under way; link is
	// the way it went then, else nil; target is where it started.
	m      AnyMethod
	env    envelope
	link   atomic.Pointer[peerLink]
	target *cell
	moves  int
}

const (
	callFree uint32 = iota
	callWaiting
	callDone
	callAbandoned
	callMoving // waiting, between two tries to reach an owner that changes
)

func (c *call) phase() uint32 { return uint32(c.state.Load() & 0xff) }

// move is the CAS of C1.
func (c *call) move(serial, from, to uint32) bool {
	word := uint64(serial) << 8
	return c.state.CompareAndSwap(word|uint64(from), word|uint64(to))
}

// complete hands the outcome to the caller. It reports false when the caller
// has given up; the reply is then still the callee's to release.
func (c *call) complete(reply unsafe.Pointer, err error) bool {
	return c.completeSerial(c.serial, reply, err)
}

// completeSerial is complete for callees that hold the call by number only.
func (c *call) completeSerial(serial uint32, reply unsafe.Pointer, err error) bool {
	if !c.move(serial, callWaiting, callDone) {
		return false
	}
	c.settle(reply, err)
	return true
}

// settle wakes the caller of a call that was moved to done.
func (c *call) settle(reply unsafe.Pointer, err error) {
	c.reply, c.err = reply, err
	c.ch <- struct{}{}
}

// waiting reports whether the caller still wants the reply.
func (c *call) waiting() bool { return isWaiting(c.state.Load()) }

func isWaiting(word uint64) bool {
	p := uint32(word & 0xff)
	return p == callWaiting || p == callMoving
}

// giveUp abandons a call in either of its waiting phases.
func (c *call) giveUp() bool {
	for {
		word := c.state.Load()
		if !isWaiting(word) {
			return false
		}
		if c.giveUpAt(word) {
			return true
		}
	}
}

// giveUpAt abandons the call if its state is still word.
func (c *call) giveUpAt(word uint64) bool {
	return c.state.CompareAndSwap(word, word&^0xff|uint64(callAbandoned))
}

// again begins another try of a call that waits: answers to earlier tries do
// not find it any more. It reports false when the call has ended meanwhile.
func (c *call) again(serial uint32) bool {
	if !c.state.CompareAndSwap(uint64(serial)<<8|uint64(callWaiting), uint64(serial+1)<<8|uint64(callMoving)) {
		return false
	}
	c.serial = serial + 1
	return true
}

// endWith wakes the caller of an abandoned call.
func (c *call) endWith(cause error) {
	c.cause = cause
	c.ch <- struct{}{}
}

// callTable owns the calls of a node: it recycles them, finds them by number
// for replies from other nodes, and ends those whose deadline has passed.
//
// Deadlines are swept rather than armed: a call costs no timer. The sweeper
// runs every sweepPeriod while calls are waiting and parks otherwise, so a call
// may end up to two periods late.
type callTable struct {
	now            func() int64
	defaultTimeout int64

	shards [callShards]callShard

	parked atomic.Bool
	wake   chan struct{}
	stop   chan struct{}
	done   chan struct{}
}

const (
	callShards  = 8
	sweepPeriod = 10 * time.Millisecond
)

type callShard struct {
	// hot is a free call that the next caller takes without the lock.
	hot  atomic.Pointer[call]
	mu   sync.Mutex
	all  []*call // by index / callShards; nil where abandoned
	free []*call
	hole []uint32 // indexes of abandoned calls, to be filled again
	_    [16]byte
}

func newCallTable(now func() int64, defaultTimeout time.Duration) *callTable {
	return &callTable{
		now:            now,
		defaultTimeout: int64(defaultTimeout),
		wake:           make(chan struct{}, 1),
		stop:           make(chan struct{}),
		done:           make(chan struct{}),
	}
}

// begin returns a call in state waiting. deadline is in node time, 0 for the
// default timeout.
func (t *callTable) begin(shard uint32, deadline int64) *call {
	s := &t.shards[shard%callShards]
	c := s.hot.Swap(nil)
	if c == nil {
		c = t.beginSlow(s, shard%callShards)
	}
	c.serial++
	c.deadline.Store(deadline)
	c.meta.call = c
	c.state.Store(uint64(c.serial)<<8 | uint64(callWaiting))
	if t.parked.Load() {
		t.unpark()
	}
	return c
}

// beginSlow takes a call from the free list, or makes one.
func (t *callTable) beginSlow(s *callShard, shard uint32) *call {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.free); n > 0 {
		c := s.free[n-1]
		s.free = s.free[:n-1]
		return c
	}
	return t.newCallLocked(s, shard)
}

func (t *callTable) newCallLocked(s *callShard, shard uint32) *call {
	c := &call{ch: make(chan struct{}, 1), serial: 1}
	if n := len(s.hole); n > 0 {
		slot := s.hole[n-1]
		s.hole = s.hole[:n-1]
		c.index = slot*callShards + shard
		// A late reply to the abandoned call must not find this one.
		c.serial = uint32(t.now()) | 1
		s.all[slot] = c
		return c
	}
	c.index = uint32(len(s.all))*callShards + shard
	s.all = append(s.all, c)
	return c
}

// finish recycles a call that was completed.
func (t *callTable) finish(c *call) {
	c.state.Store(uint64(c.serial)<<8 | uint64(callFree))
	c.reply, c.err, c.m = nil, nil, nil
	c.target, c.moves = nil, 0
	if c.env.m != nil {
		c.env.m.drop(c.env)
		c.env = envelope{}
	}
	if c.link.Load() != nil {
		c.link.Store(nil)
	}
	if m := &c.meta; m.chain != nil || m.trace != nil || m.deadline != 0 || m.tries != 0 {
		*m = meta{}
	}
	s := &t.shards[c.index%callShards]
	if s.hot.CompareAndSwap(nil, c) {
		return
	}
	s.mu.Lock()
	s.free = append(s.free, c)
	s.mu.Unlock()
}

// discard ends a call whose request was not sent. One that the sweeper has
// ended already is left to the garbage collector.
func (t *callTable) discard(c *call) {
	if c.move(c.serial, callWaiting, callDone) {
		t.finish(c)
	}
}

// abandon gives up waiting. It reports false when the outcome has arrived in
// the meantime; the caller must then receive from ch and finish.
func (t *callTable) abandon(c *call) bool {
	if !c.giveUp() {
		return false
	}
	t.forget(c)
	return true
}

func (t *callTable) forget(c *call) {
	s := &t.shards[c.index%callShards]
	s.mu.Lock()
	slot := c.index / callShards
	s.all[slot] = nil
	s.hole = append(s.hole, slot)
	s.mu.Unlock()
}

// find returns the waiting call with that wire number.
func (t *callTable) find(number uint64) *call {
	index, serial := uint32(number>>32), uint32(number)
	s := &t.shards[index%callShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	slot := int(index / callShards)
	if slot >= len(s.all) || s.all[slot] == nil || s.all[slot].state.Load()>>8 != uint64(serial) {
		return nil
	}
	return s.all[slot]
}

// number is the call's correlation number on the wire.
func (c *call) number() uint64 { return uint64(c.index)<<32 | uint64(c.serial) }

// run is the sweeper's goroutine, started and stopped by the node.
func (t *callTable) run() {
	defer close(t.done)
	ticker := time.NewTicker(sweepPeriod)
	defer ticker.Stop()
	for {
		select {
		case <-t.stop:
			return
		case <-ticker.C:
		}
		if t.sweep() > 0 {
			continue
		}
		// Park. A call that begins after the second sweep sees parked.
		t.parked.Store(true)
		if t.sweep() > 0 {
			t.parked.Store(false)
			continue
		}
		ticker.Stop()
		select {
		case <-t.stop:
			return
		case <-t.wake:
		}
		ticker.Reset(sweepPeriod)
	}
}

func (t *callTable) unpark() {
	if t.parked.CompareAndSwap(true, false) {
		select {
		case t.wake <- struct{}{}:
		default:
		}
	}
}

// sweep ends the calls whose deadline has passed and returns how many wait.
func (t *callTable) sweep() int {
	now := t.now()
	waiting := 0
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		for slot, c := range s.all {
			if c == nil {
				continue
			}
			word := c.state.Load() // first, so that the deadline is of this use
			if !isWaiting(word) {
				continue
			}
			d := c.deadline.Load()
			if d == 0 {
				c.deadline.CompareAndSwap(0, now+t.defaultTimeout)
			} else if now >= d && c.giveUpAt(word) {
				s.all[slot] = nil
				s.hole = append(s.hole, uint32(slot))
				c.endWith(ErrTimeout)
				continue
			}
			waiting++
		}
		s.mu.Unlock()
	}
	return waiting
}

// wait blocks until the reply, the deadline or the end of ctx. The result is
// only valid when err is nil; the call must not be used afterwards.
func (t *callTable) wait(ctx context.Context, c *call) (unsafe.Pointer, error) {
	var done <-chan struct{}
	if !isTurnContext(ctx) {
		done = ctx.Done()
	}
	if done == nil {
		<-c.ch
	} else {
		select {
		case <-c.ch:
		case <-done:
			if t.abandon(c) {
				return nil, contextError(ctx)
			}
			<-c.ch
		}
	}
	if c.phase() == callAbandoned {
		return nil, c.cause
	}
	reply, err := c.reply, c.err
	t.finish(c)
	return reply, err
}

// contextError names the end of a caller's context.
func contextError(ctx context.Context) error {
	if ctx.Err() == context.DeadlineExceeded {
		return ErrTimeout
	}
	return ErrCanceled
}

// each calls f for every waiting call, with its serial number.
func (t *callTable) each(f func(c *call, serial uint32)) {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		for _, c := range s.all {
			if c == nil {
				continue
			}
			if word := c.state.Load(); isWaiting(word) {
				f(c, uint32(word>>8))
			}
		}
		s.mu.Unlock()
	}
}

// endAll abandons every waiting call when the node is gone.
func (t *callTable) endAll() {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		for slot, c := range s.all {
			if c != nil && c.giveUp() {
				s.all[slot] = nil
				c.endWith(ErrStopped)
			}
		}
		s.mu.Unlock()
	}
}
