// SPDX-License-Identifier: MIT

package troupe

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

var bg = context.Background()

// probe is an actor whose behaviour the tests inject.
type probe struct {
	Actor
	log []int64
}

type probeHooks struct {
	activate   func(ctx context.Context, p *probe) error
	deactivate func(ctx context.Context, p *probe) error
	terminated func(ref Ref, cause error)
}

func (p *probe) hooks() *probeHooks {
	h, _ := Service[*probeHooks](p)
	if h == nil {
		return &probeHooks{}
	}
	return h
}

func (p *probe) OnActivate(ctx context.Context) error {
	if f := p.hooks().activate; f != nil {
		return f(ctx, p)
	}
	return nil
}

func (p *probe) OnDeactivate(ctx context.Context) error {
	if f := p.hooks().deactivate; f != nil {
		return f(ctx, p)
	}
	return nil
}

func (p *probe) OnTerminated(_ context.Context, ref Ref, cause error) {
	if f := p.hooks().terminated; f != nil {
		f(ref, cause)
	}
}

// Run calls f on the turn. Functions cannot cross nodes; on one node they can.
func (p *probe) Run(ctx context.Context, f func(ctx context.Context, p *probe) error) error {
	return f(ctx, p)
}

func (p *probe) Note(_ context.Context, v int64) error {
	p.log = append(p.log, v)
	return nil
}

func (p *probe) Log(context.Context) ([]int64, error) { return p.log, nil }

func (p *probe) Sum(_ context.Context, a int32, b uint8, c float64, s string) (int64, string, error) {
	return int64(a) + int64(b) + int64(c), s + "!", nil
}

func do(t testing.TB, n *Node, ref Ref, f func(ctx context.Context, p *probe) error) error {
	t.Helper()
	return n.Call(bg, ref, "Run", nil, f)
}

func letters(into *[]DeadLetter, mu *sync.Mutex) func(DeadLetter) {
	return func(d DeadLetter) {
		mu.Lock()
		defer mu.Unlock()
		*into = append(*into, d)
	}
}

func TestByNameChecks(t *testing.T) {
	n := startNode(t, Config{}, Virtual[probe]("probe"))
	ref := ID("probe", 1)
	var sum int64
	var text string
	require.NoError(t, n.Call(bg, ref, "Sum", Results(&sum, &text), 1, 2, 3, "x"))
	require.Equal(t, int64(6), sum)
	require.Equal(t, "x!", text)
	var narrow int8
	require.NoError(t, n.Call(bg, ref, "Sum", Results(&narrow, &text), int64(1), uint64(2), float32(3), "x"))
	for name, tc := range map[string]struct {
		ref    Ref
		method string
		result any
		args   []any
		want   error
	}{
		"nobody":           {Ref{}, "Sum", nil, nil, ErrNoActor},
		"unknown kind":     {ID("ghost", 1), "Sum", nil, nil, ErrUnknownKind},
		"unknown method":   {ref, "Nope", nil, nil, ErrUnknownMethod},
		"hook":             {ref, "OnActivate", nil, nil, ErrUnknownMethod},
		"promoted":         {ref, "Stop", nil, nil, ErrUnknownMethod},
		"too few":          {ref, "Sum", nil, []any{1}, ErrBadArguments},
		"too many":         {ref, "Note", nil, []any{1, 2}, ErrBadArguments},
		"wrong type":       {ref, "Note", nil, []any{"one"}, ErrBadArguments},
		"nil number":       {ref, "Note", nil, []any{nil}, ErrBadArguments},
		"does not fit":     {ref, "Sum", nil, []any{int64(1) << 40, 0, 0, ""}, ErrBadArguments},
		"negative":         {ref, "Sum", nil, []any{1, -1, 0, ""}, ErrBadArguments},
		"fraction":         {ref, "Note", nil, []any{1.5}, ErrBadArguments},
		"one for two":      {ref, "Sum", &sum, []any{1, 2, 3, "x"}, ErrBadArguments},
		"not a pointer":    {ref, "Log", 5, nil, ErrBadArguments},
		"nil pointer":      {ref, "Log", (*[]int64)(nil), nil, ErrBadArguments},
		"other result":     {ref, "Log", new(string), nil, ErrBadArguments},
		"result for none":  {ref, "Note", new(int), []any{1}, ErrBadArguments},
		"shard of no stub": {Ref{Kind: "probe", Node: "elsewhere", ID: 1}, "Log", nil, nil, ErrUnreachable},
	} {
		err := n.Call(bg, tc.ref, tc.method, tc.result, tc.args...)
		require.ErrorIs(t, err, tc.want, name)
		var ce *CallError
		require.ErrorAs(t, err, &ce, name)
		require.True(t, ce.SafeToRetry(), name)
		if tc.result == nil {
			require.ErrorIs(t, n.Send(tc.ref, tc.method, tc.args...), tc.want, name)
		}
	}
}

