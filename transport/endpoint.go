// SPDX-License-Identifier: MIT

package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Endpoint is the Transport over byte-stream connections. Make it with New.
//
// Goroutines: one accepts, one keeps (pings, timeouts, expiry), one per
// incoming handshake, one per lane that is dialing, and a reader and a writer
// per connection. All end before Close returns.
type Endpoint struct {
	cfg  Config
	net  Network
	self Peer
	ln   net.Listener // nil when dialing only

	ctx    context.Context // ends when Close begins to cut
	cancel context.CancelFunc
	wg     sync.WaitGroup

	handler  Handler // set by Start
	started  atomic.Bool
	pending  chan struct{} // one token per handshake under way
	warnedAt time.Time     // owned by the keeper
	segments sync.Pool     // *segment, shared by all queues

	life    sync.Mutex // guards stopped; taken last
	stopped bool       // no new goroutines

	mu      sync.Mutex       // guards what follows; taken before a lane's lock
	closed  bool             // no new links
	links   map[string]*link // by node id
	streams map[string]*streamListener
	opening map[net.Conn]struct{} // incoming, in the handshake
}

// New checks the configuration and listens. Nothing is accepted before Start.
// It fails with ErrInsecure when connections would be plaintext outside of dev
// mode or off loopback, and with ErrIdentity when the certificate is not for
// Config.Self.
func New(cfg Config) (*Endpoint, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	e := &Endpoint{
		cfg: cfg, net: cfg.Network, self: cfg.Self,
		pending: make(chan struct{}, cfg.MaxHandshakes),
		links:   make(map[string]*link),
		streams: make(map[string]*streamListener),
		opening: make(map[net.Conn]struct{}),
	}
	if e.net == nil {
		e.net = &TCP{UserTimeout: cfg.IdleTimeout}
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	if cfg.Listen == "" {
		if err := e.checkPlaintext("localhost:0"); err != nil {
			return nil, err
		}
		return e, nil
	}
	if err := e.checkPlaintext(cfg.Listen); err != nil {
		return nil, err
	}
	if host, _, err := net.SplitHostPort(cfg.Listen); err == nil && cfg.Self.Addr == "" {
		if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
			return nil, fmt.Errorf("transport: Config.Self.Addr: must be set when listening on all interfaces (%q)", cfg.Listen)
		}
	}
	ln, err := e.net.Listen(e.ctx, cfg.Listen)
	if err != nil {
		e.cancel()
		return nil, fmt.Errorf("transport: listen: %w", err)
	}
	e.ln = ln
	if e.self.Addr == "" {
		e.self.Addr = ln.Addr().String()
	}
	return e, nil
}

// checkPlaintext refuses plaintext outside of dev mode or off loopback.
func (e *Endpoint) checkPlaintext(addr string) error {
	if e.cfg.Credentials != nil {
		return nil
	}
	if n, ok := e.net.(interface{ InProcess() bool }); ok && n.InProcess() {
		return nil
	}
	if !e.cfg.Dev {
		return fmt.Errorf("%w: no Credentials", ErrInsecure)
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("transport: address %q: %w", addr, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("%w: %q is not loopback", ErrInsecure, addr)
	}
	return nil
}

// Self implements Transport.
func (e *Endpoint) Self() Peer { return e.self }

// Start implements Transport.
func (e *Endpoint) Start(h Handler) error {
	if h == nil {
		return errors.New("transport: Start without a handler")
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return ErrClosed
	}
	if e.handler != nil {
		return errors.New("transport: started twice")
	}
	e.handler = h
	e.started.Store(true)
	e.wg.Add(1)
	go e.runKeeper()
	if e.ln != nil {
		e.wg.Add(1)
		go e.runAccept()
	}
	return nil
}

func (e *Endpoint) handlerOrNil() Handler {
	if !e.started.Load() {
		return nil
	}
	return e.handler
}

// spawn reserves the right to start one goroutine, which must call wg.Done.
// The caller may hold any lock.
func (e *Endpoint) spawn() bool {
	e.life.Lock()
	defer e.life.Unlock()
	if e.stopped {
		return false
	}
	e.wg.Add(1)
	return true
}

// Connect implements Transport.
func (e *Endpoint) Connect(to Peer) (Link, error) {
	if to.ClusterID == "" {
		to.ClusterID = e.self.ClusterID
	}
	check := to
	check.Incarnation = max(check.Incarnation, 1)
	if err := check.Validate(); err != nil {
		return nil, err
	}
	if to.NodeID == e.self.NodeID {
		return nil, fmt.Errorf("%w: connect to itself", ErrWrongPeer)
	}
	if !e.started.Load() {
		return nil, errors.New("transport: Connect before Start")
	}
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil, ErrClosed
	}
	old := e.links[to.NodeID]
	if old != nil {
		cur := old.Peer()
		if to.Incarnation == 0 || cur.Incarnation == 0 || cur.Incarnation == to.Incarnation {
			if cur.Incarnation == 0 || cur.Addr == "" {
				cur.Incarnation = max(cur.Incarnation, to.Incarnation)
				if to.Addr != "" {
					cur.Addr = to.Addr
				}
				old.peer.Store(&cur)
			}
			e.mu.Unlock()
			return old, nil
		}
		if cur.Incarnation > to.Incarnation && old.live() {
			e.mu.Unlock()
			return nil, fmt.Errorf("%w: %v is connected, wanted %v", ErrSuperseded, cur, to)
		}
	}
	l := newLink(e, to)
	e.links[to.NodeID] = l
	e.mu.Unlock()
	if old != nil {
		old.Close(ErrSuperseded)
	}
	return l, nil
}

