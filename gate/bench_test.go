// SPDX-License-Identifier: MIT

package gate

import (
	"io"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/gate/internal/frame"
)

func benchGate(b *testing.B) (*Gate, string) {
	g := newTestGate(b, newFakeBackend(), func(c *Config) {
		c.Limits = Limits{MessagesPerSecond: -1, BytesPerSecond: -1, ConnsPerIP: -1, HandshakesPerIP: -1, QueueBytes: -1}
	})
	return g, listenTCP(b, g)
}

// BenchmarkFanOut pushes one volatile event of 64 bytes to 100 sessions over
// loopback TCP; one operation is one event for all of them.
func BenchmarkFanOut(b *testing.B) {
	g, addr := benchGate(b)
	var ids []uint64
	for i := range 100 {
		c := dialRaw(b, addr)
		ids = append(ids, c.login(troupe.ID("player", int64(i))).Session)
		go func() { _, _ = io.Copy(io.Discard, c.Conn) }()
	}
	data := make([]byte, 64)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if _, err := g.Deliver(Push{Event: 1, Data: data, Volatile: true}, ids...); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEcho calls and waits, one session per goroutine, over loopback TCP:
// two messages through the gate per operation, client included.
func BenchmarkEcho(b *testing.B) {
	_, addr := benchGate(b)
	var mu sync.Mutex
	player := int64(0)
	b.ReportAllocs()
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		mu.Lock()
		player++
		c := dialRaw(b, addr)
		c.login(troupe.ID("player", player))
		mu.Unlock()
		var buf []byte
		for seq := uint64(1); pb.Next(); seq++ {
			r := frame.Request{Seq: seq, Ack: seq - 1, Method: methodEcho, Args: []byte("0123456789abcdef")}
			buf = r.Append(buf[:0])
			if _, err := c.Write(buf); err != nil {
				b.Error(err)
				return
			}
			if _, err := c.r.Next(); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkOneWay sends one-way requests in batches of 100 over a pipe.
func BenchmarkOneWay(b *testing.B) {
	g, _ := benchGate(b)
	client, server := net.Pipe()
	go g.ServeConn(server)
	c := newRaw(b, client)
	c.login(player7)
	b.ReportAllocs()
	b.ResetTimer()
	var buf []byte
	for i := 1; i <= b.N; i++ {
		r := frame.Request{Seq: uint64(i), Flags: frame.FlagOneWay, Method: methodMove, Args: []byte("0123456789abcdef")}
		buf = r.Append(buf)
		if i%100 == 0 || i == b.N {
			_, err := client.Write(buf)
			require.NoError(b, err)
			buf = buf[:0]
		}
	}
}
