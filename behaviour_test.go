// SPDX-License-Identifier: MIT

package troupe

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// startWith is startNode with hooks for the probes.
func startWith(t testing.TB, cfg Config, hooks *probeHooks, kinds ...Kind) *Node {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	n, err := New(cfg)
	require.NoError(t, err)
	Provide(n, hooks)
	require.NoError(t, n.Register(kinds...))
	require.NoError(t, n.Start(bg))
	t.Cleanup(func() { require.NoError(t, n.Stop(bg)) })
	return n
}

func panics(context.Context, *probe) error { panic("boom") }

func TestSupervisionDecides(t *testing.T) {
	s, err := Supervision{MaxRestarts: 4, Within: time.Minute, Backoff: time.Second, MaxBackoff: 3 * time.Second}.withDefaults()
	require.NoError(t, err)
	var r restartState
	var delays []time.Duration
	for i := range 4 {
		d, delay := s.decide(&r, time.Duration(i)*time.Second)
		require.Equal(t, Restart, d)
		delays = append(delays, delay)
	}
	require.Equal(t, []time.Duration{0, time.Second, 2 * time.Second, 3 * time.Second}, delays)
	d, _ := s.decide(&r, 5*time.Second)
	require.Equal(t, Stop, d, "the fifth within a minute")
	d, delay := s.decide(&r, 2*time.Minute)
	require.Equal(t, Restart, d, "a quiet time forgives")
	require.Zero(t, delay)
	_, err = Supervision{Directive: 9}.withDefaults()
	require.Error(t, err)
}

func TestPanicCostsOneMessage(t *testing.T) {
	for _, directive := range []Directive{Restart, Resume, Stop} {
		n := startNode(t, Config{}, Virtual[probe]("probe", Supervise(Supervision{Directive: directive, Backoff: time.Millisecond})))
		ref := ID("probe", 1)
		require.NoError(t, n.Call(bg, ref, "Note", nil, 1))
		require.ErrorIs(t, do(t, n, ref, panics), ErrPanic)
		require.NoError(t, n.Call(bg, ref, "Note", nil, 2))
		var log []int64
		require.NoError(t, n.Call(bg, ref, "Log", &log))
		if directive == Resume {
			require.Equal(t, []int64{1, 2}, log)
		} else {
			require.Equal(t, []int64{2}, log)
		}
		require.EqualValues(t, 1, n.Count("probe", CountPanics))
	}
}

// Messages queue during the backoff and are handled after it, in order.
func TestBackoffKeepsMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, Config{}, Virtual[probe]("probe", Supervise(Supervision{Backoff: time.Second})))
		ref := ID("probe", 1)
		for range 3 {
			require.NoError(t, n.Send(ref, "Run", panics))
		}
		start := time.Now()
		for i := range 5 {
			require.NoError(t, n.Send(ref, "Note", i))
		}
		var log []int64
		require.NoError(t, n.Call(bg, ref, "Log", &log))
		require.Equal(t, []int64{0, 1, 2, 3, 4}, log)
		// Restarts after 0 s, 1 s and 2 s.
		require.InDelta(t, 3*time.Second, time.Since(start), float64(100*time.Millisecond))
		require.EqualValues(t, 3, n.Count("probe", CountRestarts))
	})
}