// bind fixes the identity of a link after it was proven.
func (e *Endpoint) bind(l *link, p Peer) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	cur := l.Peer()
	if cur.Incarnation != 0 && cur.Incarnation != p.Incarnation {
		return fmt.Errorf("%w: %v is now %v", ErrSuperseded, cur, p)
	}
	if cur.Addr != "" {
		p.Addr = cur.Addr // what we were told to dial works for us
	}
	l.peer.Store(&p)
	return nil
}

// inboundLink returns the link for a peer that dialed us.
func (e *Endpoint) inboundLink(p Peer) (*link, error) {
	for {
		e.mu.Lock()
		if e.closed {
			e.mu.Unlock()
			return nil, ErrClosed
		}
		l := e.links[p.NodeID]
		if l == nil {
			l = newLink(e, p)
			e.links[p.NodeID] = l
		}
		e.mu.Unlock()
		if e.bind(l, p) == nil {
			return l, nil
		}
		if err := e.cfg.Admit(l.Peer(), p, l.live()); err != nil {
			return nil, err
		}
		l.Close(fmt.Errorf("%w: by %v", ErrSuperseded, p))
	}
}

// forget takes a link out of the table.
func (e *Endpoint) forget(l *link) {
	id := l.Peer().NodeID
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.links[id] == l {
		delete(e.links, id)
	}
}

func (e *Endpoint) allLinks() []*link {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := make([]*link, 0, len(e.links))
	for _, l := range e.links {
		all = append(all, l)
	}
	return all
}

// runKeeper watches over connections, links and the certificate.
func (e *Endpoint) runKeeper() {
	defer e.wg.Done()
	t := time.NewTicker(max(min(e.cfg.PingEvery, e.cfg.UnreachableAfter)/2, time.Millisecond))
	defer t.Stop()
	for {
		select {
		case now := <-t.C:
			for _, l := range e.allLinks() {
				l.tick(now)
			}
			e.warnExpiry(now)
		case <-e.ctx.Done():
			return
		}
	}
}

func (e *Endpoint) warnExpiry(now time.Time) {
	c := e.cfg.Credentials
	if c == nil || e.cfg.OnCertExpiring == nil || (!e.warnedAt.IsZero() && now.Sub(e.warnedAt) < time.Hour) {
		return
	}
	if end := c.NotAfter(); end.Sub(now) < e.cfg.CertWarning {
		e.warnedAt = now
		e.cfg.OnCertExpiring(end)
	}
}

// Close implements Transport.
func (e *Endpoint) Close() error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		e.wg.Wait()
		return nil
	}
	e.closed = true
	e.mu.Unlock()
	if e.ln != nil {
		_ = e.ln.Close()
	}
	all := e.allLinks()
	e.flush(all)
	for _, l := range all {
		l.Close(ErrClosed)
	}
	e.life.Lock()
	e.stopped = true
	e.life.Unlock()
	e.mu.Lock()
	for nc := range e.opening {
		_ = nc.Close()
	}
	streams := e.streams
	e.streams = nil
	e.mu.Unlock()
	e.cancel()
	for _, s := range streams {
		_ = s.Close()
	}
	e.wg.Wait()
	for _, l := range all {
		for _, ln := range l.lanes {
			ln.delivering.Lock()   // a late delivery may be under way
			ln.delivering.Unlock() //nolint:staticcheck // the lock is the wait
		}
	}
	return nil
}

// flush waits until the connections that are up have written everything.
func (e *Endpoint) flush(all []*link) {
	ctx, cancel := context.WithTimeout(context.Background(), e.cfg.CloseTimeout)
	defer cancel()
	for _, l := range all {
		for _, ln := range l.lanes {
			_ = ln.waitUntil(ctx, func() bool { return ln.conn == nil || ln.q.empty() })
		}
	}
}
