// SPDX-License-Identifier: MIT

package troupe

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/troupe-go/troupe/internal/metastore"
	"github.com/troupe-go/troupe/internal/metastore/core"
	"github.com/troupe-go/troupe/transport"
)

// cluster is a node's part in a cluster: its connections, its copy of the
// metadata, and its session, the lease under which it hosts actors.
//
// When the session is lost, the node drops every activation without a word and
// opens a new one; see runSession.
type cluster struct {
	node *Node
	cfg  ClusterConfig
	log  *slog.Logger

	ep      *transport.Endpoint
	meta    *metastore.Node
	rpc     *metaRPC
	session atomic.Pointer[metastore.Session]
	byHash  map[uint32]*kind

	view     atomic.Pointer[view] // the members, as of the last change
	changed  chan struct{}        // capacity 1: the view is to be made anew
	watchers watchList

	claims   claimQueue
	releases releaseQueue
	topics   clusterTopics
	fences   fenceTable

	mu    sync.Mutex
	links map[uint64]*peerLink // by session
	held  []*cell              // waiting for the gate
	ended bool                 // no new goroutines

	buffers sync.Pool // of *frameBuffer

	refresh     sync.Mutex    // one refreshView at a time
	telling     chan struct{} // capacity 1: one Update of the session at a time
	incarnation uint64        // of the process, on the transport

	ctx      context.Context
	cancel   context.CancelFunc
	wg       sync.WaitGroup
	draining atomic.Bool
	leaving  atomic.Bool
	untold   atomic.Bool // an Update failed, and may be heard late
}

func newCluster(n *Node, cfg ClusterConfig) (*cluster, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	cl := &cluster{
		telling: make(chan struct{}, 1),
		node:    n, cfg: cfg, log: n.log,
		byHash:  make(map[uint32]*kind),
		links:   make(map[uint64]*peerLink),
		changed: make(chan struct{}, 1),
	}
	cl.claims.init(cl)
	cl.releases.init(cl)
	cl.topics.init(cl)
	cl.ctx, cl.cancel = context.WithCancel(context.Background())
	cl.view.Store(&view{})
	return cl, nil
}

// kindHash names a kind on the wire.
func kindHash(name string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return max(h.Sum32(), 1)
}

// addKind makes a kind reachable from other nodes.
func (cl *cluster) addKind(k *kind) error {
	k.hash = kindHash(k.name)
	if other := cl.byHash[k.hash]; other != nil {
		return fmt.Errorf("%w: kinds %q and %q have the same hash; rename one", ErrBadConfig, k.name, other.name)
	}
	cl.byHash[k.hash] = k
	k.clustered = k.class == classVirtual || k.class == classStub
	k.hosted.Store(!k.disabled && cl.hasRole(k))
	return nil
}

// start joins the cluster: it returns when the node has a session.
func (cl *cluster) start(ctx context.Context) error {
	for _, k := range cl.node.sortedKinds() {
		if err := cl.addKind(k); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, cl.cfg.StartTimeout)
	defer cancel()
	if err := cl.open(ctx); err != nil {
		return err
	}
	// In this order: a voter hears nothing before the others count it as one.
	if err := cl.join(ctx); err != nil {
		return err
	}
	if err := cl.meta.WaitReady(ctx); err != nil {
		return fmt.Errorf("%w: wait for the cluster: %w", ErrNoQuorum, err)
	}
	if err := cl.openSession(ctx); err != nil {
		return err
	}
	cl.wg.Go(cl.runSession)
	cl.wg.Go(cl.runView)
	cl.wg.Go(cl.claims.run)
	cl.wg.Go(cl.releases.run)
	cl.wg.Go(cl.runShards)
	cl.wg.Go(cl.topics.run)
	cl.wg.Go(cl.runRebalance)
	cl.wg.Go(cl.runSweep)
	return nil
}