func TestPoisonMessages(t *testing.T) {
	var mu sync.Mutex
	var dead []DeadLetter
	n := startNode(t, Config{DeadLetter: letters(&dead, &mu)},
		Virtual[probe]("probe", Retries(2), Supervise(Supervision{Backoff: time.Millisecond})))
	var tries atomic.Int32
	err := do(t, n, ID("probe", 1), func(context.Context, *probe) error {
		tries.Add(1)
		panic("always")
	})
	require.ErrorIs(t, err, ErrPoison)
	require.ErrorIs(t, err, ErrPanic)
	require.EqualValues(t, 3, tries.Load())
	require.NoError(t, do(t, n, ID("probe", 1), func(context.Context, *probe) error { return nil }))
	tries.Store(0)
	err = do(t, n, ID("probe", 1), func(context.Context, *probe) error {
		if tries.Add(1) < 3 {
			panic("twice")
		}
		return nil
	})
	require.NoError(t, err, "the third try succeeds and answers the caller")
	require.NoError(t, n.Send(ID("probe", 1), "Run", panics))
	require.Eventually(t, func() bool { mu.Lock(); defer mu.Unlock(); return len(dead) == 2 }, time.Second, time.Millisecond)
	require.ErrorIs(t, dead[0].Reason, ErrPoison)
	require.ErrorIs(t, dead[1].Reason, ErrPoison)
}

func TestEscalationAndWatch(t *testing.T) {
	ended := make(chan error, 4)
	hooks := &probeHooks{terminated: func(_ Ref, cause error) { ended <- cause }}
	n := startWith(t, Config{}, hooks,
		Local[probe]("parent", Supervise(Supervision{Directive: Stop})),
		Local[probe]("child", Supervise(Supervision{Directive: Escalate})),
		Local[probe]("watcher"))
	parent, err := Spawn[probe](n, "parent", nil)
	require.NoError(t, err)
	var child Ref
	require.NoError(t, do(t, n, parent, func(_ context.Context, p *probe) error {
		child, err = Spawn[probe](p, "child", nil)
		return err
	}))
	watcher, err := Spawn[probe](n, "watcher", nil)
	require.NoError(t, err)
	require.NoError(t, do(t, n, watcher, func(_ context.Context, p *probe) error {
		require.NoError(t, p.Watch(parent))
		require.NoError(t, p.Watch(child))
		require.ErrorIs(t, p.Watch(ID("ghost", 1)), ErrUnknownKind)
		return nil
	}))
	require.ErrorIs(t, do(t, n, child, panics), ErrPanic)
	require.ErrorIs(t, <-ended, ErrPanic)
	require.ErrorIs(t, <-ended, ErrPanic)
	require.ErrorIs(t, n.Call(bg, parent, "Log", nil), ErrNoActor)
	require.NoError(t, do(t, n, watcher, func(_ context.Context, p *probe) error { return p.Watch(parent) }))
	require.ErrorIs(t, <-ended, ErrNoActor, "too late to watch")
}

func TestChildrenStopWithTheirParent(t *testing.T) {
	n := startNode(t, Config{}, Local[probe]("probe"))
	parent, err := Spawn[probe](n, "probe", nil)
	require.NoError(t, err)
	require.NoError(t, do(t, n, parent, func(_ context.Context, p *probe) error {
		for range 3 {
			if _, err := Spawn[probe](p, "probe", nil); err != nil {
				return err
			}
		}
		p.Stop()
		return nil
	}))
	require.Eventually(t, func() bool { return n.Active("probe") == 0 }, time.Second, time.Millisecond)
	require.ErrorIs(t, n.Call(bg, parent, "Log", nil), ErrNoActor)
}

// What is queued when an actor stops is handled first; what comes later is
// refused, not forgotten.
func TestStopAnswersEverybody(t *testing.T) {
	n := startNode(t, Config{}, Local[probe]("probe"))
	ref, err := Spawn[probe](n, "probe", nil)
	require.NoError(t, err)
	started, release := make(chan struct{}), make(chan struct{})
	require.NoError(t, n.Send(ref, "Run", func(_ context.Context, p *probe) error {
		close(started)
		<-release
		p.Stop()
		return nil
	}))
	<-started
	results := make(chan error, 20)
	for range 10 {
		go func() { results <- n.Call(bg, ref, "Note", nil, 1) }()
	}
	close(release)
	for range 10 {
		if err := <-results; err != nil {
			require.True(t, errors.Is(err, ErrActorStopped) || errors.Is(err, ErrNoActor), "%v", err)
		}
	}
}

