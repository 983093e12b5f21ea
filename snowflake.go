// SPDX-License-Identifier: MIT

package troupe

import (
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"
)

// Errors of Snowflakes, for errors.Is.
var (
	// ErrSnowflakeConfig refuses a SnowflakeConfig; the message names the field.
	ErrSnowflakeConfig = errors.New("troupe: bad snowflake config")

	// ErrClockBackwards says that the clock stepped back by more than
	// MaxBackwards, or is that far behind After; see ClockBackwardsError.
	ErrClockBackwards = errors.New("troupe: clock stepped backwards")

	// ErrSequenceExhausted says that ids are asked for faster than the layout
	// has numbers. Milliseconds later there are new ones.
	ErrSequenceExhausted = errors.New("troupe: snowflake sequence exhausted")

	// ErrSnowflakeOverflow says that the clock is past the last millisecond
	// that fits into an id (69 years after Origin by default).
	ErrSnowflakeOverflow = errors.New("troupe: snowflake time overflow")

	// ErrWorkerLeaseExpired says that the lease of the worker number ends, or
	// has ended, before the time that the next id would carry.
	ErrWorkerLeaseExpired = errors.New("troupe: snowflake worker lease expired")
)

// ClockBackwardsError says how far the clock is behind. It wraps
// ErrClockBackwards.
type ClockBackwardsError struct {
	Behind time.Duration // distance to the latest time seen, or to Origin or After
	Max    time.Duration // what is tolerated
}

func (e *ClockBackwardsError) Error() string {
	return fmt.Sprintf("%v: %v behind, at most %v tolerated", ErrClockBackwards, e.Behind, e.Max)
}

func (e *ClockBackwardsError) Unwrap() error { return ErrClockBackwards }

const (
	defaultWorkerBits   = 10
	defaultSequenceBits = 12
	minSnowflakeTime    = 41 // bits: 69 years

	// defaultSnowflakeOrigin is 2010-11-04 01:42:54.657 UTC, which Twitter
	// chose and github.com/bwmarrin/snowflake kept.
	defaultSnowflakeOrigin = 1288834974657

	defaultMaxBackwards = time.Second // a leap second that is stepped, most NTP corrections
	defaultMaxBorrow    = 100 * time.Millisecond
)

// snowflakeLine is the length of a cache line on amd64 and most arm64.
const snowflakeLine = 64

// SnowflakeConfig configures NewSnowflakes. Only Worker has no default: no two
// generators may have one worker number at a time, see After and Until.
type SnowflakeConfig struct {
	// Worker is the number in every id, in [0, 1<<WorkerBits).
	Worker int64

	// Origin is the zero time of ids, in whole milliseconds. It must not change
	// once ids exist. Defaults to that of github.com/bwmarrin/snowflake.
	Origin time.Time

	// WorkerBits defaults to 10, -1 means none. SequenceBits defaults to 12, at
	// least 1. Time has the rest of 63 bits, at least 41.
	WorkerBits, SequenceBits int

	// Clock defaults to time.Now. It must be safe for concurrent use.
	Clock func() time.Time

	// MaxBackwards is how far the clock may step back without an error: ids go
	// on in the latest millisecond seen. Defaults to 1 s, -1 means none.
	MaxBackwards time.Duration

	// MaxBorrow is how far the time of ids may run ahead of the latest time
	// seen, when a millisecond's numbers are used up. It allows bursts of
	// MaxBorrow * 1<<SequenceBits ids, 409,600 by default; the lasting rate
	// is limited to 1<<SequenceBits a millisecond. Defaults to 100 ms, -1
	// means none.
	MaxBorrow time.Duration

	// After is a high-water mark: every id carries a later time. Pass
	// HighWater of whoever had the worker number before, or the Until of its
	// lease. The zero time means none.
	After time.Time

	// Until is when the lease of the worker number ends: every id carries an
	// earlier time. Extend prolongs it. The zero time means never.
	Until time.Time
}

