// SPDX-License-Identifier: MIT

package troupe

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A handler of a reentrant kind may be run by a plain send, a timer, a
// continuation or on the caller's goroutine (Inline), and call from there. The
// test runs in a process of its own: the failure is fatal to it.
func TestReentrantCallsFromEveryKindOfTurn(t *testing.T) {
	if os.Getenv("TROUPE_TEST_REENTRANT") == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestReentrantCallsFromEveryKindOfTurn$")
		cmd.Env = append(os.Environ(), "TROUPE_TEST_REENTRANT=1")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%.300s", out)
		return
	}
	hooks := &probeHooks{}
	n := startWith(t, Config{}, hooks, Virtual[probe]("probe", Reentrant(), Inline()), Virtual[probe]("other"))
	done := make(chan error, 1)
	callBack := func(ctx context.Context, p *probe) error {
		return CallFrom(ctx, p, ID("other", 1), "Run", nil, func(ctx context.Context, o *probe) error {
			return CallFrom(ctx, o, p.Ref(), "Note", nil, 1)
		})
	}
	report := func(ctx context.Context, p *probe) error {
		done <- callBack(ctx, p)
		return nil
	}
	require.NoError(t, n.Send(ID("probe", 1), "Run", report))
	require.NoError(t, <-done, "send")
	require.NoError(t, do(t, n, ID("probe", 1), report))
	require.NoError(t, <-done, "inline")
	require.NoError(t, do(t, n, ID("probe", 1), func(_ context.Context, p *probe) error {
		p.After(time.Millisecond, func(ctx context.Context) { _ = report(ctx, p) })
		return nil
	}))
	require.NoError(t, <-done, "timer")
	require.NoError(t, do(t, n, ID("probe", 1), func(_ context.Context, p *probe) error {
		return p.Do(func(ctx context.Context) { _ = report(ctx, p) })
	}))
	require.NoError(t, <-done, "Do")
}

// An OnActivate that calls the actor whose call activates it waits for itself.
func TestCallCycleThroughActivation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var err error
		hooks := &probeHooks{activate: func(ctx context.Context, p *probe) error {
			if p.ID() == 2 {
				err = CallFrom(ctx, p, ID("probe", 1), "Note", nil, 1)
			}
			return nil
		}}
		n := startWith(t, Config{}, hooks, Virtual[probe]("probe"))
		start := time.Now()
		require.NoError(t, do(t, n, ID("probe", 1), func(ctx context.Context, p *probe) error {
			return CallFrom(ctx, p, ID("probe", 2), "Note", nil, 1)
		}))
		require.ErrorIs(t, err, ErrCallCycle)
		require.Zero(t, time.Since(start), "it fails at once")
	})
}

// The same with Spawn, which waits for OnActivate.
func TestCallCycleThroughSpawn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var err error
		hooks := &probeHooks{activate: func(ctx context.Context, p *probe) error {
			if p.Ref().Kind == "child" {
				err = CallFrom(ctx, p, ID("probe", 1), "Note", nil, 1)
			}
			return nil
		}}
		n := startWith(t, Config{}, hooks, Virtual[probe]("probe"), Local[probe]("child"))
		require.NoError(t, do(t, n, ID("probe", 1), func(_ context.Context, p *probe) error {
			_, err := Spawn[probe](p, "child", nil)
			return err
		}))
		require.ErrorIs(t, err, ErrCallCycle)
	})
}

// A call that waits for room ends with Config.CallTimeout too.
func TestCallThatWaitsForRoomTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, Config{CallTimeout: time.Second}, Virtual[probe]("probe", MailboxLimit(1), OnFull(Wait)))
		gate := make(chan struct{})
		ref := ID("probe", 1)
		require.NoError(t, n.Send(ref, "Run", func(context.Context, *probe) error { <-gate; return nil }))
		synctest.Wait()
		require.NoError(t, n.Send(ref, "Note", 1))
		var ended atomic.Bool
		go func() {
			_ = n.Call(bg, ref, "Note", nil, 2)
			ended.Store(true)
		}()
		time.Sleep(time.Minute)
		synctest.Wait()
		late := !ended.Load()
		close(gate)
		synctest.Wait()
		require.False(t, late, "the call waited for more than a minute")
	})
}