func TestGoexitInHandler(t *testing.T) {
	for _, options := range [][]Option{nil, {Inline()}} {
		n := startNode(t, Config{}, Virtual[probe]("probe", options...))
		ref := ID("probe", 1)
		require.NoError(t, n.Call(bg, ref, "Note", nil, 1))
		errs := make(chan error, 1)
		go func() {
			defer close(errs)
			errs <- do(t, n, ref, func(context.Context, *probe) error { runtime.Goexit(); return nil })
		}()
		if err, ok := <-errs; ok {
			require.ErrorIs(t, err, ErrPanic)
		} else {
			require.NotEmpty(t, options, "an inline handler takes its caller along")
		}
		require.NoError(t, n.Call(bg, ref, "Note", nil, 2))
		var log []int64
		require.NoError(t, n.Call(bg, ref, "Log", &log))
		require.Equal(t, []int64{2}, log)
	}
}

func TestIdlePassivation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, Config{}, Virtual[probe]("probe", IdleAfter(time.Minute)))
		for i := range 10 {
			require.NoError(t, n.Call(bg, ID("probe", int64(i)), "Note", nil, 1))
		}
		for range 5 {
			time.Sleep(40 * time.Second)
			require.NoError(t, n.Call(bg, ID("probe", 3), "Note", nil, 1))
		}
		synctest.Wait()
		require.Equal(t, 1, n.Active("probe"), "only the one in use stays")
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		require.Equal(t, 0, n.Active("probe"))
		require.EqualValues(t, 10, n.Count("probe", CountDeactivations))
	})
}

func TestFailedDeactivationKeepsTheActor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		down.Store(true)
		n := startWith(t, Config{}, &probeHooks{deactivate: func(context.Context, *probe) error {
			if down.Load() {
				return errors.New("cannot save")
			}
			return nil
		}}, Virtual[probe]("probe", IdleAfter(time.Minute)))
		require.NoError(t, n.Call(bg, ID("probe", 1), "Note", nil, 7))
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		require.Equal(t, 1, n.Active("probe"))
		down.Store(false)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		require.Equal(t, 0, n.Active("probe"))
	})
}

func TestMaxActive(t *testing.T) {
	n := startNode(t, Config{}, Virtual[probe]("probe", MaxActive(3)))
	touch := func(id int64) { require.NoError(t, n.Call(bg, ID("probe", id), "Note", nil, 1)) }
	touch(1)
	touch(2)
	touch(3)
	k := n.kindOf("probe")
	require.Eventually(t, func() bool { return k.registry.get(3, "").queue.TryAcquire() }, time.Second, time.Microsecond)
	k.registry.get(3, "").schedule()
	touch(1)
	touch(4)
	require.Eventually(t, func() bool { return n.Active("probe") == 3 }, time.Second, time.Millisecond)
	require.Nil(t, k.registry.get(2, ""), "the least recently used")
	require.NotNil(t, k.registry.get(1, ""))
}

type heavy struct {
	Actor
	size int64
}

func (h *heavy) Grow(_ context.Context, n int64) error { h.size = n; return nil }
func (h *heavy) StateBytes() int64                     { return h.size }

func TestMaxActiveBytes(t *testing.T) {
	n := startNode(t, Config{}, Virtual[heavy]("heavy", MaxActiveBytes(1000)))
	for i := range 5 {
		require.NoError(t, n.Call(bg, ID("heavy", int64(i)), "Grow", nil, 400))
	}
	require.Eventually(t, func() bool { return n.Active("heavy") == 2 }, time.Second, time.Millisecond)
}

func TestTimersOnTheTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, Config{}, Virtual[probe]("probe", IdleAfter(-1)))
		ref := ID("probe", 1)
		var fired []time.Duration
		start := time.Now()
		require.NoError(t, do(t, n, ref, func(_ context.Context, p *probe) error {
			p.After(50*time.Millisecond, func(context.Context) { fired = append(fired, time.Since(start)) })
			stopped := p.After(60*time.Millisecond, func(context.Context) { t.Error("stopped timer fired") })
			require.True(t, stopped.Stop())
			require.False(t, stopped.Stop())
			_, err := p.Every(100*time.Millisecond, func(context.Context) { fired = append(fired, time.Since(start)) })
			require.NoError(t, err)
			_, err = p.Every(0, func(context.Context) {})
			require.ErrorIs(t, err, ErrBadPeriod)
			_, err = p.Every(-time.Second, func(context.Context) {})
			require.ErrorIs(t, err, ErrBadPeriod)
			return nil
		}))
		time.Sleep(520 * time.Millisecond)
		synctest.Wait()
		require.NoError(t, n.Call(bg, ref, "Note", nil, 1))
		require.Len(t, fired, 6)
		for i, at := range fired {
			want := []time.Duration{50, 100, 200, 300, 400, 500}[i] * time.Millisecond
			require.GreaterOrEqual(t, at, want)
			require.LessOrEqual(t, at, want+20*time.Millisecond)
		}
		// A passivated actor's timers are void, and leave the wheel.
		n.kindOf("probe").registry.get(1, "").passivate()
		synctest.Wait()
		before := len(fired)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.Len(t, fired, before)
		armed, _ := n.timers.driver.armed()
		require.Zero(t, armed)
	})
}

// A timer whose handler blocks must not hold up the timers of other actors.
func TestBlockedTimerHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, Config{}, Virtual[probe]("probe", IdleAfter(-1)))
		release := make(chan struct{})
		var fired atomic.Int32
		for i := range 200 {
			require.NoError(t, do(t, n, ID("probe", int64(i)), func(_ context.Context, p *probe) error {
				p.After(100*time.Millisecond, func(context.Context) {
					if i%10 == 0 {
						<-release
					}
					fired.Add(1)
				})
				return nil
			}))
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		require.EqualValues(t, 180, fired.Load())
		close(release)
		synctest.Wait()
		require.EqualValues(t, 200, fired.Load())
	})
}

func TestPanicInTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, Config{}, Virtual[probe]("probe", IdleAfter(-1)))
		ref := ID("probe", 1)
		require.NoError(t, do(t, n, ref, func(_ context.Context, p *probe) error {
			_, err := p.Every(time.Second, func(context.Context) { panic("tick") })
			return err
		}))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.EqualValues(t, 1, n.Count("probe", CountPanics), "the instance is gone, and its timer with it")
		require.NoError(t, n.Call(bg, ref, "Note", nil, 1))
	})
}

func TestCronOnTheTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, Config{}, Virtual[probe]("probe", IdleAfter(-1)))
		var at []time.Time
		require.NoError(t, do(t, n, ID("probe", 1), func(_ context.Context, p *probe) error {
			_, err := p.Cron("61 * * * *", nil, nil)
			require.Error(t, err)
			_, err = p.Cron("*/15 * * * *", nil, func(context.Context) { at = append(at, time.Now()) })
			return err
		}))
		time.Sleep(61 * time.Minute)
		synctest.Wait()
		require.NoError(t, n.Call(bg, ID("probe", 1), "Note", nil, 1))
		require.Len(t, at, 4)
		for _, v := range at {
			require.Zero(t, v.Minute()%15)
			require.Less(t, v.Second(), 1)
		}
	})
}

func TestOffTurnWork(t *testing.T) {
	n := startNode(t, Config{}, Virtual[probe]("probe"))
	ref := ID("probe", 1)
	block, done := make(chan struct{}), make(chan error, 3)
	require.NoError(t, do(t, n, ref, func(_ context.Context, p *probe) error {
		require.NoError(t, Go(p, func(context.Context) (int64, error) { <-block; return 42, nil },
			func(v int64, err error) {
				p.log = append(p.log, v)
				require.Equal(t, []int64{1, 42}, p.log)
				done <- err
			}))
		return Go(p, func(context.Context) (int, error) { panic("off turn") }, func(_ int, err error) { done <- err })
	}))
	require.ErrorIs(t, <-done, ErrPanic)
	require.NoError(t, n.Call(bg, ref, "Note", nil, 1), "the actor is not held up")
	n.kindOf("probe").registry.get(1, "").passivate()
	close(block)
	require.NoError(t, <-done)
}

