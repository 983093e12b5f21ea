// SPDX-License-Identifier: MIT

// Package memory is a transport.Network inside one process, with faults.
//
// Endpoints on it run the same code as over TCP: handshake, queues, chunks,
// reconnects. Only the bytes travel through memory, so a whole cluster fits in
// a test, and inside a testing/synctest bubble time is virtual.
//
// Connections behave like TCP: bytes are delayed or held up, never lost, until
// the connection is reset. Frames can also be dropped, duplicated and
// reordered one by one. Random choices come from one seed and, per pair of
// hosts, in the order of the frames; what the scheduler interleaves is not
// reproducible.
package memory

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/troupe-go/troupe/transport"
)

// Faults is what goes wrong from one host to another. Zero means nothing.
type Faults struct {
	// Delay and up to Jitter more pass before bytes arrive, in order.
	Delay, Jitter time.Duration

	// Drop, Duplicate and Reorder are the probabilities that a frame is lost,
	// arrives twice, or arrives up to ReorderBy late, after frames sent later.
	Drop, Duplicate, Reorder float64

	// ReorderBy defaults to 10 ms.
	ReorderBy time.Duration
}

// Network connects hosts by name. Its methods are safe for concurrent use.
type Network struct {
	seed uint64

	mu        sync.Mutex
	listeners map[string]*listener
	conns     map[*conn]struct{}
	links     map[route]*linkState
	all       Faults
	changed   chan struct{} // closed and replaced when a cut heals or a listener comes
}

// route is one direction between two hosts.
type route struct{ from, to string }

type linkState struct {
	faults *Faults // nil: those of the network
	cut    bool
	rng    *rand.Rand
}

// New returns an empty network.
func New(seed uint64) *Network {
	return &Network{
		seed:      seed,
		listeners: make(map[string]*listener),
		conns:     make(map[*conn]struct{}),
		links:     make(map[route]*linkState),
		changed:   make(chan struct{}),
	}
}

// Seed is the seed of the random choices, for failure messages.
func (n *Network) Seed() uint64 { return n.seed }

// Config returns cfg set up for a host of this network: the name is the
// address to listen on and to dial.
func (n *Network) Config(host string, cfg transport.Config) transport.Config {
	cfg.Network = n.Host(host)
	cfg.Intercept = interceptor{n}
	cfg.Listen = host
	cfg.Self.Addr = host
	if cfg.Jitter == nil {
		var mu sync.Mutex
		rng := n.rngFor(route{host, "jitter"})
		cfg.Jitter = func() float64 {
			mu.Lock()
			defer mu.Unlock()
			return rng.Float64()
		}
	}
	return cfg
}

// Host returns the network as one host sees it.
func (n *Network) Host(name string) transport.Network { return &host{net: n, name: name} }

func (n *Network) rngFor(r route) *rand.Rand {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%s\x00%s", r.from, r.to)
	return rand.New(rand.NewPCG(n.seed, h.Sum64()))
}

func (n *Network) linkLocked(r route) *linkState {
	l := n.links[r]
	if l == nil {
		l = &linkState{rng: n.rngFor(r)}
		n.links[r] = l
	}
	return l
}

func (n *Network) broadcastLocked() {
	close(n.changed)
	n.changed = make(chan struct{})
	for c := range n.conns {
		c.in.poke()
		c.out.poke()
	}
}

// SetAll sets the faults of every pair of hosts that has none of its own.
func (n *Network) SetAll(f Faults) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = f
}

// Set sets the faults in one direction.
func (n *Network) Set(from, to string, f Faults) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.linkLocked(route{from, to}).faults = &f
}

// Cut stops everything in one direction: bytes wait until Heal, dialing in
// either direction hangs.
func (n *Network) Cut(from, to string) { n.setCut(true, route{from, to}) }

// CutBoth is Cut in both directions.
func (n *Network) CutBoth(a, b string) { n.setCut(true, route{a, b}, route{b, a}) }

// Heal undoes Cut in one direction.
func (n *Network) Heal(from, to string) { n.setCut(false, route{from, to}) }

func (n *Network) setCut(cut bool, routes ...route) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, r := range routes {
		n.linkLocked(r).cut = cut
	}
	n.broadcastLocked()
}