func TestBadKinds(t *testing.T) {
	n, err := New(Config{})
	require.NoError(t, err)
	require.ErrorIs(t, n.Register(Virtual[badContext]("x")), ErrBadHandler)
	require.ErrorIs(t, n.Register(Virtual[badResult]("x")), ErrBadHandler)
	require.ErrorIs(t, n.Register(Virtual[counter]("")), ErrBadConfig)
	require.ErrorIs(t, n.Register(Kind{}), ErrBadConfig)
	require.ErrorIs(t, n.Register(Virtual[counter]("x", MailboxLimit(-2))), ErrBadConfig)
	require.ErrorIs(t, n.Register(Virtual[counter]("x", MaxActiveBytes(10))), ErrBadConfig)
	require.ErrorIs(t, n.Register(Virtual[counter]("x", Option{})), ErrBadConfig)
	require.ErrorIs(t, n.Register(Virtual[counter]("x", Shards(4))), ErrBadConfig)
	require.ErrorIs(t, n.Register(Singleton[counter]("x", Shards(4))), ErrBadConfig)
	require.ErrorIs(t, n.Register(Local[counter]("x", IdleAfter(time.Minute))), ErrBadConfig)
	require.NoError(t, n.Register(Virtual[counter]("x")))
	require.ErrorIs(t, n.Register(Virtual[counter]("x")), ErrDuplicateKind)
	require.ErrorIs(t, n.Register(Virtual[counter]("y"), Virtual[counter]("y")), ErrDuplicateKind)
	require.ErrorIs(t, n.Call(bg, ID("x", 1), "Add", nil, 1), ErrStopped, "before Start")
	require.NoError(t, n.Start(bg))
	require.ErrorIs(t, n.Start(bg), ErrStarted)
	require.ErrorIs(t, n.Register(Virtual[counter]("z")), ErrStarted)
	require.NoError(t, n.Stop(bg))
	require.NoError(t, n.Stop(bg))
	require.ErrorIs(t, n.Call(bg, ID("x", 1), "Add", nil, 1), ErrStopped)
	require.ErrorIs(t, n.Send(ID("x", 1), "Add", 1), ErrStopped)
	_, err = Spawn[counter](n, "x", nil)
	require.Error(t, err)
	_, err = New(Config{Name: "a b"})
	require.ErrorIs(t, err, ErrBadConfig)
}

type badContext struct{ Actor }

func (*badContext) Do2(int) error { return nil }

type badResult struct{ Actor }

func (*badResult) Do2(context.Context) int { return 0 }

func TestNilCallersAndZeroActors(t *testing.T) {
	var p probe
	require.ErrorIs(t, SendFrom(nil, ID("probe", 1), "Note", 1), ErrNoActor)
	require.ErrorIs(t, SendFrom(&p, ID("probe", 1), "Note", 1), ErrNoActor)
	require.ErrorIs(t, Post(Handle{}, &addMethod, addArgs{}), ErrNoActor)
	_, err := Invoke(bg, Handle{}, &addMethod, addArgs{})
	require.ErrorIs(t, err, ErrNoActor)
	require.ErrorIs(t, p.Do(func(context.Context) {}), ErrNoActor)
	require.True(t, p.Ref().IsZero())
	p.Stop()
	p.Passivate()
	require.False(t, (*Timer)(nil).Stop())
	_, err = p.Every(time.Second, func(context.Context) {})
	require.ErrorIs(t, err, ErrNoActor)
}

