// SPDX-License-Identifier: MIT

package troupe

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// counter is a plain actor with handlers found by reflection.
type counter struct {
	Actor
	n int64
}

func (c *counter) Add(_ context.Context, d int64) (int64, error) {
	c.n += d
	return c.n, nil
}

func (c *counter) Boom(context.Context) error { panic("boom") }

func (c *counter) Fail(context.Context) error { return errFail }

var errFail = errors.New("no such luck")

// adder is the same with a hand-written dispatcher.
type adder struct {
	Actor
	n    int64
	seen *atomic.Int64
	want int64
	done chan struct{}
}

type (
	addArgs  struct{ D int64 }
	addReply struct{ N int64 }
)

var addMethod = Method[addArgs, addReply]{
	MethodInfo: MethodInfo{Name: "Add", Number: 1},
	Invoke: func(_ context.Context, self any, a *addArgs, r *addReply) error {
		c := self.(*adder)
		c.n += a.D
		r.N = c.n
		if c.n == c.want && c.done != nil {
			c.done <- struct{}{}
		}
		return nil
	},
}
var addMethods = []AnyMethod{&addMethod}

func (*adder) TroupeMethods() []AnyMethod { return addMethods }

// startNode returns a running node that is stopped at the end of the test.
func startNode(t testing.TB, cfg Config, kinds ...Kind) *Node {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	n, err := New(cfg)
	require.NoError(t, err)
	require.NoError(t, n.Register(kinds...))
	require.NoError(t, n.Start(context.Background()))
	t.Cleanup(func() { require.NoError(t, n.Stop(context.Background())) })
	return n
}

func TestCallByName(t *testing.T) {
	n := startNode(t, Config{}, Virtual[counter]("counter"))
	var got int64
	for i := range 3 {
		require.NoError(t, n.Call(context.Background(), ID("counter", 7), "Add", &got, 2))
		require.Equal(t, int64(2*(i+1)), got)
	}
	err := n.Call(context.Background(), ID("counter", 7), "Boom", nil)
	require.ErrorIs(t, err, ErrPanic)
	require.NoError(t, n.Call(context.Background(), ID("counter", 7), "Add", &got, 1))
	require.Equal(t, int64(1), got, "a restart starts from a new instance")
	err = n.Call(context.Background(), ID("counter", 7), "Fail", nil)
	require.ErrorIs(t, err, errFail)
}

func BenchmarkSendTyped(b *testing.B) {
	n := startNode(b, Config{}, Local[adder]("adder", OnFull(Wait), MailboxLimit(4096)))
	done := make(chan struct{}, 1)
	ref, err := Spawn(n, "adder", func(a *adder) { a.want, a.done = int64(b.N), done })
	require.NoError(b, err)
	h := HandleOf(n, ref)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if err := Post(h, &addMethod, addArgs{1}); err != nil {
			b.Fatal(err)
		}
	}
	<-done
}

func BenchmarkChannelSend(b *testing.B) {
	ch := make(chan addArgs, 1024)
	done := make(chan struct{})
	go func() {
		var n int64
		for a := range ch {
			n += a.D
		}
		close(done)
	}()
	b.ReportAllocs()
	for range b.N {
		ch <- addArgs{1}
	}
	close(ch)
	<-done
}

func BenchmarkCallTyped(b *testing.B) {
	for _, inline := range []bool{false, true} {
		name, opts := "worker", []Option{}
		if inline {
			name, opts = "inline", []Option{Inline()}
		}
		b.Run(name, func(b *testing.B) {
			n := startNode(b, Config{}, Local[adder]("adder", opts...))
			ref, err := Spawn[adder](n, "adder", nil)
			require.NoError(b, err)
			h := HandleOf(n, ref)
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				if _, err := Invoke(context.Background(), h, &addMethod, addArgs{1}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCallByName(b *testing.B) {
	n := startNode(b, Config{}, Virtual[counter]("counter"))
	b.ReportAllocs()
	ref := ID("counter", 1)
	var out int64
	for range b.N {
		if err := n.Call(context.Background(), ref, "Add", &out, int64(1)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkChannelCall(b *testing.B) {
	type req struct {
		d     int64
		reply chan int64
	}
	ch := make(chan req)
	go func() {
		var n int64
		for r := range ch {
			n += r.d
			r.reply <- n
		}
	}()
	reply := make(chan int64, 1)
	b.ReportAllocs()
	for range b.N {
		ch <- req{1, reply}
		<-reply
	}
	close(ch)
}

func BenchmarkSpawn(b *testing.B) {
	n := startNode(b, Config{}, Local[adder]("adder"))
	b.ReportAllocs()
	for range b.N {
		if _, err := Spawn[adder](n, "adder", nil); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
}
