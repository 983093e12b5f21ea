// SPDX-License-Identifier: MIT

package transport

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// echoPair returns a link to an endpoint that sends every frame back.
func echoPair(b *testing.B, onReply func(frame []byte)) Link {
	server := start(b, devConfig("server"), &funcHandler{frame: func(from Link, lane Lane, frame []byte) {
		if err := from.Send(Meta{Lane: lane}, frame); err != nil {
			b.Errorf("echo: %v", err)
		}
	}})
	client := start(b, devConfig("client"), &funcHandler{frame: func(_ Link, _ Lane, frame []byte) { onReply(frame) }})
	return connect(b, client, server.Self())
}

// BenchmarkRawTCP is the floor: 36 bytes there and back, one write and one
// read on each side.
func BenchmarkRawTCP(b *testing.B) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer ln.Close()
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Add(1)
	go func() {
		defer wg.Done()
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		buf := make([]byte, 64<<10)
		for {
			n, err := c.Read(buf)
			if err != nil {
				return
			}
			if _, err := c.Write(buf[:n]); err != nil {
				return
			}
		}
	}()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	buf := make([]byte, 36)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Write(buf); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(c, buf); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCall is request and reply with n outstanding.
func BenchmarkCall(b *testing.B) {
	for _, bench := range []struct {
		name    string
		callers int
		now     bool
	}{{"1", 1, true}, {"1/later", 1, false}, {"64", 64, true}, {"64/later", 64, false}} {
		b.Run(bench.name, func(b *testing.B) {
			replies := make([]chan struct{}, bench.callers)
			for i := range replies {
				replies[i] = make(chan struct{}, 1)
			}
			link := echoPair(b, func(frame []byte) {
				replies[binary.BigEndian.Uint64(frame)] <- struct{}{}
			})
			call := func(i int, frame []byte) {
				if err := link.Send(Meta{Lane: LaneMessages, Key: uint64(i), Now: bench.now}, frame); err != nil {
					b.Errorf("send: %v", err)
				}
				<-replies[i]
			}
			call(0, make([]byte, 32))
			b.ReportAllocs()
			b.ResetTimer()
			var left atomic.Int64
			left.Store(int64(b.N))
			var wg sync.WaitGroup
			for i := range bench.callers {
				wg.Add(1)
				go func() {
					defer wg.Done()
					frame := make([]byte, 32)
					binary.BigEndian.PutUint64(frame, uint64(i))
					for left.Add(-1) >= 0 {
						call(i, frame)
					}
				}()
			}
			wg.Wait()
		})
	}
}

// BenchmarkSend is one-way, 32 bytes, until the last one has arrived.
func BenchmarkSend(b *testing.B) {
	for _, bench := range []struct {
		name    string
		senders int
	}{{"1", 1}, {"8", 8}} {
		b.Run(bench.name, func(b *testing.B) {
			var got atomic.Int64
			done := make(chan struct{})
			var want atomic.Int64
			want.Store(-1)
			count := int64(0)
			server := start(b, devConfig("server"), &funcHandler{
				frame: func(Link, Lane, []byte) { count++ },
				batch: func(Link, Lane) {
					got.Store(count)
					if count == want.Load() {
						close(done)
					}
				},
			})
			client := start(b, devConfig("client"), &funcHandler{})
			link := connect(b, client, server.Self())
			want.Store(int64(b.N))
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			for s := range bench.senders {
				n := b.N / bench.senders
				if s == 0 {
					n += b.N % bench.senders
				}
				wg.Add(1)
				go func() {
					defer wg.Done()
					frame := make([]byte, 32)
					for range n {
						for {
							err := link.Send(Meta{Lane: LaneMessages, Key: uint64(s)}, frame)
							if err == nil {
								break
							}
							if !errors.Is(err, ErrBackpressure) {
								b.Errorf("send: %v", err)
								return
							}
							runtime.Gosched()
						}
					}
				}()
			}
			wg.Wait()
			<-done
		})
	}
}
