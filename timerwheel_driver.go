// SPDX-License-Identifier: MIT

package troupe

import (
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	defaultWheelTick = 10 * time.Millisecond
	minWheelTick     = time.Millisecond

	maxWheelShards = 16
	wheelBatch     = 512 // firings delivered per call; bounds a lock's hold time
)

// timerDriver drives timing wheels in real time with one goroutine. Timers can
// be armed and cancelled by any goroutine, also from deliver and after stop
// (then nothing fires any more).
//
// The wheels are sharded by key, each under its own lock, because turns of
// many actors arm timers at the same time. Timers of one key that are due in
// the same tick fire in the order in which they were armed.
//
// Time is the monotonic clock: steps of the wall clock have no effect. While
// no timer is armed, and between ticks that need work, the goroutine sleeps.
// In a testing/synctest bubble it follows the bubble's clock.
type timerDriver[T any] struct {
	begin   time.Time
	tick    time.Duration
	deliver func([]wheelFired[T])
	shards  []wheelShard[T]

	// wakeAt is the tick in which the goroutine will look again. It is 0 while
	// the goroutine works and will look at the shards later, and MaxInt64 from
	// before it looks at the shards until it knows. So whoever arms a timer
	// either is seen by that look (both hold the shard's lock) or sees a
	// wakeAt that tells whether the goroutine must be woken.
	wakeAt atomic.Int64
	wake   chan struct{} // capacity 1

	startOnce, stopOnce sync.Once
	quit, done          chan struct{}
}

type wheelShard[T any] struct {
	mu    sync.Mutex
	wheel timerWheel[T]
}

// newTimerDriver returns a driver that is not started. tick defaults to 10 ms
// and is at least 1 ms; shards is rounded up to a power of two and defaults to
// the number of processors, at most 16.
//
// deliver is called on the driver's goroutine without locks, with at most
// wheelBatch expired timers in a slice that is valid until it returns. It must
// not block: every other timer waits.
func newTimerDriver[T any](tick time.Duration, shards int, deliver func([]wheelFired[T])) *timerDriver[T] {
	if tick == 0 {
		tick = defaultWheelTick
	}
	if shards <= 0 {
		shards = runtime.GOMAXPROCS(0)
	}
	n := 1
	for n < shards && n < maxWheelShards {
		n *= 2
	}
	d := &timerDriver[T]{
		begin:   time.Now(),
		tick:    max(tick, minWheelTick),
		deliver: deliver,
		shards:  make([]wheelShard[T], n),
		wake:    make(chan struct{}, 1),
		quit:    make(chan struct{}),
		done:    make(chan struct{}),
	}
	for i := range d.shards {
		d.shards[i].wheel.init(d.tick)
	}
	return d
}

// start starts the goroutine. It has no effect when called again or after stop.
func (d *timerDriver[T]) start() { d.startOnce.Do(func() { go d.run() }) }

// stop ends the goroutine and waits for it, and so for a running deliver: it
// must not be called from there. It can be called more than once.
func (d *timerDriver[T]) stop() {
	d.startOnce.Do(func() { close(d.done) }) // never started: nothing to wait for
	d.stopOnce.Do(func() { close(d.quit) })
	<-d.done
}

// after arms t to fire once, delay from now; a delay of zero or less means the
// next tick. Timers that are to keep their order have the same key; a timer
// keeps its key for life. It never blocks for long and does not allocate.
func (d *timerDriver[T]) after(key uint64, t *wheelTimer[T], delay time.Duration) {
	d.arm(key, t, delay, 0, CoalesceSkip)
}

// every arms t to fire after first, and from then on every period, without
// drift. A period below the tick is raised to the tick; one of zero or less is
// refused with ErrBadPeriod, and t is left as it was. See wheelSpread for
// first, and after for the rest.
func (d *timerDriver[T]) every(key uint64, t *wheelTimer[T], first, period time.Duration, c Coalesce) error {
	if period <= 0 {
		return ErrBadPeriod
	}
	d.arm(key, t, first, period, c)
	return nil
}

