// SPDX-License-Identifier: MIT

package server

import (
	"context"
	"errors"
	"net"
	"sync"

	"github.com/troupe-go/troupe/orm"
)

// errUnplugged is what everything says after a kill.
var errUnplugged = errors.New("this node was killed")

// plug holds the connections of one node: to the other nodes, to clients and
// to the database. Pulling it is what a crash is to all others: the connections
// break and nothing more is written, without any farewell.
type plug struct {
	mu     sync.Mutex
	pulled bool
	open   map[interface{ Close() error }]struct{}
}

func newPlug() *plug { return &plug{open: make(map[interface{ Close() error }]struct{})} }

// pull ends everything at once, and for good.
func (p *plug) pull() {
	p.mu.Lock()
	p.pulled = true
	open := p.open
	p.open = nil
	p.mu.Unlock()
	for c := range open {
		if tcp, ok := c.(*pluggedConn); ok {
			tcp.reset()
			continue
		}
		_ = c.Close() // a listener
	}
}

func (p *plug) isPulled() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pulled
}

// track takes c in, or closes it when the plug is pulled.
func (p *plug) track(c interface{ Close() error }) error {
	p.mu.Lock()
	pulled := p.pulled
	if !pulled {
		p.open[c] = struct{}{}
	}
	p.mu.Unlock()
	if pulled {
		_ = c.Close() // as good as never made
		return errUnplugged
	}
	return nil
}

func (p *plug) forget(c interface{ Close() error }) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, c)
}

// Listen implements transport.Network.
func (p *plug) Listen(ctx context.Context, addr string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	pl := &pluggedListener{Listener: l, plug: p}
	return pl, p.track(pl)
}

// Dial implements transport.Network.
func (p *plug) Dial(ctx context.Context, addr string) (net.Conn, error) {
	if p.isPulled() {
		return nil, errUnplugged
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return p.wrap(c)
}

func (p *plug) wrap(c net.Conn) (net.Conn, error) {
	pc := &pluggedConn{TCPConn: c.(*net.TCPConn), plug: p}
	return pc, p.track(pc)
}

type pluggedListener struct {
	net.Listener
	plug *plug
}

func (l *pluggedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if pc, err := l.plug.wrap(c); err == nil {
			return pc, nil
		}
	}
}

func (l *pluggedListener) Close() error {
	l.plug.forget(l)
	return l.Listener.Close()
}

// pluggedConn keeps the methods of a TCP connection, which the transport and
// the gate use when they are there.
type pluggedConn struct {
	*net.TCPConn
	plug *plug
}

func (c *pluggedConn) Close() error {
	c.plug.forget(c)
	return c.TCPConn.Close()
}

// reset closes without sending what is buffered.
func (c *pluggedConn) reset() {
	_ = c.SetLinger(0) // both fail only on a connection that is closed already
	_ = c.TCPConn.Close()
}

// pluggedStore is the node's way to the database.
type pluggedStore struct {
	orm.Store
	plug *plug
}

// Save implements orm.Store.
func (s *pluggedStore) Save(ctx context.Context, groups []orm.Group) ([]orm.Outcome, error) {
	if s.plug.isPulled() {
		return nil, errUnplugged
	}
	return s.Store.Save(ctx, groups)
}