// open starts the transport and the metadata store.
func (cl *cluster) open(ctx context.Context) error {
	cfg := cl.cfg
	roles := append([]string(nil), cfg.Roles...)
	if cfg.Voter {
		roles = append(roles, roleVoter)
	}
	var err error
	cl.incarnation = uint64(time.Now().UnixNano())
	tc := transport.Config{
		Self: transport.Peer{
			NodeID: cl.node.name, ClusterID: cfg.Name, Roles: roles, Addr: cfg.Advertise,
			Incarnation: cl.incarnation,
		},
		Listen: cfg.Listen, Credentials: cfg.Credentials, Dev: cfg.Dev,
		Services:      map[string][]string{"rpc": nil, "meta": nil, "raft": {roleVoter}},
		MaxFrameBytes: 2*cl.node.cfg.MaxMessageBytes + 64<<10,
		Logger:        cl.log,
	}
	if cfg.Transport != nil {
		tc = cfg.Transport(tc)
	}
	cl.ep, err = transport.New(tc)
	if err != nil {
		return err
	}
	if err := cl.openMeta(ctx); err != nil {
		return err // what is open is closed by close
	}
	if err := cl.ep.Start(cl); err != nil {
		return err
	}
	cl.rpc.start()
	return nil
}

func (cl *cluster) openMeta(ctx context.Context) error {
	cfg := cl.cfg
	metaLn, metaDial, err := cl.ep.Stream("meta")
	if err != nil {
		return err
	}
	raftLn, raftDial, err := cl.ep.Stream("raft")
	if err != nil {
		return err
	}
	cl.rpc = newMetaRPC(metaLn, metaDial, cl.log)
	mc := metastore.Config{
		ID: cl.node.name, Addr: cl.ep.Self().Addr, DataDir: cfg.DataDir, Voter: cfg.Voter,
		Peers: cl.rpc, TTL: cfg.TTL, Logger: cl.log, Clock: cfg.Clock, Seeds: cl.seeds(ctx), FindSeeds: cl.findSeeds,
		OnFatal: cl.onFatal, AuthorizeMember: authorizeMember, AuthorizeInfo: cl.authorizeInfo,
	}
	if cfg.Voter {
		mc.Stream = raftStream{raftLn, raftDial}
	}
	if len(cfg.Bootstrap) > 0 {
		b := &metastore.Bootstrap{Cluster: cfg.clusterID()}
		for _, s := range cfg.Bootstrap {
			b.Servers = append(b.Servers, metastore.Server{ID: s.Name, Addr: s.Addr})
		}
		mc.Bootstrap = b
	}
	cl.meta, err = metastore.Open(mc)
	if err != nil {
		return err
	}
	cl.rpc.handle = cl.meta.Handle
	cl.meta.Subscribe(cl.onChanges)
	return nil
}

// seeds returns the configured and discovered addresses.
func (cl *cluster) seeds(ctx context.Context) []string {
	seeds := append([]string(nil), cl.cfg.Join...)
	if cl.cfg.Discover != nil {
		found, err := cl.cfg.Discover(ctx)
		if err != nil {
			cl.log.Warn("troupe: discovery failed", "err", err)
		}
		seeds = append(seeds, found...)
	}
	return seeds
}

// findSeeds asks for addresses again: no known node answers.
func (cl *cluster) findSeeds(ctx context.Context) []string {
	if cl.cfg.Discover == nil {
		return nil
	}
	return cl.seeds(ctx)
}

// raftStream adapts the transport's stream service to the metadata store.
type raftStream struct {
	net.Listener
	dial transport.DialFunc
}

func (s raftStream) Dial(ctx context.Context, addr string) (net.Conn, error) {
	return s.dial(ctx, addr)
}

// join makes a voter that is not in the bootstrap list one.
func (cl *cluster) join(ctx context.Context) error {
	if !cl.cfg.Voter || len(cl.cfg.Bootstrap) > 0 {
		return nil
	}
	if err := cl.meta.Join(ctx); err != nil {
		return fmt.Errorf("join the cluster: %w", memberError(ctx, err))
	}
	return nil
}

func (cl *cluster) info() core.Info {
	info := core.Info{Roles: cl.cfg.Roles, Meta: appendMeta(nil, cl.load(), cl.incarnation)}
	for _, k := range cl.node.sortedKinds() {
		if k.hosted.Load() && k.clustered {
			info.Kinds = append(info.Kinds, k.name)
		}
	}
	return info
}

func (cl *cluster) openSession(ctx context.Context) error {
	s, err := cl.meta.OpenSession(ctx, cl.info())
	if err != nil {
		return fmt.Errorf("open session: %w", metaError(err))
	}
	cl.session.Store(s)
	cl.refreshView()
	return nil
}