func (d *timerDriver[T]) arm(key uint64, t *wheelTimer[T], delay, period time.Duration, c Coalesce) {
	at := d.now()
	if delay > 0 {
		at += min(delay, maxWheelTime-at)
	}
	shard := uint8(key & uint64(len(d.shards)-1))
	s := &d.shards[shard]
	s.mu.Lock()
	if t.shard != shard { // only the first time: cancel reads it without the lock
		t.shard = shard
	}
	due := s.wheel.arm(t, at, period, c)
	s.mu.Unlock()
	if due < d.wakeAt.Load() {
		select {
		case d.wake <- struct{}{}:
		default: // it is being woken already
		}
	}
}

// cancel disarms t. No firing of t begins after cancel returned, also when one
// waits in a mailbox. It reports whether there was anything to cancel; t may be
// new, or have fired long ago. The owner may drop or arm t at once.
func (d *timerDriver[T]) cancel(t *wheelTimer[T]) bool {
	s := &d.shards[t.shard]
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wheel.cancel(t)
}

// armed returns the number of armed timers, and the number of firings that the
// policies of periodic timers have dropped.
func (d *timerDriver[T]) armed() (timers int, skipped uint64) {
	for i := range d.shards {
		s := &d.shards[i]
		s.mu.Lock()
		timers += s.wheel.count
		skipped += s.wheel.skipped
		s.mu.Unlock()
	}
	return timers, skipped
}

// now returns the monotonic time since the driver was made.
func (d *timerDriver[T]) now() time.Duration { return time.Since(d.begin) }

// run is the driver's goroutine. It ends when quit is closed.
func (d *timerDriver[T]) run() {
	defer close(d.done)
	batch := make([]wheelFired[T], 0, wheelBatch)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		d.wakeAt.Store(0)
		d.fire(batch)
		sleep, ok := d.next()
		var expired <-chan time.Time // nil, for ever, when nothing is armed
		if ok {
			timer.Reset(sleep)
			expired = timer.C
		}
		select {
		case <-expired:
		case <-d.wake:
		case <-d.quit:
			return
		}
	}
}

// fire delivers everything that is due. A shard with very many due timers does
// not starve the others for longer than one batch, nor delay stop.
func (d *timerDriver[T]) fire(batch []wheelFired[T]) {
	now := d.now()
	for busy := true; busy; {
		busy = false
		for i := range d.shards {
			s := &d.shards[i]
			s.mu.Lock()
			fired, more := s.wheel.advance(now, batch[:0])
			s.mu.Unlock()
			if len(fired) > 0 {
				d.deliver(fired)
				clear(fired) // do not keep timers alive
			}
			busy = busy || more
		}
		select {
		case <-d.quit:
			return
		default:
		}
	}
}

// next returns how long the goroutine may sleep, and sets wakeAt accordingly.
func (d *timerDriver[T]) next() (time.Duration, bool) {
	d.wakeAt.Store(math.MaxInt64)
	first := int64(math.MaxInt64)
	for i := range d.shards {
		s := &d.shards[i]
		s.mu.Lock()
		if tick, ok := s.wheel.nextTick(); ok {
			first = min(first, tick)
		}
		s.mu.Unlock()
	}
	if first == math.MaxInt64 {
		return 0, false
	}
	d.wakeAt.Store(first)
	return max(0, time.Duration(first)*d.tick-d.now()), true
}

// sweep cancels the armed timers whose value is dead. It looks at all of them,
// a shard at a time under its lock.
func (d *timerDriver[T]) sweep(dead func(T) bool) {
	var found []*wheelTimer[T]
	for i := range d.shards {
		s := &d.shards[i]
		s.mu.Lock()
		found = found[:0]
		for l := range s.wheel.lists {
			for c := s.wheel.lists[l].head; c != nil; c = c.next {
				for _, t := range c.items[c.first:c.end] {
					if t != nil && dead(t.value) {
						found = append(found, t)
					}
				}
			}
		}
		for _, t := range found {
			s.wheel.cancel(t)
		}
		s.mu.Unlock()
	}
}