func TestOrderFromOneSender(t *testing.T) {
	n := startNode(t, Config{}, Virtual[probe]("probe"))
	const count = 20000
	for i := range count {
		require.NoError(t, n.Send(ID("probe", 1), "Note", int64(i)))
		if i%1000 == 0 {
			runtime.Gosched()
		}
	}
	var log []int64
	require.NoError(t, n.Call(bg, ID("probe", 1), "Log", &log))
	for i, v := range log[:len(log)-1] {
		require.Equal(t, v+1, log[i+1])
	}
}

// No message may be lost between passivation and re-activation, whatever the
// interleaving: every note is either in the log that an instance took along
// or in the last one's.
func TestPassivationLosesNothing(t *testing.T) {
	var kept sync.Map
	var total atomic.Int64
	hooks := &probeHooks{deactivate: func(_ context.Context, p *probe) error {
		for _, v := range p.log {
			if _, dup := kept.LoadOrStore(v, true); dup {
				return fmt.Errorf("%d twice", v)
			}
		}
		total.Add(int64(len(p.log)))
		return nil
	}}
	n, err := New(Config{})
	require.NoError(t, err)
	Provide(n, hooks)
	require.NoError(t, n.Register(Virtual[probe]("probe")))
	require.NoError(t, n.Start(bg))
	const senders, each = 4, 3000
	var wg sync.WaitGroup
	stop := make(chan struct{})
	passivator := make(chan struct{})
	go func() {
		defer close(passivator)
		for {
			select {
			case <-stop:
				return
			default:
			}
			if c := n.kindOf("probe").registry.get(1, ""); c != nil {
				c.passivate()
			}
			runtime.Gosched()
		}
	}()
	for s := range senders {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range each {
				if err := n.Send(ID("probe", 1), "Note", int64(s*each+i)); err != nil {
					t.Error(err)
				}
				if i%20 == 0 { // let the mailbox run empty
					if err := n.Call(bg, ID("probe", 1), "Log", nil); err != nil {
						t.Error(err)
					}
				}
			}
		}()
	}
	wg.Wait()
	close(stop)
	<-passivator
	require.NoError(t, n.Stop(bg))
	require.Equal(t, int64(senders*each), total.Load())
	require.Greater(t, n.Count("probe", CountActivations), int64(1))
	require.Equal(t, n.Count("probe", CountActivations), n.Count("probe", CountDeactivations))
}

func TestActivationFailureReachesEveryCaller(t *testing.T) {
	var tries atomic.Int32
	release := make(chan struct{})
	errDown := errors.New("database is down")
	n, err := New(Config{})
	require.NoError(t, err)
	Provide(n, &probeHooks{activate: func(context.Context, *probe) error {
		if tries.Add(1) == 1 {
			<-release
			return errDown
		}
		return nil
	}})
	require.NoError(t, n.Register(Virtual[probe]("probe")))
	require.NoError(t, n.Start(bg))
	defer func() { require.NoError(t, n.Stop(bg)) }()
	errs := make(chan error, 5)
	for range 5 {
		go func() { errs <- n.Call(bg, ID("probe", 1), "Note", nil, 1) }()
	}
	c := n.kindOf("probe")
	for c.registry.get(1, "") == nil || c.registry.get(1, "").depth() < 4 {
		runtime.Gosched()
	}
	close(release)
	for range 5 {
		err := <-errs
		require.ErrorIs(t, err, ErrActivation)
		require.ErrorIs(t, err, errDown)
		var ce *CallError
		require.ErrorAs(t, err, &ce)
		require.True(t, ce.SafeToRetry())
	}
	require.NoError(t, n.Call(bg, ID("probe", 1), "Note", nil, 1), "the next message tries again")
}