// runSession opens a new session whenever the present one is lost. The old
// session's activations notice at their next message or timer, or are told.
func (cl *cluster) runSession() {
	ticker := time.NewTicker(heldPeriod)
	defer ticker.Stop()
	for {
		s := cl.session.Load()
		select {
		case <-cl.ctx.Done():
			return
		case <-ticker.C:
			cl.releaseHeld(s)
			continue
		case <-s.Done():
		}
		if cl.leaving.Load() {
			return
		}
		cl.log.Warn("troupe: session lost, dropping all activations", "session", s.Epoch())
		cl.fenceAll(s)
		for cl.ctx.Err() == nil {
			if err := cl.openSession(cl.ctx); err == nil {
				cl.topics.reannounce()
				break
			}
			cl.sleep(100 * time.Millisecond)
		}
		cl.releaseHeld(cl.session.Load())
	}
}

// spawn runs f on a goroutine that close waits for; after that it does nothing.
func (cl *cluster) spawn(f func()) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if !cl.ended {
		cl.wg.Go(f)
	}
}

// heldPeriod is how often cells that wait for the gate are looked at.
const heldPeriod = 50 * time.Millisecond

func (cl *cluster) sleep(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-cl.ctx.Done():
	}
}

// fenceAll ends the activations that s held. Messages they have not handled
// find the next owner.
func (cl *cluster) fenceAll(s *metastore.Session) {
	for _, k := range cl.node.sortedKinds() {
		if !k.clustered {
			continue
		}
		k.registry.each(func(c *cell) {
			c.pushSystem(func(c *cell) {
				if x := c.extra(); x.session == s {
					c.loseOwnership()
				}
			})
		})
	}
}

// hold keeps a cell waiting until the gate opens or the session is lost.
func (cl *cluster) hold(c *cell) {
	cl.mu.Lock()
	cl.held = append(cl.held, c)
	cl.mu.Unlock()
}

func (cl *cluster) releaseHeld(s *metastore.Session) {
	if s.Gate() == core.GateHold {
		return
	}
	cl.mu.Lock()
	held := cl.held
	cl.held = nil
	cl.mu.Unlock()
	for _, c := range held {
		c.pushSystem((*cell).unholdGate)
	}
}

func (cl *cluster) onFatal(err error) {
	cl.log.Error("troupe: metadata store failed, this node hosts nothing any more", "err", err)
	if cl.cfg.OnFatal != nil {
		cl.cfg.OnFatal(err)
	}
}

// stop leaves the cluster. Everything that could be handed over has been.
func (cl *cluster) stop(ctx context.Context) error {
	var err error
	cl.leaving.Store(true)
	if s := cl.session.Load(); s != nil && !cl.node.aborted.Load() {
		closing, cancel := context.WithTimeout(ctx, 2*time.Second)
		if e := s.Close(closing); e != nil && !errors.Is(e, metastore.ErrClosed) {
			err = fmt.Errorf("close session: %w", metaError(e))
		}
		cancel()
	}
	return errors.Join(err, cl.close())
}

// close ends all goroutines and connections.
func (cl *cluster) close() error {
	cl.cancel()
	var err error
	if cl.rpc != nil {
		cl.rpc.close()
	}
	if cl.meta != nil {
		err = cl.meta.Close()
	}
	if cl.ep != nil {
		err = errors.Join(err, cl.ep.Close())
	}
	cl.mu.Lock()
	cl.ended = true
	cl.mu.Unlock()
	cl.wg.Wait()
	return err
}

// metaError gives an error of the metadata store its public identity.
func metaError(err error) error {
	for _, m := range []struct{ from, to error }{
		{metastore.ErrNoQuorum, ErrNoQuorum},
		{metastore.ErrInDoubt, ErrNoQuorum},
		{metastore.ErrOverloaded, ErrBackpressure},
		{metastore.ErrClosed, ErrStopped},
		{metastore.ErrSessionLost, ErrLeaseLost},
		{metastore.ErrOwned, ErrLeaseHeld},
		{metastore.ErrStale, ErrLeaseLost},
		{metastore.ErrDraining, ErrStopped},
	} {
		if errors.Is(err, m.from) {
			return fmt.Errorf("%w: %w", m.to, err)
		}
	}
	return err
}
