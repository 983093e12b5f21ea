// SPDX-License-Identifier: MIT

package metastore

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memNet connects nodes in one process by name, with links that can be cut in
// one direction. Requests over a cut link disappear, like packets do.
type memNet struct {
	mu        sync.Mutex
	listeners map[string]*memListener
	nodes     map[string]*Node
	cut       map[[2]string]bool // from, to
	conns     map[[2]string][]net.Conn
}

func newMemNet() *memNet {
	return &memNet{
		listeners: map[string]*memListener{}, nodes: map[string]*Node{},
		cut: map[[2]string]bool{}, conns: map[[2]string][]net.Conn{},
	}
}

func (m *memNet) isCut(from, to string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.cut[[2]string{from, to}]
}

// set cuts or heals the link from a to b and breaks its streams.
func (m *memNet) set(from, to string, cut bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cut[[2]string{from, to}] = cut
	for _, k := range [][2]string{{from, to}, {to, from}} {
		for _, c := range m.conns[k] {
			_ = c.Close()
		}
		delete(m.conns, k)
	}
}

// isolate cuts or heals a node from all others, both ways.
func (m *memNet) isolate(node string, cut bool) {
	m.mu.Lock()
	names := make([]string, 0, len(m.listeners))
	for name := range m.listeners {
		names = append(names, name)
	}
	m.mu.Unlock()
	for _, other := range names {
		if other != node {
			m.set(node, other, cut)
			m.set(other, node, cut)
		}
	}
}

func (m *memNet) attach(name string, n *Node) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.nodes[name] = n
}

var errCut = errors.New("link is cut")

// memStream is the Stream of one node.
type memListener struct {
	m    *memNet
	name string
	ch   chan net.Conn
	done chan struct{}
	once sync.Once
}

func (m *memNet) stream(name string) *memListener {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := &memListener{m: m, name: name, ch: make(chan net.Conn), done: make(chan struct{})}
	m.listeners[name] = l
	return l
}

func (l *memListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.ch:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *memListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *memListener) Addr() net.Addr { return memAddr(l.name) }

type memAddr string

func (memAddr) Network() string  { return "mem" }
func (a memAddr) String() string { return string(a) }

func (l *memListener) Dial(ctx context.Context, addr string) (net.Conn, error) {
	l.m.mu.Lock()
	to := l.m.listeners[addr]
	cut := l.m.cut[[2]string{l.name, addr}] || l.m.cut[[2]string{addr, l.name}]
	l.m.mu.Unlock()
	if to == nil || cut {
		return nil, errCut
	}
	here, there := net.Pipe()
	select {
	case to.ch <- there:
	case <-to.done:
		return nil, errCut
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	l.m.mu.Lock()
	k := [2]string{l.name, addr}
	l.m.conns[k] = append(l.m.conns[k], here, there)
	l.m.mu.Unlock()
	return here, nil
}

// memPeers is the Peers of one node.
type memPeers struct {
	m    *memNet
	name string
}

func (p memPeers) Call(ctx context.Context, addr string, req []byte) ([]byte, error) {
	p.m.mu.Lock()
	n := p.m.nodes[addr]
	p.m.mu.Unlock()
	if n == nil {
		return nil, errCut
	}
	if p.m.isCut(p.name, addr) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	ans := n.Handle(ctx, Peer{Node: p.name}, append([]byte(nil), req...))
	if p.m.isCut(addr, p.name) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return ans, nil
}
