// SPDX-License-Identifier: MIT

package troupe_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/troupetest"
)

// unsendable has handlers whose types have no form on the wire.
type unsendable struct{ notes }

// Take has an argument that cannot travel.
func (a *unsendable) Take(_ context.Context, c chan int) error {
	a.n++
	if c != nil {
		close(c)
	}
	return nil
}

// Give has a result that cannot travel.
func (a *unsendable) Give(context.Context) (func(), error) {
	a.n++
	return func() {}, nil
}

// TestClusterEncoding: handlers with types that cannot be encoded work on their
// own node. From another one they fail with ErrEncoding, do not run if it is an
// argument, and leave connection and actor as they were.
func TestClusterEncoding(t *testing.T) {
	kinds := func(int) []troupe.Kind {
		return []troupe.Kind{troupe.Virtual[unsendable]("unsendable", onNode("n1"))}
	}
	inCluster(t, troupetest.Config{Kinds: kinds}, func(t *testing.T, c *troupetest.Cluster, w *world) {
		ref := troupe.ID("unsendable", 1)
		count := func() (n int64) {
			require.NoError(t, c.Node(0).Call(bg, ref, "Count", &n))
			return n
		}
		at, err := where(c.Node(0), ref)
		require.NoError(t, err)
		require.Equal(t, "n1", at)

		done := make(chan int)
		require.NoError(t, c.Node(1).Call(bg, ref, "Take", nil, done))
		<-done
		var f func()
		require.NoError(t, c.Node(1).Call(bg, ref, "Give", &f))
		require.NotNil(t, f)
		require.EqualValues(t, 2, count())

		err = c.Node(0).Call(bg, ref, "Take", nil, make(chan int))
		require.ErrorIs(t, err, troupe.ErrEncoding)
		var ce *troupe.CallError
		require.ErrorAs(t, err, &ce)
		require.True(t, ce.SafeToRetry(), "it was not sent: %v", err)
		require.EqualValues(t, 2, count())

		require.ErrorIs(t, c.Node(0).Call(bg, ref, "Give", &f), troupe.ErrEncoding)
		require.EqualValues(t, 3, count(), "only its result could not travel")

		err = c.Node(0).Send(ref, "Take", make(chan int))
		if err == nil { // it was queued, and refused when it was to be written
			time.Sleep(time.Second)
			w.mu.Lock()
			require.Len(t, w.lost, 1)
			err = w.lost[0].Reason
			w.mu.Unlock()
		}
		require.ErrorIs(t, err, troupe.ErrEncoding)
		require.EqualValues(t, 3, count())
	})
}