func TestPanicInActivate(t *testing.T) {
	n, err := New(Config{})
	require.NoError(t, err)
	Provide(n, &probeHooks{activate: func(context.Context, *probe) error { panic("no") }})
	require.NoError(t, n.Register(Virtual[probe]("probe"), Local[probe]("local")))
	require.NoError(t, n.Start(bg))
	err = n.Call(bg, ID("probe", 1), "Note", nil, 1)
	require.ErrorIs(t, err, ErrActivation)
	require.ErrorIs(t, err, ErrPanic)
	_, err = Spawn[probe](n, "local", nil)
	require.ErrorIs(t, err, ErrPanic)
	require.NoError(t, n.Stop(bg))
	require.Zero(t, n.Active("probe"))
	require.Zero(t, n.Active("local"))
}

func TestCallCycle(t *testing.T) {
	n := startNode(t, Config{}, Virtual[probe]("probe"), Virtual[probe]("again", Reentrant()))
	a, b := ID("probe", 1), ID("probe", 2)
	err := do(t, n, a, func(ctx context.Context, pa *probe) error {
		return CallFrom(ctx, pa, b, "Run", nil, func(ctx context.Context, pb *probe) error {
			// Through the node, too: the context knows who waits.
			return pb.Node().Call(ctx, a, "Log", nil)
		})
	})
	require.ErrorIs(t, err, ErrCallCycle)
	require.ErrorContains(t, err, "probe/1 -> probe/2 -> probe/1")
	err = do(t, n, a, func(ctx context.Context, pa *probe) error {
		return CallFrom(ctx, pa, a, "Log", nil)
	})
	require.ErrorIs(t, err, ErrCallCycle, "itself")

	r := ID("again", 1)
	var log []int64
	err = do(t, n, r, func(ctx context.Context, p *probe) error {
		p.log = append(p.log, 1)
		err := CallFrom(ctx, p, b, "Run", nil, func(ctx context.Context, pb *probe) error {
			return CallFrom(ctx, pb, r, "Note", nil, 2)
		})
		p.log = append(p.log, 3)
		return err
	})
	require.NoError(t, err)
	require.NoError(t, n.Call(bg, r, "Log", &log))
	require.Equal(t, []int64{1, 2, 3}, log)
}

func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, Config{CallTimeout: time.Second}, Virtual[probe]("probe"))
		slow := func(ctx context.Context, p *probe) error {
			<-ctx.Done()
			return ctx.Err()
		}
		start := time.Now()
		err := n.Call(bg, ID("probe", 1), "Run", nil, slow)
		require.ErrorIs(t, err, ErrTimeout)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.InDelta(t, time.Second, time.Since(start), float64(50*time.Millisecond))
		var ce *CallError
		require.ErrorAs(t, err, &ce)
		require.False(t, ce.SafeToRetry(), "in doubt")

		ctx, cancel := context.WithTimeout(bg, 200*time.Millisecond)
		start = time.Now()
		err = n.Call(ctx, ID("probe", 2), "Run", nil, func(ctx context.Context, p *probe) error {
			// The deadline travels: the inner call gives up with the outer.
			return CallFrom(ctx, p, ID("probe", 3), "Run", nil, slow)
		})
		cancel()
		require.ErrorIs(t, err, ErrTimeout)
		require.InDelta(t, 200*time.Millisecond, time.Since(start), float64(50*time.Millisecond))

		ctx, cancel = context.WithCancel(bg)
		go func() { time.Sleep(100 * time.Millisecond); cancel() }()
		err = n.Call(ctx, ID("probe", 4), "Run", nil, slow)
		require.ErrorIs(t, err, ErrCanceled)
		require.ErrorIs(t, err, context.Canceled)
	})
}

