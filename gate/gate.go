// SPDX-License-Identifier: MIT

package gate

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/troupe-go/troupe"
)

// A Gate carries sessions between clients and the cluster. Make one with New,
// give it listeners with ServeTCP and ServeWebSocket, and end it with Drain
// and Stop. All methods may be called from any goroutine.
type Gate struct {
	cfg     Config
	log     *slog.Logger
	metrics Metrics

	// ctx ends with Stop; every backend call and hook runs under it.
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup // every goroutine the gate started

	draining atomic.Bool
	stopped  atomic.Bool
	open     atomic.Int64 // accepted connections
	pending  atomic.Int64 // connections that have not logged in
	inflight atomic.Int64 // requests in the backend
	expected atomic.Int64 // len(arriving), to look without the lock
	writers  writerPool

	ips    ipTable
	fences fenceTable

	// mu guards the tables below. It is never held together with a session's
	// lock, nor while calling out.
	mu        sync.RWMutex
	sessions  map[uint64]*session
	players   map[troupe.Ref]*session // the current session of each player
	moved     map[uint64]movedTo      // where released sessions went
	arriving  map[uint64]*arrival     // sessions being fetched
	listeners map[*limitedListener]struct{}
	conns     map[transport]struct{} // every open connection, for Stop
}

// New returns a gate that serves nothing yet. It starts one goroutine, which
// ends with Stop.
func New(cfg Config) (*Gate, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	g := &Gate{
		cfg:       cfg,
		log:       cfg.Logger.With("gate", cfg.Name),
		metrics:   cfg.Metrics,
		sessions:  make(map[uint64]*session),
		players:   make(map[troupe.Ref]*session),
		moved:     make(map[uint64]movedTo),
		listeners: make(map[*limitedListener]struct{}),
		conns:     make(map[transport]struct{}),
	}
	g.writers.init(g)
	if g.cfg.Authenticate == nil {
		g.cfg.Authenticate = g.verifyLogin
	}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	g.wg.Go(g.runUpkeep)
	return g, nil
}

// Name returns the gate's name.
func (g *Gate) Name() string { return g.cfg.Name }

// Info returns the gate's description with its present load.
func (g *Gate) Info() Info {
	return Info{
		Name: g.cfg.Name, TCP: g.cfg.TCPAddr, WebSocket: g.cfg.WebSocketURL,
		Sessions: int32(g.Sessions()), Draining: g.draining.Load() || g.stopped.Load(),
	}
}

// Sessions returns the number of sessions, connected or waiting for a resume.
func (g *Gate) Sessions() int {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return len(g.sessions)
}

// Stop ends every session and connection, and waits for every goroutine of the
// gate or for ctx. Clients are told to come back later. Call Drain first to
// move them to other gates instead. Further calls do nothing.
func (g *Gate) Stop(ctx context.Context) error {
	first := g.stopped.CompareAndSwap(false, true)
	for _, l := range g.openListeners() {
		_ = l.Close()
	}
	if first {
		g.announce()
		for _, s := range g.snapshot() {
			s.end(goodbyeShutdown)
		}
		g.cancel()
		g.writers.end()
	}
	return g.awaitGoroutines(ctx)
}

// awaitGoroutines gives connections Linger to flush their goodbyes, then cuts
// them.
func (g *Gate) awaitGoroutines(ctx context.Context) error {
	done := make(chan struct{})
	go func() { g.wg.Wait(); close(done) }()
	linger := time.NewTimer(2 * g.cfg.Timeouts.Linger)
	defer linger.Stop()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	case <-linger.C:
	}
	for _, c := range g.openConns() {
		_ = c.Close()
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *Gate) openListeners() (all []*limitedListener) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for l := range g.listeners {
		all = append(all, l)
	}
	return all
}

func (g *Gate) openConns() (all []transport) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := range g.conns {
		all = append(all, c)
	}
	return all
}

// snapshot returns all sessions.
func (g *Gate) snapshot() []*session {
	g.mu.RLock()
	defer g.mu.RUnlock()
	all := make([]*session, 0, len(g.sessions))
	for _, s := range g.sessions {
		all = append(all, s)
	}
	return all
}

// find returns the session with that number, or nil.
func (g *Gate) find(id uint64) *session {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.sessions[id]
}

// runUpkeep does what is due now and then, for all sessions together, so that
// a session costs no timer.
func (g *Gate) runUpkeep() {
	g.announce()
	tick := time.NewTicker(infoInterval)
	defer tick.Stop()
	for {
		select {
		case <-g.ctx.Done():
			return
		case now := <-tick.C:
			for _, s := range g.snapshot() {
				s.upkeep(now)
			}
			g.forgetMoved(now)
			g.announce()
			g.ips.forget(now, g.cfg.Limits)
		}
	}
}

// announce tells other nodes about this gate.
func (g *Gate) announce() {
	if g.cfg.announce != nil {
		g.cfg.announce(g.Info())
	}
}

// newSessionID returns a random number other than zero.
func newSessionID() uint64 {
	var b [8]byte
	for {
		_, _ = rand.Read(b[:]) // never fails, see crypto/rand
		if id := binary.LittleEndian.Uint64(b[:]); id != 0 {
			return id
		}
	}
}

// enter counts the calling goroutine among those that Stop waits for, until
// wg.Done. It reports false after Stop.
func (g *Gate) enter() bool {
	g.mu.RLock() // Stop takes the lock after it has set stopped and before it waits
	defer g.mu.RUnlock()
	if g.stopped.Load() {
		return false
	}
	g.wg.Add(1)
	return true
}

// goUnlessStopped runs f on a goroutine of the gate.
func (g *Gate) goUnlessStopped(f func()) {
	if g.enter() {
		go func() {
			defer g.wg.Done()
			f()
		}()
	}
}

// track and untrack keep the table of open connections. track reports false
// after Stop.
func (g *Gate) track(c transport) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped.Load() {
		return false
	}
	g.conns[c] = struct{}{}
	return true
}

func (g *Gate) untrack(c transport) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.conns, c)
}

// remoteIP returns the address that per-IP limits count, without the port.
func remoteIP(addr net.Addr) string {
	host, _, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String()
	}
	ip := net.ParseIP(host)
	if ip == nil || ip.To4() != nil {
		return host
	}
	return ip.Mask(net.CIDRMask(64, 128)).String()
}
