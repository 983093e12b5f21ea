// SPDX-License-Identifier: MIT

package transport_test

import (
	"encoding/binary"
	"sync"
	"testing"
	"time"

	"github.com/troupe-go/troupe/transport"
	"github.com/troupe-go/troupe/transport/certs"
)

type echo struct {
	onFrame func(from transport.Link, lane transport.Lane, frame []byte)
}

func (e *echo) HandleFrame(from transport.Link, lane transport.Lane, frame []byte) {
	e.onFrame(from, lane, frame)
}
func (*echo) HandleBatchEnd(transport.Link, transport.Lane)            {}
func (*echo) HandleDrop(transport.Link, transport.Lane, []byte, error) {}
func (*echo) HandlePeer(transport.PeerEvent)                           {}

// BenchmarkCallTLS is BenchmarkCall over TLS: there the writer goroutine
// always writes, because encrypting and writing cannot be tried without
// blocking.
func BenchmarkCallTLS(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(map[int]string{1: "1", 64: "64"}[callers], func(b *testing.B) {
			ca, err := certs.NewCA("c", time.Hour)
			if err != nil {
				b.Fatal(err)
			}
			mk := func(name string, f func(transport.Link, transport.Lane, []byte)) *transport.Endpoint {
				cred, err := ca.Credentials(name, nil, time.Hour)
				if err != nil {
					b.Fatal(err)
				}
				e, err := transport.New(transport.Config{
					Self:   transport.Peer{NodeID: name, ClusterID: "c", Incarnation: 1},
					Listen: "127.0.0.1:0", Credentials: cred,
				})
				if err != nil {
					b.Fatal(err)
				}
				b.Cleanup(func() { _ = e.Close() })
				if err := e.Start(&echo{f}); err != nil {
					b.Fatal(err)
				}
				return e
			}
			replies := make([]chan struct{}, callers)
			for i := range replies {
				replies[i] = make(chan struct{}, 1)
			}
			server := mk("server", func(from transport.Link, lane transport.Lane, frame []byte) {
				_ = from.Send(transport.Meta{Lane: lane}, frame)
			})
			client := mk("client", func(_ transport.Link, _ transport.Lane, frame []byte) {
				replies[binary.BigEndian.Uint64(frame)] <- struct{}{}
			})
			link, err := client.Connect(server.Self())
			if err != nil {
				b.Fatal(err)
			}
			if err := link.Send(transport.Meta{}, make([]byte, 32)); err != nil {
				b.Fatal(err)
			}
			<-replies[0]
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			for i := range callers {
				wg.Add(1)
				go func() {
					defer wg.Done()
					frame := make([]byte, 32)
					binary.BigEndian.PutUint64(frame, uint64(i))
					for range (b.N + callers - 1) / callers {
						if err := link.Send(transport.Meta{Now: true}, frame); err != nil {
							b.Errorf("send: %v", err)
							return
						}
						<-replies[i]
					}
				}()
			}
			wg.Wait()
		})
	}
}