// Snowflakes mints unique int64 ids that are roughly sorted by time:
//
//	0 | 41 bits: milliseconds since Origin | 10 bits: worker | 12 bits: sequence
//
// Invariants, whatever the clock does:
//
//	S1  ids of one generator strictly increase, so none is minted twice.
//	S2  the time of an id is in (After, Until), and at most MaxBackwards +
//	    MaxBorrow ahead of the clock.
//	S3  no call waits: what cannot be minted now is an error.
//
// S1 covers one generator. Two generators one after the other on one worker
// number are unique together when the second's After is at least the first's
// HighWater, or the first's Until: S2 keeps the ranges of times apart, even if
// the first is paused and goes on later. Without either, a restart must not be
// faster than MaxBackwards + MaxBorrow, nor follow a clock step backwards.
//
// All methods are safe for concurrent use, lock-free, and do not allocate
// unless they fail. A Snowflakes must not be copied.
type Snowflakes struct {
	// last is the latest id minted, without the worker: time << sequenceBits |
	// sequence. It only grows (S1); adding 1 borrows from the next millisecond.
	last atomic.Int64
	_    [snowflakeLine - 8]byte // every call writes last; the rest is hardly written

	// seen is the latest time that any call read from the clock. It only grows,
	// and decides about errors only.
	seen atomic.Int64

	until atomic.Int64 // exclusive

	clock                    func() time.Time
	origin                   int64 // Unix milliseconds
	worker                   int64 // shifted into place
	workerBits, sequenceBits uint
	maxBackwards, maxBorrow  int64 // milliseconds
	maxTime, sequenceMask    int64
	maxBackwardsSet          time.Duration
}

// NewSnowflakes returns a generator. It fails with ErrSnowflakeConfig.
func NewSnowflakes(c SnowflakeConfig) (*Snowflakes, error) {
	g := &Snowflakes{clock: c.Clock, origin: defaultSnowflakeOrigin}
	if g.clock == nil {
		g.clock = time.Now
	}
	if !c.Origin.IsZero() {
		g.origin = c.Origin.UnixMilli()
	}
	if err := g.layout(c); err != nil {
		return nil, err
	}
	if now := g.clock().UnixMilli(); g.origin > now {
		return nil, fmt.Errorf("%w: Origin is %v in the future", ErrSnowflakeConfig, snowflakeMillis(g.origin-now))
	}
	g.maxBackwardsSet = snowflakeDefault(c.MaxBackwards, defaultMaxBackwards)
	g.maxBackwards = g.maxBackwardsSet.Milliseconds()
	g.maxBorrow = snowflakeDefault(c.MaxBorrow, defaultMaxBorrow).Milliseconds()
	g.last.Store(-1)
	if !c.After.IsZero() {
		after := c.After.UnixMilli() - g.origin
		if after > g.maxTime {
			return nil, fmt.Errorf("%w: After is beyond the last time of an id", ErrSnowflakeConfig)
		}
		if after >= 0 {
			g.seen.Store(after)
			g.last.Store(after<<g.sequenceBits | g.sequenceMask)
		}
	}
	g.until.Store(math.MaxInt64)
	if !c.Until.IsZero() {
		g.until.Store(c.Until.UnixMilli() - g.origin)
	}
	return g, nil
}

// layout validates and sets what concerns bits.
func (g *Snowflakes) layout(c SnowflakeConfig) error {
	workerBits, sequenceBits := c.WorkerBits, c.SequenceBits
	switch workerBits {
	case 0:
		workerBits = defaultWorkerBits
	case -1:
		workerBits = 0
	}
	if sequenceBits == 0 {
		sequenceBits = defaultSequenceBits
	}
	switch {
	case workerBits < 0 || workerBits > 63-minSnowflakeTime:
		return fmt.Errorf("%w: WorkerBits %d is not in 0-%d", ErrSnowflakeConfig, c.WorkerBits, 63-minSnowflakeTime)
	case sequenceBits < 1 || sequenceBits > 63-minSnowflakeTime-workerBits:
		return fmt.Errorf("%w: SequenceBits %d is not in 1-%d, which %d worker bits and %d bits of time leave",
			ErrSnowflakeConfig, sequenceBits, 63-minSnowflakeTime-workerBits, workerBits, minSnowflakeTime)
	case c.Worker < 0 || c.Worker >= 1<<workerBits:
		return fmt.Errorf("%w: Worker %d is not in 0-%d", ErrSnowflakeConfig, c.Worker, 1<<workerBits-1)
	}
	g.workerBits, g.sequenceBits = uint(workerBits), uint(sequenceBits)
	g.worker = c.Worker << sequenceBits
	g.sequenceMask = 1<<sequenceBits - 1
	g.maxTime = 1<<(63-workerBits-sequenceBits) - 1
	return nil
}

