// SPDX-License-Identifier: MIT

package troupe

import (
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bwmarrin/snowflake"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// snowflakeClock is a clock that stands where it was put.
type snowflakeClock struct{ ms atomic.Int64 }

func newSnowflakeClock() *snowflakeClock {
	c := &snowflakeClock{}
	c.ms.Store(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli())
	return c
}

func (c *snowflakeClock) now() time.Time       { return time.UnixMilli(c.ms.Load()) }
func (c *snowflakeClock) step(d time.Duration) { c.ms.Add(d.Milliseconds()) }

func mustSnowflakes(t require.TestingT, c SnowflakeConfig) *Snowflakes {
	g, err := NewSnowflakes(c)
	require.NoError(t, err)
	return g
}

func TestSnowflakeMatchesLibrary(t *testing.T) {
	g := mustSnowflakes(t, SnowflakeConfig{Worker: 1023})
	for range 10_000 {
		before := time.Now().UnixMilli()
		id, err := g.Next()
		require.NoError(t, err)
		theirs := snowflake.ParseInt64(id)
		parts, ok := g.Decompose(id)
		require.True(t, ok)
		require.Equal(t, theirs.Node(), parts.Worker)
		require.Equal(t, theirs.Step(), parts.Sequence)
		require.Equal(t, theirs.Time(), parts.Time.UnixMilli())
		require.EqualValues(t, 1023, parts.Worker)
		require.GreaterOrEqual(t, theirs.Time(), before)
	}
	node, err := snowflake.NewNode(517)
	require.NoError(t, err)
	theirs := node.Generate()
	parts, ok := g.Decompose(theirs.Int64())
	require.True(t, ok)
	require.Equal(t, SnowflakeParts{time.UnixMilli(theirs.Time()), 517, theirs.Step()}, parts)
	_, ok = g.Decompose(-1)
	require.False(t, ok)
}

func TestSnowflakeLayouts(t *testing.T) {
	for _, c := range []struct{ workerBits, sequenceBits int }{
		{10, 12}, {0, 0}, {-1, 1}, {-1, 22}, {1, 1}, {21, 1}, {1, 21}, {5, 8}, {12, 10},
	} {
		origin := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
		clock := newSnowflakeClock()
		config := SnowflakeConfig{Origin: origin, WorkerBits: c.workerBits, SequenceBits: c.sequenceBits, Clock: clock.now, MaxBorrow: -1}
		most := mustSnowflakes(t, config)
		config.Worker = 1<<most.workerBits - 1
		g := mustSnowflakes(t, config)

		ids := make([]int64, g.sequenceMask+1)
		require.NoError(t, g.NextN(ids), "a whole millisecond")
		for i := 0; i < len(ids); i += 1 + len(ids)/5000 {
			id := ids[i]
			if parts, _ := g.Decompose(id); parts.Sequence != int64(i) || parts.Worker != config.Worker || !parts.Time.Equal(clock.now()) {
				t.Fatalf("%+v: id %d: got %+v", c, i, parts)
			}
		}
		require.True(t, slices.IsSorted(ids))
		_, err := g.Next()
		require.ErrorIs(t, err, ErrSequenceExhausted)

		// The last millisecond that fits, and the one after.
		clock.ms.Store(origin.UnixMilli() + g.maxTime)
		id, err := g.Next()
		require.NoError(t, err)
		require.Positive(t, id)
		parts, _ := g.Decompose(id)
		require.True(t, parts.Time.Equal(clock.now()))
		clock.step(time.Millisecond)
		_, err = g.Next()
		require.ErrorIs(t, err, ErrSnowflakeOverflow)
		require.GreaterOrEqual(t, g.maxTime, int64(1)<<41-1)
	}
}

func TestSnowflakeConfigRefused(t *testing.T) {
	for name, c := range map[string]SnowflakeConfig{
		"Worker":       {Worker: 1024},
		"Worker -1":    {Worker: -1},
		"Worker 1":     {Worker: 1, WorkerBits: -1},
		"WorkerBits":   {WorkerBits: 23},
		"WorkerBits -": {WorkerBits: -2},
		"SequenceBits": {WorkerBits: 10, SequenceBits: 13},
		"Sequence 0":   {WorkerBits: 22, SequenceBits: -1},
		"Origin":       {Origin: time.Now().Add(time.Hour)},
		"After":        {After: time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		_, err := NewSnowflakes(c)
		require.ErrorIs(t, err, ErrSnowflakeConfig, name)
	}
}

func TestSnowflakeClockBackwards(t *testing.T) {
	clock := newSnowflakeClock()
	g := mustSnowflakes(t, SnowflakeConfig{Clock: clock.now, MaxBackwards: 50 * time.Millisecond})
	first, err := g.Next()
	require.NoError(t, err)

	clock.step(-50 * time.Millisecond)
	second, err := g.Next()
	require.NoError(t, err)
	require.Equal(t, first+1, second, "goes on in the latest millisecond")

	clock.step(-time.Millisecond)
	_, err = g.Next()
	require.ErrorIs(t, err, ErrClockBackwards)
	var back *ClockBackwardsError
	require.ErrorAs(t, err, &back)
	require.Equal(t, ClockBackwardsError{51 * time.Millisecond, 50 * time.Millisecond}, *back)
	require.ErrorIs(t, g.NextN(make([]int64, 3)), ErrClockBackwards)

	clock.ms.Store(-1 << 50)
	_, err = g.Next()
	require.ErrorIs(t, err, ErrClockBackwards)

	clock.ms.Store(newSnowflakeClock().ms.Load() + 1)
	third, err := g.Next()
	require.NoError(t, err)
	require.Greater(t, third, second)
}

func TestSnowflakeBorrows(t *testing.T) {
	clock := newSnowflakeClock()
	g := mustSnowflakes(t, SnowflakeConfig{Clock: clock.now, MaxBorrow: 2 * time.Millisecond})
	ids := make([]int64, 3*4096)
	require.ErrorIs(t, g.NextN(make([]int64, len(ids)+1)), ErrSequenceExhausted, "all or nothing")
	require.NoError(t, g.NextN(ids))
	_, err := g.Next()
	require.ErrorIs(t, err, ErrSequenceExhausted)
	require.True(t, g.HighWater().Equal(clock.now().Add(2*time.Millisecond)))
	clock.step(time.Millisecond)
	id, err := g.Next()
	require.NoError(t, err)
	require.Greater(t, id, ids[len(ids)-1])
	require.NoError(t, g.NextN(nil))
}

func TestSnowflakeLeaseAndHandOver(t *testing.T) {
	clock := newSnowflakeClock()
	start := clock.now()
	g := mustSnowflakes(t, SnowflakeConfig{Clock: clock.now, Until: start.Add(3 * time.Millisecond)})
	burst := make([]int64, 3*4096) // borrows up to the end of the lease
	require.NoError(t, g.NextN(burst))
	_, err := g.Next()
	require.ErrorIs(t, err, ErrWorkerLeaseExpired, "although the clock is before the end")
	g.Extend(start.Add(2 * time.Millisecond)) // late: no effect
	_, err = g.Next()
	require.ErrorIs(t, err, ErrWorkerLeaseExpired)
	g.Extend(start.Add(4 * time.Millisecond))
	last, err := g.Next()
	require.NoError(t, err)

	// The next holder, with the clock still at the start.
	for name, after := range map[string]time.Time{"high-water mark": g.HighWater(), "end of lease": start.Add(4 * time.Millisecond)} {
		h := mustSnowflakes(t, SnowflakeConfig{Clock: clock.now, After: after})
		require.True(t, h.HighWater().Equal(after))
		id, err := h.Next()
		require.NoError(t, err, name)
		require.Greater(t, id, last, name)
		parts, _ := h.Decompose(id)
		require.True(t, parts.Time.After(after), name)
	}
	h := mustSnowflakes(t, SnowflakeConfig{Clock: clock.now, After: start.Add(time.Hour)})
	_, err = h.Next()
	require.ErrorIs(t, err, ErrClockBackwards, "a mark out of reach is an error, not a wait")
}

// TestSnowflakeRandomClock steps the clock to and fro, restarts the generator
// from its high-water mark, and checks S1 and S2 after every id.
func TestSnowflakeRandomClock(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clock := newSnowflakeClock()
		config := SnowflakeConfig{
			Worker: 3, WorkerBits: 4, SequenceBits: 2, Clock: clock.now,
			MaxBackwards: rapid.SampledFrom([]time.Duration{-1, time.Millisecond, 10 * time.Millisecond}).Draw(t, "back"),
			MaxBorrow:    rapid.SampledFrom([]time.Duration{-1, time.Millisecond, 10 * time.Millisecond}).Draw(t, "borrow"),
		}
		until := clock.now().Add(time.Duration(rapid.IntRange(1, 2000).Draw(t, "until")) * time.Millisecond)
		config.Until = until
		g, last, after := mustSnowflakes(t, config), int64(-1), time.Time{}
		ahead := max(0, config.MaxBackwards) + max(0, config.MaxBorrow)
		check := func(t *rapid.T, ids []int64) {
			for _, id := range ids {
				require.Greater(t, id, last, "S1")
				last = id
				parts, ok := g.Decompose(id)
				require.True(t, ok)
				require.EqualValues(t, 3, parts.Worker)
				require.True(t, parts.Time.Before(until), "S2: lease")
				require.True(t, parts.Time.After(after), "S2: after")
				require.LessOrEqual(t, parts.Time.Sub(clock.now()), ahead, "S2: ahead")
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"step": func(t *rapid.T) {
				clock.step(time.Duration(rapid.IntRange(-20, 30).Draw(t, "ms")) * time.Millisecond)
			},
			"next": func(t *rapid.T) {
				if id, err := g.Next(); err == nil {
					check(t, []int64{id})
				}
			},
			"batch": func(t *rapid.T) {
				ids := make([]int64, rapid.IntRange(1, 30).Draw(t, "n"))
				if g.NextN(ids) == nil {
					check(t, ids)
				}
			},
			"extend": func(t *rapid.T) {
				more := clock.now().Add(time.Duration(rapid.IntRange(-5, 100).Draw(t, "ms")) * time.Millisecond)
				g.Extend(more)
				if more.After(until) {
					until = more
				}
			},
			"restart": func(*rapid.T) {
				config.Until = until
				after = g.HighWater()
				config.After = after
				g = mustSnowflakes(t, config)
			},
		})
	})
}

