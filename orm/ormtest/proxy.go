// SPDX-License-Identifier: MIT

package ormtest

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Proxy stands between a store and its server and breaks the connection in the
// ways that networks do.
type Proxy struct {
	target string
	ln     net.Listener
	wg     sync.WaitGroup

	down    atomic.Bool
	delay   atomic.Int64 // nanoseconds, before each reply
	swallow atomic.Int64 // replies until one is swallowed; 0: none

	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

// NewProxy listens on loopback for connections to target ("host:port").
func NewProxy(t *testing.T, target string) *Proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{target: target, ln: ln, conns: make(map[net.Conn]struct{})}
	p.wg.Add(1)
	go p.accept()
	t.Cleanup(func() {
		_ = ln.Close()
		p.Cut()
		p.wg.Wait()
	})
	return p
}

// Addr is what to connect to instead of the target.
func (p *Proxy) Addr() string { return p.ln.Addr().String() }

// Down refuses connections and cuts the present ones, or lets them through
// again.
func (p *Proxy) Down(down bool) {
	p.down.Store(down)
	if down {
		p.Cut()
	}
}

// Delay holds every reply back for d.
func (p *Proxy) Delay(d time.Duration) { p.delay.Store(int64(d)) }

// Swallow lets n-1 replies pass and cuts the connection of the n-th instead of
// delivering it: the server has done its work, the client never hears of it.
func (p *Proxy) Swallow(n int) { p.swallow.Store(int64(n)) }

// Cut breaks all connections.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

func (p *Proxy) accept() {
	defer p.wg.Done()
	for {
		client, err := p.ln.Accept()
		if err != nil {
			return
		}
		if p.down.Load() {
			_ = client.Close()
			continue
		}
		p.wg.Add(1)
		go p.serve(client)
	}
}

func (p *Proxy) serve(client net.Conn) {
	defer p.wg.Done()
	defer client.Close() // broken on purpose
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close() // broken on purpose
	p.track(client, true)
	p.track(server, true)
	defer p.track(client, false)
	defer p.track(server, false)
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.pump(server, client, false)
	}()
	p.pump(client, server, true)
	<-done
}

func (p *Proxy) track(c net.Conn, add bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if add {
		p.conns[c] = struct{}{}
	} else {
		delete(p.conns, c)
	}
}

// pump copies from src to dst until one of them breaks, then breaks both.
func (p *Proxy) pump(dst, src net.Conn, replies bool) {
	defer dst.Close() // see above
	defer src.Close() // see above
	buf := make([]byte, 64<<10)
	for {
		n, err := src.Read(buf)
		if replies && n > 0 {
			if d := p.delay.Load(); d > 0 {
				<-time.After(time.Duration(d))
			}
			if p.swallow.Load() > 0 && p.swallow.Add(-1) == 0 {
				return
			}
		}
		if n > 0 {
			if _, err := dst.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
