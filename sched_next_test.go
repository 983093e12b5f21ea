// SPDX-License-Identifier: MIT

package troupe

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

type runFunc = func(ctx context.Context, p *probe) error

// signals returns a handler that closes ch.
func signals(ch chan struct{}) runFunc {
	return func(context.Context, *probe) error { close(ch); return nil }
}

// TestWokenActorDoesNotWait has a handler that wakes another actor, which is
// then to run on the same worker, and waits for it in one way or another.
func TestWokenActorDoesNotWait(t *testing.T) {
	a, b, c := ID("probe", 1), ID("probe", 2), ID("probe", 3)
	for name, tc := range map[string]struct {
		run  func(n *Node, ran chan struct{}) runFunc
		most time.Duration
	}{
		"by a channel": {func(_ *Node, ran chan struct{}) runFunc {
			return func(_ context.Context, p *probe) error {
				err := SendFrom(p, b, "Run", signals(ran))
				<-ran
				return err
			}
		}, 2 * lookPeriod},
		"by a call": {func(_ *Node, ran chan struct{}) runFunc {
			return func(ctx context.Context, p *probe) error {
				if err := SendFrom(p, b, "Run", signals(ran)); err != nil {
					return err
				}
				return CallFrom(ctx, p, c, "Run", nil, func(context.Context, *probe) error { <-ran; return nil })
			}
		}, 0},
		"in its next message": {func(_ *Node, ran chan struct{}) runFunc {
			return func(_ context.Context, p *probe) error {
				if err := SendFrom(p, a, "Run", func(context.Context, *probe) error { <-ran; return nil }); err != nil {
					return err
				}
				return SendFrom(p, b, "Run", signals(ran))
			}
		}, 0},
		"in its system lane": {func(_ *Node, ran chan struct{}) runFunc {
			return func(_ context.Context, p *probe) error {
				if err := p.Do(func(context.Context) { <-ran }); err != nil {
					return err
				}
				return SendFrom(p, b, "Run", signals(ran))
			}
		}, 0},
		"not at all": {func(_ *Node, ran chan struct{}) runFunc {
			return func(_ context.Context, p *probe) error {
				_ = SendFrom(p, b, "Run", signals(ran))
				runtime.Goexit()
				return nil
			}
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := startNode(t, Config{}, Virtual[probe]("probe"))
				for _, ref := range []Ref{a, b, c} {
					require.NoError(t, do(t, n, ref, func(context.Context, *probe) error { return nil }))
				}
				ran, begin := make(chan struct{}), time.Now()
				require.NoError(t, n.Send(a, "Run", tc.run(n, ran)))
				<-ran
				require.LessOrEqual(t, time.Since(begin), tc.most)
			})
		})
	}
}

// TestWokenActorsHammer has balls thrown from actor to actor, now and then by a
// handler that is slow, so that workers and look take cells from each other.
func TestWokenActorsHammer(t *testing.T) {
	const actors, balls, throws = 20, 8, 1500
	n := startNode(t, Config{}, Virtual[probe]("probe"))
	var landed sync.WaitGroup
	landed.Add(balls)
	var throw func(left int) runFunc
	throw = func(left int) runFunc {
		return func(_ context.Context, p *probe) error {
			if left == 0 {
				landed.Done()
				return nil
			}
			err := SendFrom(p, ID("probe", rand.Int64N(actors)), "Run", throw(left-1))
			if left%500 == 0 {
				time.Sleep(2 * lookPeriod)
			}
			return err
		}
	}
	for range balls {
		require.NoError(t, n.Send(ID("probe", 0), "Run", throw(throws)))
	}
	landed.Wait()
	require.NoError(t, n.Stop(bg))
	require.Zero(t, n.sched.busy)
}
