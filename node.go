// SPDX-License-Identifier: MIT

package troupe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/troupe-go/troupe/internal/metastore/core"
	"github.com/troupe-go/troupe/internal/mpsc"
)

// Node is one process's place for actors, and the only thing that has to be
// wired up: New, Register, Start, Stop. Several nodes can live in one process;
// nothing is shared between them.
//
// Send, Call, Spawn and the typed references may be used by any goroutine.
type Node struct {
	cfg     Config
	name    string
	log     *slog.Logger
	metrics Metrics
	begin   time.Time // zero of node time; keeps its monotonic reading

	kinds    map[string]*kind // written before Start only
	services map[reflect.Type]any

	segments *mpsc.Pool[envelope]
	turns    sync.Pool // of *turn, for turns on callers' goroutines
	sched    scheduler
	sampler  sampler
	calls    *callTable
	timers   *nodeTimers
	topics   topicTable
	offTurn  offTurnWork
	leases   localLeases

	nextLocal atomic.Int64
	lastEpoch atomic.Uint64
	state     atomic.Uint32
	draining  atomic.Bool   // nothing new from outside
	stopping  atomic.Bool   // nothing new at all
	aborted   atomic.Bool   // nothing is saved any more
	ended     *innerContext // takes the place of a turn's context after the turn
	base      context.Context
	cancel    context.CancelFunc
	mu        sync.Mutex // serializes Register, Start, Stop
	stopped   chan struct{}

	cluster *cluster // nil: a node by itself
}

// The states of a node, in this order.
const (
	nodeNew uint32 = iota
	nodeRunning
	nodeStopping
	nodeStopped
)