// Next mints an id. It fails with ErrClockBackwards, ErrSequenceExhausted,
// ErrWorkerLeaseExpired or ErrSnowflakeOverflow.
func (g *Snowflakes) Next() (int64, error) {
	first, err := g.reserve(1)
	if err != nil {
		return 0, err
	}
	return g.id(first), nil
}

// NextN fills dst with consecutive ids, in order, for little more than the cost
// of one. It mints all of them or, with the errors of Next, none. More than
// MaxBorrow allows at once is ErrSequenceExhausted.
func (g *Snowflakes) NextN(dst []int64) error {
	if len(dst) == 0 {
		return nil
	}
	first, err := g.reserve(int64(len(dst)))
	if err != nil {
		return err
	}
	for i := range dst {
		dst[i] = g.id(first + int64(i))
	}
	return nil
}

// reserve takes n consecutive numbers (time and sequence) and returns the first.
func (g *Snowflakes) reserve(n int64) (int64, error) {
	// seen is read before the clock: a call that is paused in between must not
	// take the progress of others for a step backwards of its own.
	seen := g.seen.Load()
	now := g.clock().UnixMilli() - g.origin
	switch {
	case seen-now > g.maxBackwards:
		return 0, &ClockBackwardsError{Behind: snowflakeMillis(seen - now), Max: g.maxBackwardsSet}
	case now > g.maxTime:
		return 0, ErrSnowflakeOverflow
	}
	for old := seen; now > old && !g.seen.CompareAndSwap(old, now); {
		old = g.seen.Load()
	}
	seen = max(seen, now)
	now = max(0, now) // before Origin, within MaxBackwards
	for {
		last := g.last.Load()
		first := max(last+1, now<<g.sequenceBits)
		// Others may have seen a later clock while this call was paused.
		if err := g.allow((first+n-1)>>g.sequenceBits, max(seen, g.seen.Load())); err != nil {
			return 0, err
		}
		if g.last.CompareAndSwap(last, first+n-1) {
			return first, nil
		}
	}
}

// allow reports why an id must not carry a time, when the clock was seen at
// seen. It is what makes S2 hold.
func (g *Snowflakes) allow(t, seen int64) error {
	switch {
	case t > g.maxTime:
		return ErrSnowflakeOverflow
	case t >= g.until.Load():
		return ErrWorkerLeaseExpired
	case t-seen > g.maxBorrow:
		return ErrSequenceExhausted
	}
	return nil
}

// id puts the worker between time and sequence.
func (g *Snowflakes) id(number int64) int64 {
	return number>>g.sequenceBits<<(g.workerBits+g.sequenceBits) | g.worker | number&g.sequenceMask
}

// Extend prolongs the lease of the worker number. The lease is never made
// shorter, so that late calls do no harm.
func (g *Snowflakes) Extend(until time.Time) {
	t := until.UnixMilli() - g.origin
	for old := g.until.Load(); old < t && !g.until.CompareAndSwap(old, t); {
		old = g.until.Load()
	}
}

// HighWater returns the time of the latest id: whoever has the worker number
// next must mint after it. Before the first id it is After, or Origin when
// there is no After. Ids minted after the call are not covered.
func (g *Snowflakes) HighWater() time.Time {
	return time.UnixMilli(g.origin + max(0, g.last.Load()>>g.sequenceBits))
}

// SnowflakeParts are the parts of an id.
type SnowflakeParts struct {
	Time             time.Time // in whole milliseconds
	Worker, Sequence int64
}

// Decompose takes an id of this layout and Origin apart, also one of another
// worker. It reports false for a negative number, which is no id.
func (g *Snowflakes) Decompose(id int64) (SnowflakeParts, bool) {
	if id < 0 {
		return SnowflakeParts{}, false
	}
	return SnowflakeParts{
		Time:     time.UnixMilli(g.origin + id>>(g.workerBits+g.sequenceBits)),
		Worker:   id >> g.sequenceBits & (1<<g.workerBits - 1),
		Sequence: id & g.sequenceMask,
	}, true
}

// snowflakeDefault applies the rule that 0 is the default and -1 is off.
func snowflakeDefault(d, byDefault time.Duration) time.Duration {
	if d == 0 {
		return byDefault
	}
	return max(0, d)
}

// snowflakeMillis returns milliseconds as a duration, the longest one if there
// are too many.
func snowflakeMillis(ms int64) time.Duration {
	return time.Duration(min(ms, math.MaxInt64/int64(time.Millisecond))) * time.Millisecond
}