// TestSnowflakeHammer mints from many goroutines with a clock that steps back
// and forth: no id twice, increasing within each goroutine, and no clock error,
// because every step is tolerated.
func TestSnowflakeHammer(t *testing.T) {
	const goroutines, rounds = 8, 4000
	clock := newSnowflakeClock()
	g := mustSnowflakes(t, SnowflakeConfig{Clock: clock.now, MaxBackwards: time.Hour, MaxBorrow: time.Hour})
	var wg sync.WaitGroup
	minted := make([][]int64, goroutines)
	for i := range goroutines {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(i), 7))
			batch := make([]int64, 7)
			for range rounds {
				if rnd.IntN(16) == 0 {
					clock.step(time.Duration(rnd.IntN(9)-4) * time.Millisecond)
				}
				ids := batch[:rnd.IntN(len(batch)+1)]
				if err := g.NextN(ids); err != nil {
					t.Error(err)
					return
				}
				minted[i] = append(minted[i], ids...)
			}
		})
	}
	wg.Wait()
	var all []int64
	for i, ids := range minted {
		require.True(t, slices.IsSorted(ids), "S1: goroutine %d", i)
		all = append(all, ids...)
	}
	slices.Sort(all)
	require.Len(t, slices.Compact(all), len(all), "S1")
}