type news struct{ Text string }

func TestTopics(t *testing.T) {
	n := startNode(t, Config{}, Virtual[probe]("probe"))
	var mu sync.Mutex
	got := map[int64][]string{}
	for id := range int64(3) {
		require.NoError(t, do(t, n, ID("probe", id), func(_ context.Context, p *probe) error {
			_, err := Subscribe(p, "news", func(_ context.Context, m news) {
				mu.Lock()
				got[p.ID()] = append(got[p.ID()], m.Text)
				mu.Unlock()
			})
			_, bad := Subscribe(p, "news", func(context.Context, int) {})
			require.ErrorIs(t, bad, ErrBadArguments)
			return err
		}))
	}
	require.NoError(t, Publish(n, "nobody listens", 1))
	require.ErrorIs(t, Publish(n, "news", 5), ErrBadArguments)
	require.NoError(t, Publish(n, "news", news{"one"}))
	// A restart ends the subscription of the instance.
	require.ErrorIs(t, do(t, n, ID("probe", 2), panics), ErrPanic)
	require.NoError(t, Publish(n, "news", news{"two"}))
	for id := range int64(3) {
		require.NoError(t, n.Call(bg, ID("probe", id), "Log", nil))
	}
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, map[int64][]string{0: {"one", "two"}, 1: {"one", "two"}, 2: {"one"}}, got)
}

func TestStubsPoolsAndSingletons(t *testing.T) {
	n := startNode(t, Config{}, Stub[probe]("chat", Shards(8)), Singleton[probe]("world"), Pool[probe]("crew", Size(3)))
	require.Equal(t, 8, n.Active("chat"))
	require.Equal(t, 1, n.Active("world"))
	h := StubForName(n, "chat", "guild-7")
	require.Equal(t, h.Ref(), StubForName(n, "chat", "guild-7").Ref())
	require.ErrorIs(t, n.Call(bg, ID("chat", 8), "Log", nil), ErrNoActor)
	require.ErrorIs(t, n.Call(bg, Name("chat", "x"), "Log", nil), ErrNoActor)
	require.ErrorIs(t, n.Call(bg, ID("crew", 3), "Log", nil), ErrNoActor)
	seen := map[Ref]int{}
	for range 9 {
		seen[Pick(n, "crew").Ref()]++
	}
	require.Equal(t, map[Ref]int{ID("crew", 0): 3, ID("crew", 1): 3, ID("crew", 2): 3}, seen)
	require.Equal(t, PickFor(n, "crew", 99).Ref(), PickFor(n, "crew", 99).Ref())
	require.Error(t, Broadcast(n, "ghost", &addMethod, addArgs{}))
}