// New returns a node that is not running. It starts nothing.
func New(cfg Config) (*Node, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	n := &Node{
		cfg: cfg, name: cfg.Name, metrics: cfg.Metrics,
		log:      cfg.Logger.With("node", cfg.Name),
		begin:    time.Now(),
		kinds:    make(map[string]*kind),
		services: make(map[reflect.Type]any),
		segments: mpsc.NewPool[envelope](segmentsKept),
		stopped:  make(chan struct{}),
	}
	n.turns.New = func() any { return new(turn) }
	n.base, n.cancel = context.WithCancel(context.Background())
	n.ended = &innerContext{}
	n.ended.Context, n.ended.cancel = context.WithCancel(context.Background())
	n.ended.cancel()
	n.sched = scheduler{node: n, maxParked: cfg.MaxParked}
	_, off := cfg.Metrics.(noMetrics)
	n.sampler = sampler{on: !off, now: func() time.Duration { return time.Duration(n.now()) }}
	n.calls = newCallTable(n.now, cfg.CallTimeout)
	n.timers = newNodeTimers(n)
	n.topics.init(n)
	if cfg.Cluster != nil {
		if n.cluster, err = newCluster(n, *cfg.Cluster); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// segmentsKept is how many free mailbox segments a node keeps, 4 KiB each.
const segmentsKept = 1024

// now returns the node time: monotonic nanoseconds since New.
func (n *Node) now() int64 { return int64(time.Since(n.begin)) }

// Name returns Config.Name.
func (n *Node) Name() string { return n.name }

// Logger returns the node's logger.
func (n *Node) Logger() *slog.Logger { return n.log }

func (n *Node) callerOf() (*Node, *cell) { return n, nil }

// Register makes kinds known. It must be called before Start, so that a node
// never refuses a message for a kind that it will have a moment later. On an
// error none of the kinds is registered.
func (n *Node) Register(kinds ...Kind) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.state.Load() != nodeNew {
		return fmt.Errorf("register: %w", ErrStarted)
	}
	added := make(map[string]*kind)
	for _, k := range kinds {
		if _, ok := n.kinds[k.name]; ok || added[k.name] != nil {
			return fmt.Errorf("%w: %q", ErrDuplicateKind, k.name)
		}
		kd, err := newKindOf(n, k)
		if err != nil {
			return err
		}
		added[k.name] = kd
	}
	for name, kd := range added {
		n.kinds[name] = kd
	}
	return nil
}

// Start brings the node to life: timers, pools, and the shards of stubs. It
// returns when messages can be handled, or with an error after everything that
// was started has been stopped again. ctx bounds the start only.
func (n *Node) Start(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.state.CompareAndSwap(nodeNew, nodeRunning) {
		return fmt.Errorf("start: %w", ErrStarted)
	}
	go n.calls.run()
	n.timers.start()
	err := n.startCluster(ctx)
	if err == nil {
		err = n.startKinds(ctx)
	}
	if err != nil {
		err = errors.Join(err, n.stopLocked(ctx))
		return fmt.Errorf("start node %q: %w", n.name, err)
	}
	return nil
}

// sortedKinds returns the kinds in the order of their names.
func (n *Node) sortedKinds() []*kind {
	kinds := make([]*kind, 0, len(n.kinds))
	for _, k := range n.kinds {
		kinds = append(kinds, k)
	}
	sort.Slice(kinds, func(i, j int) bool { return kinds[i].name < kinds[j].name })
	return kinds
}

func (n *Node) startKinds(ctx context.Context) error {
	for _, k := range n.sortedKinds() {
		switch k.class {
		case classPool:
			k.startPool()
		case classStub:
			if k.clustered {
				continue // runShards brings them up wherever they belong
			}
			if err := k.startShards(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// Stop ends the node gracefully: messages from outside are refused with
// ErrStopped from now on, actors handle what is queued and what they send each
// other meanwhile, then every actor is deactivated, which flushes its
// documents. If ctx ends first, the rest is cut short: queued messages are
// refused and the error says so. Stop may be called more than once, from any
// goroutine but not from a handler; all calls return when the node is stopped.
func (n *Node) Stop(ctx context.Context) error {
	n.draining.Store(true)
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.stopLocked(ctx)
}

func (n *Node) stopLocked(ctx context.Context) error {
	switch n.state.Load() {
	case nodeNew:
		n.state.Store(nodeStopped)
		n.stopping.Store(true)
		n.cancel()
		close(n.stopped)
		return nil
	case nodeStopped:
		return nil
	}
	n.draining.Store(true)
	n.state.Store(nodeStopping)
	var err error
	if n.cluster != nil {
		err = n.leaveCluster(ctx)
	} else {
		err = n.drain(ctx)
	}
	n.timers.stop()
	n.stopping.Store(true)
	if e := n.stopCells(ctx); err == nil {
		err = e
	}
	n.cancel()
	n.calls.endAll()
	close(n.calls.stop)
	<-n.calls.done
	err = errors.Join(err, n.offTurn.close(ctx))
	n.leases.endAll()
	if n.cluster != nil {
		err = errors.Join(err, n.cluster.stop(ctx))
	}
	n.sched.close()
	if e := n.sched.wait(ctx); err == nil {
		err = e
	}
	n.state.Store(nodeStopped)
	close(n.stopped)
	return err
}

// drain waits until no actor has anything to do.
func (n *Node) drain(ctx context.Context) error {
	for {
		select {
		case <-n.sched.waitQuiet():
			return nil
		case <-ctx.Done():
			return fmt.Errorf("stop node %q: actors were still busy: %w", n.name, ctx.Err())
		}
	}
}

// stopCells stops all actors and waits for them.
func (n *Node) stopCells(ctx context.Context) error {
	var all sync.WaitGroup
	for _, k := range n.sortedKinds() {
		k.registry.each(func(c *cell) {
			all.Add(1)
			c.stopThen(nil, all.Done)
		})
	}
	gone := make(chan struct{})
	go func() {
		all.Wait()
		close(gone)
	}()
	select {
	case <-gone:
		return nil
	case <-ctx.Done():
	}
	// Out of patience: contexts end, calls end, handlers that listen to
	// neither are left behind.
	n.cancel()
	n.calls.endAll()
	select {
	case <-gone:
	case <-time.After(stopGrace):
	}
	return fmt.Errorf("stop node %q: %w", n.name, ctx.Err())
}

// stopGrace is how long handlers get to notice that their context ended.
const stopGrace = 100 * time.Millisecond

// admit refuses messages that the node does not take in its present state: late
// ones, such as those of actors, are taken while it drains.
func (n *Node) admit(late bool) error {
	if !late && n.draining.Load() || n.stopping.Load() || n.state.Load() == nodeNew {
		return ErrStopped
	}
	return nil
}

func (n *Node) kindOf(name string) *kind { return n.kinds[name] }

// Provide gives the actors of a node something to find with Service: a
// database, a configuration. Call it before Start; a second value of the same
// type replaces the first.
func Provide[T any](n *Node, v T) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.services[reflect.TypeFor[T]()] = v
}

// Service returns what Provide was given for type T.
func Service[T any](from Caller) (T, bool) {
	var zero T
	n, _ := callerNode(from)
	if n == nil {
		return zero, false
	}
	v, ok := n.services[reflect.TypeFor[T]()]
	if !ok {
		return zero, false
	}
	return v.(T), true
}

// deadLetter tells the configured function, and the log at debug level.
func (n *Node) deadLetter(d DeadLetter) {
	if n.cfg.DeadLetter != nil {
		n.cfg.DeadLetter(d)
	}
	n.log.Debug("troupe: dead letter", "to", d.To, "method", d.Method, "from", d.From, "reason", d.Reason)
}

// Kinds describes the registered kinds, by name.
func (n *Node) Kinds() []KindInfo {
	var infos []KindInfo
	for _, k := range n.sortedKinds() {
		info := KindInfo{Name: k.name, Class: classNames[k.class], Type: k.typ, Methods: append([]AnyMethod(nil), k.methods...)}
		if k.class == classStub {
			info.Shards = k.shards
		}
		infos = append(infos, info)
	}
	return infos
}

// Count returns the counters of a kind since the node was made.
func (n *Node) Count(kindName string, c Counter) int64 {
	k := n.kindOf(kindName)
	if k == nil || c >= numCounters {
		return 0
	}
	return k.counts[c].Load()
}

// Active returns how many actors of a kind the node holds, including those
// that are being activated or deactivated. In a cluster it does not count those
// of virtual actors and stubs.
func (n *Node) Active(kindName string) int {
	k := n.kindOf(kindName)
	if k == nil {
		return 0
	}
	if k.clustered { // the registry also has what lives elsewhere
		return int(k.counts[CountActivations].Load() - k.counts[CountDeactivations].Load())
	}
	return int(k.registry.count.Load())
}

// fenceOf returns the token of c's activation. Generation 0 is that of nodes by
// themselves, whose epochs are only as good as their clocks; a cluster's
// generations start at 1.
func (n *Node) fenceOf(c *cell) Fence {
	f := Fence{Epoch: c.epoch.Load()}
	if n.cluster != nil {
		f.Generation = n.cluster.meta.Generation() + 1
	}
	return f
}

// nextEpoch numbers the activations of a node by itself: by the clock, so that
// they go on growing after a restart.
func (n *Node) nextEpoch() uint64 {
	now := uint64(time.Now().UnixMicro())
	for {
		last := n.lastEpoch.Load()
		next := max(now, last+1)
		if n.lastEpoch.CompareAndSwap(last, next) {
			return next
		}
	}
}

func (n *Node) startCluster(ctx context.Context) error {
	if n.cluster == nil {
		return nil
	}
	return n.cluster.start(ctx)
}

// leaveCluster hands the actors over, and goes on forwarding for a moment:
// other nodes hear of the change a little later.
func (n *Node) leaveCluster(ctx context.Context) error {
	s := n.cluster.session.Load()
	if s == nil || n.aborted.Load() || s.Gate() == core.GateFenced {
		return nil // there is nothing to hand over
	}
	if err := n.cluster.drain(ctx); err != nil {
		return err
	}
	n.cluster.sleep(forwardGrace)
	return nil
}

// forwardGrace is how long a node that has handed everything over forwards what
// still comes.
const forwardGrace = 200 * time.Millisecond
