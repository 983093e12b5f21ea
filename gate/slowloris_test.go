// SPDX-License-Identifier: MIT

package gate

import (
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/gate/internal/frame"
)

// TestSlowConnections opens 2,000 connections that send a byte a second, half
// of them before their login, and reports what they do to the latency of good
// clients. The bar is a factor of two at the 99th percentile; as a machine's
// mood decides as well, it is logged and not asserted.
func TestSlowConnections(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds and 2,000 connections")
	}
	g := startChild(t, 0)
	calm50, calm99 := echoLatency(t, g.tcp, 0)
	hello := (&frame.Hello{MinVersion: 1, MaxVersion: 1, Token: "slow"}).Append(nil)
	request := (&frame.Request{Seq: 1, Method: methodEcho, Args: make([]byte, 100)}).Append(nil)
	var slow []net.Conn
	for i := range 2000 {
		c := dialRaw(t, g.tcp)
		bytes := hello
		if i%2 == 1 {
			c.login(troupe.ID("player", int64(10_000+i)))
			bytes = request
		}
		_, _ = c.Write(bytes[:1])
		slow = append(slow, c.Conn)
	}
	stop := make(chan struct{})
	var trickling sync.WaitGroup
	trickling.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			at := 1 + n/100 // every connection once a second, 20 at a time
			for i := n % 100 * 20; i < n%100*20+20; i++ {
				bytes := hello
				if i%2 == 1 {
					bytes = request
				}
				_, _ = slow[i].Write(bytes[at : at+1])
			}
		}
	})
	busy50, busy99 := echoLatency(t, g.tcp, 100)
	close(stop)
	trickling.Wait()
	t.Logf("echo p50/p99: alone %v/%v, with 2,000 slow connections %v/%v", calm50, calm99, busy50, busy99)
}

// echoLatency returns percentiles over 20 clients that call 40 times, one call
// every 50 ms (the rate limit of a session).
func echoLatency(t *testing.T, addr string, base int64) (p50, p99 time.Duration) {
	var mu sync.Mutex
	var took []time.Duration
	var all sync.WaitGroup
	for i := range int64(20) {
		c := dialRaw(t, addr)
		c.login(troupe.ID("player", base+i))
		all.Go(func() {
			tick := time.NewTicker(50 * time.Millisecond)
			defer tick.Stop()
			for seq := range uint64(40) {
				<-tick.C
				begun := time.Now()
				r := frame.Request{Seq: seq + 1, Ack: seq, Method: methodEcho}
				if _, err := c.Write(r.Append(nil)); err != nil {
					t.Error(err)
					return
				}
				if _, err := c.r.Next(); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				took = append(took, time.Since(begun))
				mu.Unlock()
			}
		})
	}
	all.Wait()
	require.NotEmpty(t, took)
	slices.Sort(took)
	return took[len(took)/2], took[len(took)*99/100]
}