func TestStartFailsWithItsShards(t *testing.T) {
	n, err := New(Config{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	Provide(n, &probeHooks{activate: func(context.Context, *probe) error { return errors.New("no table") }})
	require.NoError(t, n.Register(Singleton[probe]("world")))
	require.ErrorIs(t, n.Start(bg), ErrActivation)
	require.ErrorIs(t, n.Call(bg, ID("world", 0), "Log", nil), ErrStopped)
}

// Stop drains: actors handle what is queued and what they send each other.
func TestStopDrains(t *testing.T) {
	var handled atomic.Int64
	n, err := New(Config{})
	require.NoError(t, err)
	Provide(n, &probeHooks{})
	require.NoError(t, n.Register(Virtual[probe]("probe")))
	require.NoError(t, n.Start(bg))
	var hop func(left int) func(context.Context, *probe) error
	hop = func(left int) func(context.Context, *probe) error {
		return func(_ context.Context, p *probe) error {
			handled.Add(1)
			if left == 0 {
				return nil
			}
			return SendFrom(p, ID("probe", int64(left)), "Run", hop(left-1))
		}
	}
	for range 10 {
		require.NoError(t, n.Send(ID("probe", 0), "Run", hop(99)))
	}
	require.NoError(t, n.Stop(bg))
	require.EqualValues(t, 1000, handled.Load())
	require.Zero(t, n.Active("probe"))
}

func TestStopGivesUp(t *testing.T) {
	n, err := New(Config{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.NoError(t, n.Register(Virtual[probe]("probe")))
	require.NoError(t, n.Start(bg))
	started := make(chan struct{})
	result := make(chan error, 2)
	go func() {
		result <- do(t, n, ID("probe", 1), func(ctx context.Context, _ *probe) error {
			close(started)
			<-ctx.Done()
			return ctx.Err()
		})
	}()
	<-started
	go func() { result <- n.Call(bg, ID("probe", 1), "Log", nil) }()
	for n.kindOf("probe").registry.get(1, "").depth() == 0 {
		runtime.Gosched()
	}
	ctx, cancel := context.WithTimeout(bg, 20*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, n.Stop(ctx), context.DeadlineExceeded)
	require.Error(t, <-result)
	require.Error(t, <-result)
}

func TestTraceTravels(t *testing.T) {
	n := startNode(t, Config{}, Virtual[probe]("probe"))
	tc := TraceContext{TraceID: [16]byte{1}, SpanID: [8]byte{2}, Flags: 1}
	var seen []TraceContext
	note := func(ctx context.Context) {
		got, ok := TraceOf(ctx)
		require.True(t, ok)
		seen = append(seen, got)
	}
	err := n.Call(WithTrace(bg, tc), ID("probe", 1), "Run", nil, func(ctx context.Context, p *probe) error {
		note(ctx)
		return CallFrom(ctx, p, ID("probe", 2), "Run", nil, func(ctx context.Context, _ *probe) error {
			note(ctx)
			return nil
		})
	})
	require.NoError(t, err)
	require.Equal(t, []TraceContext{tc, tc}, seen)
	_, ok := TraceOf(bg)
	require.False(t, ok)
}

type recorder struct {
	NoMetrics
	mu     sync.Mutex
	counts map[Counter]int64
	values map[Sample]int
}

func (r *recorder) Add(c Counter, _ string, n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[c] += n
}

func (r *recorder) Observe(s Sample, _ string, v float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.values[s]++
}

func TestMetrics(t *testing.T) {
	r := &recorder{counts: map[Counter]int64{}, values: map[Sample]int{}}
	n := startNode(t, Config{Metrics: r}, Virtual[probe]("probe"))
	for range 100 {
		require.NoError(t, n.Call(bg, ID("probe", 1), "Note", nil, 1))
	}
	require.NoError(t, n.Stop(bg))
	require.EqualValues(t, 100, r.counts[CountTurns])
	require.EqualValues(t, 1, r.counts[CountActivations])
	require.EqualValues(t, 1, r.counts[CountDeactivations])
	require.NotZero(t, r.values[SampleTurnSeconds])
	require.NotZero(t, r.values[SampleMailboxAgeSeconds])
}

func TestErrorsKeepTheirIdentity(t *testing.T) {
	for code, want := range sentinels {
		c, u, text := EncodeError(&CallError{To: ID("a", 1), Method: "M", Err: want})
		require.Equal(t, code, c)
		back := DecodeError(c, u, text)
		require.ErrorIs(t, back, want)
		require.Equal(t, text, back.Error())
	}
	poor := &UserError{Code: 7, Text: "not enough gold"}
	back := DecodeError(EncodeError(poor))
	require.ErrorIs(t, back, poor)
	require.False(t, errors.Is(DecodeError(EncodeError(errors.New("x"))), poor))
	require.ErrorIs(t, DecodeError(EncodeError(context.DeadlineExceeded)), context.DeadlineExceeded)
}