// A call that the sweeper has ended while it waited for room is not used again.
func TestCallEndedWhileItWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, Config{}, Virtual[probe]("probe", MailboxLimit(1), OnFull(Wait)), Virtual[probe]("other"))
		gate := make(chan struct{})
		ref := ID("probe", 1)
		require.NoError(t, n.Send(ref, "Run", func(context.Context, *probe) error { <-gate; return nil }))
		synctest.Wait()
		require.NoError(t, n.Send(ref, "Note", 1))
		// The sweeper looks every 10 ms, this context's end is noticed later.
		ctx, cancel := context.WithCancel(bg)
		deadline := lateContext{ctx, time.Now().Add(50 * time.Millisecond)}
		go func() {
			time.Sleep(time.Second)
			cancel()
		}()
		require.Error(t, n.Call(deadline, ref, "Note", nil, 2))
		close(gate)
		for i := range 20 {
			ran := false
			require.NoError(t, do(t, n, ID("other", int64(i)), func(context.Context, *probe) error {
				time.Sleep(time.Millisecond)
				ran = true
				return nil
			}))
			require.True(t, ran, "the reply came before the handler ran")
		}
	})
}

// lateContext has a deadline that its Done notices late, as happens when the
// machine is busy.
type lateContext struct {
	context.Context
	at time.Time
}

func (l lateContext) Deadline() (time.Time, bool) { return l.at, true }

// Retries counts for calls that run inline, too.
func TestRetriesOfInlineCalls(t *testing.T) {
	n := startNode(t, Config{}, Virtual[probe]("probe", Inline(), Retries(2), Supervise(Supervision{Backoff: time.Millisecond})))
	ref := ID("probe", 1)
	require.NoError(t, n.Call(bg, ref, "Note", nil, 1)) // active and soon idle
	var tries atomic.Int32
	for range 3 {
		tries.Store(0)
		err := do(t, n, ref, func(context.Context, *probe) error {
			if tries.Add(1) == 1 {
				panic("once")
			}
			return nil
		})
		require.NoError(t, err)
	}
}

// Start says why a shard could not be activated.
func TestStartNamesTheCause(t *testing.T) {
	cause := errors.New("database is down")
	hooks := &probeHooks{activate: func(context.Context, *probe) error { return cause }}
	n, err := New(Config{})
	require.NoError(t, err)
	Provide(n, hooks)
	require.NoError(t, n.Register(Stub[probe]("stub", Shards(2))))
	err = n.Start(bg)
	require.ErrorIs(t, err, ErrActivation)
	require.ErrorIs(t, err, cause)
}

// Stop ends with its context, also when off-turn work does not listen to its own.
func TestStopIsBoundedByOffTurnWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, err := New(Config{})
		require.NoError(t, err)
		require.NoError(t, n.Register(Virtual[probe]("probe")))
		require.NoError(t, n.Start(bg))
		gate := make(chan struct{})
		require.NoError(t, do(t, n, ID("probe", 1), func(_ context.Context, p *probe) error {
			return Go(p, func(context.Context) (int, error) { <-gate; return 0, nil }, func(int, error) {})
		}))
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		stopped := make(chan error, 1)
		go func() { stopped <- n.Stop(ctx) }()
		time.Sleep(time.Minute)
		synctest.Wait()
		select {
		case err := <-stopped:
			require.ErrorIs(t, err, context.DeadlineExceeded)
		default:
			t.Error("Stop takes more than a minute")
		}
		close(gate)
	})
}

// A stopped cron timer does not fire again, whatever the moment.
func TestCronStopInItsOwnFiring(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, Config{}, Virtual[probe]("probe"))
		var fired atomic.Int32
		require.NoError(t, do(t, n, ID("probe", 1), func(_ context.Context, p *probe) error {
			var c *CronTimer
			var err error
			c, err = p.Cron("* * * * * *", nil, func(context.Context) { fired.Add(1); c.Stop() })
			return err
		}))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.EqualValues(t, 1, fired.Load())
	})
}

// An actor that ends by itself while Stop asks it to: its end and the request
// are entries of one batch of the system lane, and the request must be answered
// all the same, or Stop waits for nobody.
func TestStopRequestBehindAnEnd(t *testing.T) {
	n := startWith(t, Config{}, &probeHooks{}, Virtual[probe]("probe"))
	stopped := make(chan struct{})
	require.NoError(t, do(t, n, ID("probe", 1), func(_ context.Context, p *probe) error {
		c := p.actorBase().cell
		c.pushSystem(func(c *cell) { c.terminate(nil, true) })
		c.stopThen(nil, func() { close(stopped) })
		return nil
	}))
	select {
	case <-stopped:
	case <-time.After(30 * time.Second):
		t.Fatal("the stop request was not answered")
	}
}
