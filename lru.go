// SPDX-License-Identifier: MIT

package troupe

import (
	"sync"
	"time"
)

// lru keeps the active virtual actors of a kind in the order of their use, for
// IdleAfter, MaxActive and MaxActiveBytes.
//
// For an idle limit alone, order is kept roughly: a run only sets a flag, and
// the sweep moves flagged actors to the young end (the CLOCK algorithm). With
// MaxActive or MaxActiveBytes each run moves its actor.
type lru struct {
	mu    sync.Mutex
	head  *cell // least recently used
	tail  *cell
	count int
	bytes int64
	armed bool // the sweep
}

func (l *lru) init() {}

// tracked reports whether the kind needs its lru.
func (k *kind) tracked() bool {
	return k.class == classVirtual && (k.idleAfter > 0 || k.bounded())
}

func (k *kind) bounded() bool { return k.maxActive > 0 || k.maxBytes > 0 }

// add puts an activated cell at the young end, and asks others to leave if the
// kind is over a bound.
func (l *lru) add(c *cell) {
	k, x := c.kind, c.extra()
	var leave []*cell
	l.mu.Lock()
	if !x.lruIn {
		l.linkLocked(c, x)
	}
	x.lastRun = time.Duration(k.node.now())
	l.measureLocked(c, x)
	leave = l.overLocked(k, c)
	if k.idleAfter > 0 && !l.armed {
		l.armed = true
		k.node.afterFunc(k.sweepPeriod(), 0, func() { l.sweep(k) })
	}
	l.mu.Unlock()
	for _, old := range leave {
		old.passivate()
	}
}

// touch notes that the cell ran.
func (l *lru) touch(c *cell, x *cellExt) {
	if !c.kind.bounded() {
		if !x.ran.Load() {
			x.ran.Store(true)
		}
		return
	}
	l.mu.Lock()
	if !x.lruIn {
		l.mu.Unlock()
		return
	}
	l.unlinkLocked(x)
	l.linkLocked(c, x)
	x.lastRun = time.Duration(c.kind.node.now())
	l.measureLocked(c, x)
	leave := l.overLocked(c.kind, c)
	l.mu.Unlock()
	for _, old := range leave {
		old.passivate()
	}
}

// remove takes out a cell whose instance is gone.
func (l *lru) remove(c *cell) {
	x := c.extra()
	l.mu.Lock()
	defer l.mu.Unlock()
	if x.lruIn {
		l.unlinkLocked(x)
		l.bytes -= x.bytesHeld
		x.bytesHeld = 0
	}
}

func (l *lru) linkLocked(c *cell, x *cellExt) {
	x.lruIn = true
	x.lruPrev, x.lruNext = l.tail, nil
	if l.tail != nil {
		l.tail.ext.Load().lruNext = c
	} else {
		l.head = c
	}
	l.tail = c
	l.count++
}

func (l *lru) unlinkLocked(x *cellExt) {
	if x.lruPrev != nil {
		x.lruPrev.ext.Load().lruNext = x.lruNext
	} else {
		l.head = x.lruNext
	}
	if x.lruNext != nil {
		x.lruNext.ext.Load().lruPrev = x.lruPrev
	} else {
		l.tail = x.lruPrev
	}
	x.lruNext, x.lruPrev, x.lruIn = nil, nil, false
	l.count--
}

func (l *lru) measureLocked(c *cell, x *cellExt) {
	if !c.kind.measured {
		return
	}
	s, ok := c.actor.(stateSizer)
	if !ok {
		return
	}
	n := s.StateBytes()
	l.bytes += n - x.bytesHeld
	x.bytesHeld = n
}

// overLocked returns the least recently used cells, other than the one that
// runs, whose leaving brings the kind back under its bounds.
func (l *lru) overLocked(k *kind, running *cell) []*cell {
	if !k.bounded() {
		return nil
	}
	var leave []*cell
	count, bytes := l.count, l.bytes
	for c := l.head; c != nil; {
		if (k.maxActive <= 0 || count <= k.maxActive) && (k.maxBytes <= 0 || bytes <= k.maxBytes) {
			break
		}
		x := c.ext.Load()
		if c != running {
			leave = append(leave, c)
			count--
			bytes -= x.bytesHeld
		}
		c = x.lruNext
	}
	return leave
}

// sweepPeriod is how often idle actors are looked for.
func (k *kind) sweepPeriod() time.Duration {
	return min(max(k.idleAfter/8, k.node.cfg.WheelTick), 10*time.Second)
}

// sweep asks actors that were idle for long enough to leave. It runs on the
// timer driver's goroutine, and not at all while the kind has no actors.
func (l *lru) sweep(k *kind) {
	now := time.Duration(k.node.now())
	var leave []*cell
	l.mu.Lock()
	young := l.tail // those that are moved behind it have been looked at
	for c, last := l.head, false; c != nil && !last; {
		x := c.ext.Load()
		next := x.lruNext
		last = c == young
		switch {
		case x.ran.Swap(false):
			x.lastRun = now
			l.unlinkLocked(x)
			l.linkLocked(c, x)
		case now-x.lastRun >= k.idleAfter:
			leave = append(leave, c)
		}
		c = next
	}
	l.armed = l.count > 0
	if l.armed {
		k.node.afterFunc(k.sweepPeriod(), 0, func() { l.sweep(k) })
	}
	l.mu.Unlock()
	for _, c := range leave {
		c.passivate()
	}
}
