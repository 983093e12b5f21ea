// SPDX-License-Identifier: MIT

package troupe_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/wire"
)

// counter is an actor with the dispatcher that the generator would write.
type counter struct {
	troupe.Actor
	count int64
}

func (*counter) Next(_ context.Context, v int64) (int64, error) { return v + 1, nil }

func (c *counter) Add(context.Context, []byte) error {
	c.count++
	return nil
}

func (c *counter) Count(context.Context) (int64, error) { return c.count, nil }

type (
	counterValue struct{ V int64 }
	counterData  struct{ Data []byte }
	counterNone  struct{}
)

func appendValue(b []byte, v *counterValue) []byte {
	return wire.AppendVarint(append(b, 8), uint64(v.V))
}

func parseValue(b []byte, v *counterValue) error {
	n, _ := wire.Varint(b[1:])
	v.V = int64(n)
	return nil
}

func appendNone(b []byte, _ *counterNone) []byte { return b }
func parseNone([]byte, *counterNone) error       { return nil }

var (
	counterNext = troupe.Method[counterValue, counterValue]{
		MethodInfo: troupe.MethodInfo{Name: "Next", Number: 1},
		Invoke: func(ctx context.Context, self any, a *counterValue, r *counterValue) (err error) {
			r.V, err = self.(*counter).Next(ctx, a.V)
			return err
		},
		AppendArgs: appendValue, ParseArgs: parseValue, AppendReply: appendValue, ParseReply: parseValue,
	}
	counterAdd = troupe.Method[counterData, counterNone]{
		MethodInfo: troupe.MethodInfo{Name: "Add", Number: 2},
		Invoke: func(ctx context.Context, self any, a *counterData, _ *counterNone) error {
			return self.(*counter).Add(ctx, a.Data)
		},
		AppendArgs: func(b []byte, a *counterData) []byte { return wire.AppendBytes(append(b, 10), a.Data) },
		ParseArgs: func(b []byte, a *counterData) error {
			a.Data = append([]byte(nil), b[2:]...)
			return nil
		},
		AppendReply: appendNone, ParseReply: parseNone,
	}
	counterCount = troupe.Method[counterNone, counterValue]{
		MethodInfo: troupe.MethodInfo{Name: "Count", Number: 3},
		Invoke: func(ctx context.Context, self any, _ *counterNone, r *counterValue) (err error) {
			r.V, err = self.(*counter).Count(ctx)
			return err
		},
		AppendArgs: appendNone, ParseArgs: parseNone, AppendReply: appendValue, ParseReply: parseValue,
	}
	counterMethods = []troupe.AnyMethod{&counterNext, &counterAdd, &counterCount}
)

// TroupeMethods implements troupe.Dispatcher.
func (*counter) TroupeMethods() []troupe.AnyMethod { return counterMethods }

// farCounter starts two nodes that talk over TCP, and returns a handle on one
// of them to a counter on the other.
func farCounter(b *testing.B, options ...troupe.Option) troupe.Handle {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	addr := l.Addr().String()
	require.NoError(b, l.Close())
	start := func(name, listen string, cfg troupe.ClusterConfig) *troupe.Node {
		cfg.Name, cfg.Listen, cfg.Dev = "bench", listen, true
		n, err := troupe.New(troupe.Config{Name: name, Logger: slog.New(slog.DiscardHandler), Cluster: &cfg})
		require.NoError(b, err)
		require.NoError(b, n.Register(troupe.Virtual[counter]("counter",
			append(options, troupe.Role("far"), troupe.MailboxLimit(1<<22), troupe.MailboxBytes(1<<32))...)))
		require.NoError(b, n.Start(b.Context()))
		b.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			_ = n.Stop(ctx) // the last one has nobody to tell
		})
		return n
	}
	start("far", addr, troupe.ClusterConfig{Voter: true, Bootstrap: []troupe.Server{{Name: "far", Addr: addr}}, Roles: []string{"far"}})
	near := start("near", "127.0.0.1:0", troupe.ClusterConfig{Join: []string{addr}})
	h := troupe.HandleOf(near, troupe.ID("counter", 42))
	_, err = troupe.Invoke(b.Context(), h, &counterNext, counterValue{1})
	require.NoError(b, err)
	return troupe.HandleOf(near, troupe.ID("counter", 42)) // knows the way
}

func BenchmarkRemoteCall(b *testing.B) {
	for _, c := range []struct {
		name    string
		callers int
		options []troupe.Option
	}{{"1", 1, nil}, {"64", 64, nil}, {"1/inline", 1, []troupe.Option{troupe.Inline()}}, {"64/inline", 64, []troupe.Option{troupe.Inline()}}} {
		b.Run(c.name, func(b *testing.B) {
			h := farCounter(b, c.options...)
			b.ReportAllocs()
			b.ResetTimer()
			var left atomic.Int64
			left.Store(int64(b.N))
			var wg sync.WaitGroup
			for range c.callers {
				wg.Go(func() {
					for left.Add(-1) >= 0 {
						r, err := troupe.Invoke(context.Background(), h, &counterNext, counterValue{7})
						if err != nil || r.V != 8 {
							b.Error(r.V, err)
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

func BenchmarkRemoteSend(b *testing.B) {
	h := farCounter(b)
	data := make([]byte, 32)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		for {
			err := troupe.Post(h, &counterAdd, counterData{data})
			if err == nil {
				break
			}
			if !errors.Is(err, troupe.ErrBackpressure) {
				b.Fatal(err)
			}
			runtime.Gosched()
		}
	}
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	r, err := troupe.Invoke(ctx, h, &counterCount, counterNone{})
	require.NoError(b, err)
	require.EqualValues(b, b.N, r.V)
}
