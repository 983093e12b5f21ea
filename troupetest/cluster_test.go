// SPDX-License-Identifier: MIT

package troupetest_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/troupetest"
)

var bg = context.Background()

type counter struct {
	troupe.Actor
	n int64
}

func (c *counter) Add(_ context.Context, d int64) (int64, error) {
	c.n += d
	return c.n, nil
}

func (c *counter) Where(context.Context) (string, error) { return c.Node().Name(), nil }

func kinds(int) []troupe.Kind {
	return []troupe.Kind{troupe.Virtual[counter]("counter"), troupe.Stub[counter]("stub", troupe.Shards(8))}
}

func TestOneOwnerForEveryNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := troupetest.Start(t, troupetest.Config{Kinds: kinds})
		var got int64
		for i := range 30 {
			require.NoError(t, c.Node(i%3).Call(bg, troupe.ID("counter", 7), "Add", &got, 1))
			require.EqualValues(t, i+1, got)
		}
	})
}

func TestTakeoverAfterCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := troupetest.Start(t, troupetest.Config{Kinds: kinds})
		var where string
		owned := map[string]int64{}
		for i := range int64(30) {
			require.NoError(t, c.Node(0).Call(bg, troupe.ID("counter", i), "Where", &where))
			owned[where] = i
		}
		require.Len(t, owned, 3)
		id := troupe.ID("counter", owned["n2"])
		c.Crash(2)
		start := time.Now()
		require.Eventually(t, func() bool {
			ctx, cancel := context.WithTimeout(bg, time.Second)
			defer cancel()
			err := c.Node(0).Call(ctx, id, "Where", &where)
			if err != nil {
				t.Log(time.Since(start), err)
			}
			return err == nil
		}, 20*time.Second, 10*time.Millisecond)
		require.NotEqual(t, "n2", where)
		require.Less(t, time.Since(start), 5*time.Second)
		t.Log("takeover after", time.Since(start))
	})
}

func TestStopHandsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := troupetest.Start(t, troupetest.Config{Nodes: 4, Kinds: kinds})
		var got int64
		for i := range int64(200) {
			require.NoError(t, c.Node(0).Call(bg, troupe.ID("counter", i), "Add", &got, 1))
		}
		done := make(chan struct{})
		go func() { c.Stop(3); close(done) }()
		for stopped := false; !stopped; {
			select {
			case <-done:
				stopped = true
			default:
			}
			for i := range int64(200) {
				require.NoError(t, c.Node(int(i)%3).Call(bg, troupe.ID("counter", i), "Add", &got, 1))
			}
			time.Sleep(time.Millisecond)
		}
	})
}

func TestStubShards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := troupetest.Start(t, troupetest.Config{Kinds: kinds})
		time.Sleep(5 * time.Second) // shards move one at a time
		where := map[string]int{}
		for shard := range int64(8) {
			var at string
			require.NoError(t, c.Node(int(shard)%3).Call(bg, troupe.ID("stub", shard), "Where", &at))
			where[at]++
		}
		require.Len(t, where, 3)
	})
}