// A caller that gave up must not have its message handled later.
func TestExpiredCallsAreNotHandled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var dead []DeadLetter
		n := startNode(t, Config{DeadLetter: letters(&dead, &mu)}, Virtual[probe]("probe"))
		release := make(chan struct{})
		go func() {
			_ = do(t, n, ID("probe", 1), func(context.Context, *probe) error { <-release; return nil })
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		require.ErrorIs(t, n.Call(ctx, ID("probe", 1), "Note", nil, 1), ErrTimeout)
		close(release)
		var log []int64
		require.NoError(t, n.Call(bg, ID("probe", 1), "Log", &log))
		require.Empty(t, log)
		mu.Lock()
		defer mu.Unlock()
		require.Len(t, dead, 1)
		require.ErrorIs(t, dead[0].Reason, ErrTimeout)
	})
}

func TestMailboxBounds(t *testing.T) {
	for _, policy := range []Overflow{Refuse, DropOldest, Wait} {
		t.Run(fmt.Sprint(policy), func(t *testing.T) {
			var mu sync.Mutex
			var dead []DeadLetter
			n := startNode(t, Config{DeadLetter: letters(&dead, &mu), CallTimeout: 300 * time.Millisecond},
				Virtual[probe]("probe", MailboxLimit(10), OnFull(policy)))
			ref := ID("probe", 1)
			started, release := make(chan struct{}), make(chan struct{})
			require.NoError(t, n.Send(ref, "Run", func(context.Context, *probe) error {
				close(started)
				<-release
				return nil
			}))
			<-started
			for i := range 10 {
				require.NoError(t, n.Send(ref, "Note", i))
			}
			var want []int64
			switch policy {
			case Refuse:
				require.ErrorIs(t, n.Send(ref, "Note", 10), ErrMailboxFull)
				require.ErrorIs(t, n.Call(bg, ref, "Note", nil, 10), ErrMailboxFull)
				want = []int64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
			case DropOldest:
				require.NoError(t, n.Send(ref, "Note", 10))
				want = []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
			case Wait:
				require.ErrorIs(t, n.Send(ref, "Note", 99), ErrMailboxFull, "after CallTimeout")
				sent := make(chan error)
				go func() { sent <- n.Send(ref, "Note", 10) }()
				want = []int64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
				close(release)
				require.NoError(t, <-sent)
			}
			if policy != Wait {
				close(release)
			}
			c := n.kindOf("probe").registry.get(1, "")
			require.Eventually(t, func() bool { return c.depth() == 0 }, 5*time.Second, time.Millisecond)
			var log []int64
			require.NoError(t, n.Call(bg, ref, "Log", &log))
			require.Equal(t, want, log)
			mu.Lock()
			defer mu.Unlock()
			require.NotEmpty(t, dead)
			require.ErrorIs(t, dead[0].Reason, ErrMailboxFull)
		})
	}
}

type blob struct {
	Actor
	hold chan struct{}
}

func (b *blob) Put(_ context.Context, data []byte) error {
	<-b.hold
	return nil
}

func TestMailboxBoundByBytes(t *testing.T) {
	n := startNode(t, Config{}, Local[blob]("blob", MailboxBytes(1000)))
	hold := make(chan struct{})
	ref, err := Spawn(n, "blob", func(b *blob) { b.hold = hold })
	require.NoError(t, err)
	require.NoError(t, n.Send(ref, "Put", make([]byte, 600)))
	var sent int
	for sent = 0; n.Send(ref, "Put", make([]byte, 300)) == nil; sent++ {
	}
	require.InDelta(t, 2, sent, 1)
	require.ErrorIs(t, n.Send(ref, "Put", make([]byte, 600)), ErrMailboxFull)
	require.ErrorIs(t, n.Send(ref, "Put", make([]byte, 2000)), ErrTooLarge)
	close(hold)
	require.Eventually(t, func() bool { return n.Send(ref, "Put", make([]byte, 900)) == nil }, time.Second, time.Millisecond)
}