// Partition cuts all hosts of one group off those of the others, both ways.
// Hosts in no group are not touched.
func (n *Network) Partition(groups ...[]string) {
	var routes []route
	for i, g := range groups {
		for j, h := range groups {
			if i == j {
				continue
			}
			for _, a := range g {
				for _, b := range h {
					routes = append(routes, route{a, b})
				}
			}
		}
	}
	n.setCut(true, routes...)
}

// HealAll undoes every cut. Faults stay.
func (n *Network) HealAll() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.links {
		l.cut = false
	}
	n.broadcastLocked()
}

// Reset breaks the connections between two hosts, as an RST would.
func (n *Network) Reset(a, b string) {
	n.resetIf(func(c *conn) bool {
		return c.route == route{a, b} || c.route == route{b, a}
	})
}

// Kill breaks all connections of a host and stops its listener, as the death
// of its process would. Closing its Endpoint is still up to the test.
func (n *Network) Kill(name string) {
	n.mu.Lock()
	l := n.listeners[name]
	n.mu.Unlock()
	if l != nil {
		_ = l.Close()
	}
	n.resetIf(func(c *conn) bool { return c.route.from == name || c.route.to == name })
}

func (n *Network) resetIf(match func(*conn) bool) {
	n.mu.Lock()
	var hit []*conn
	for c := range n.conns {
		if match(c) {
			hit = append(hit, c)
		}
	}
	n.mu.Unlock()
	for _, c := range hit {
		c.reset()
	}
}

func (n *Network) isCut(r route) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.links[r]
	return l != nil && l.cut
}

// delay draws how long bytes sent now travel.
func (n *Network) delay(r route) time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.linkLocked(r)
	f := n.faultsLocked(l)
	d := f.Delay
	if f.Jitter > 0 {
		d += time.Duration(l.rng.Int64N(int64(f.Jitter)))
	}
	return d
}

func (n *Network) faultsLocked(l *linkState) Faults {
	if l.faults != nil {
		return *l.faults
	}
	return n.all
}

// host is a Network with a name.
type host struct {
	net  *Network
	name string
}

// InProcess tells the endpoint that plaintext is fine here.
func (h *host) InProcess() bool { return true }

// Listen implements transport.Network. addr must be the host's name.
func (h *host) Listen(_ context.Context, addr string) (net.Listener, error) {
	if addr != h.name {
		return nil, fmt.Errorf("memory: host %q cannot listen on %q", h.name, addr)
	}
	n := h.net
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listeners[addr] != nil {
		return nil, fmt.Errorf("memory: address %q is in use", addr)
	}
	l := &listener{net: n, addr: address(addr), queue: make(chan net.Conn, 128), done: make(chan struct{})}
	n.listeners[addr] = l
	n.broadcastLocked()
	return l, nil
}

var errRefused = errors.New("memory: connection refused")

// Dial implements transport.Network. It hangs while either direction is cut.
func (h *host) Dial(ctx context.Context, addr string) (net.Conn, error) {
	n := h.net
	there, back := route{h.name, addr}, route{addr, h.name}
	if err := sleep(ctx, n.delay(there)+n.delay(back)); err != nil {
		return nil, err
	}
	for {
		n.mu.Lock()
		if !n.linkLocked(there).cut && !n.linkLocked(back).cut {
			break
		}
		changed := n.changed
		n.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	defer n.mu.Unlock()
	l := n.listeners[addr]
	if l == nil {
		return nil, errRefused
	}
	a, b := n.pairLocked(there)
	select {
	case l.queue <- b:
		return a, nil
	default:
		delete(n.conns, a)
		delete(n.conns, b)
		return nil, errRefused
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// listener implements net.Listener.
type listener struct {
	net   *Network
	addr  address
	queue chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.queue:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() {
		l.net.mu.Lock()
		if l.net.listeners[string(l.addr)] == l {
			delete(l.net.listeners, string(l.addr))
		}
		l.net.mu.Unlock()
		close(l.done)
		for {
			select {
			case c := <-l.queue:
				_ = c.Close()
				continue
			default:
			}
			return
		}
	})
	return nil
}

func (l *listener) Addr() net.Addr { return l.addr }

type address string

func (address) Network() string  { return "memory" }
func (a address) String() string { return string(a) }