// TestSnowflakeNoFalseAlarm mints with the real clock and no tolerance: progress
// of other goroutines must not look like a clock step.
func TestSnowflakeNoFalseAlarm(t *testing.T) {
	start := time.Now()
	clock := func() time.Time { return start.Add(time.Since(start)) } // immune to real steps
	g := mustSnowflakes(t, SnowflakeConfig{WorkerBits: 1, SequenceBits: 21, Clock: clock, MaxBackwards: -1})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20_000 {
				if _, err := g.Next(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkSnowflake(b *testing.B) {
	// More sequence bits than the default: 12 of them end at 4.1 M ids a second.
	wide := SnowflakeConfig{WorkerBits: 4, SequenceBits: 18}
	b.Run("Next", func(b *testing.B) {
		g := mustSnowflakes(b, wide)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := g.Next(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Next/parallel", func(b *testing.B) {
		g := mustSnowflakes(b, wide)
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := g.Next(); err != nil {
					b.Error(err)
				}
			}
		})
	})
	b.Run("NextN/100", func(b *testing.B) { // ns per batch of 100
		g := mustSnowflakes(b, SnowflakeConfig{WorkerBits: 1, SequenceBits: 21})
		ids := make([]int64, 100)
		b.ReportAllocs()
		for b.Loop() {
			if err := g.NextN(ids); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("bwmarrin", func(b *testing.B) {
		node, err := snowflake.NewNode(1)
		require.NoError(b, err)
		b.ReportAllocs()
		for b.Loop() {
			node.Generate()
		}
	})
}
