// SPDX-License-Identifier: MIT

package troupe_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/troupetest"
)

var (
	clusterSeed = flag.Uint64("cluster.seed", 1, "seed of the cluster tests' network")
	clusterLog  = flag.Bool("cluster.log", false, "print the log of the nodes")
)

var bg = context.Background()

// world is what all nodes of a test share: it sees every handler begin.
type world struct {
	t *testing.T

	mu   sync.Mutex
	runs []run
	kv   map[string]int64 // what OnDeactivate saved
	lost []troupe.DeadLetter
}

// run is one execution of a handler.
type run struct {
	ref    troupe.Ref
	node   string
	epoch  uint64
	sender int64
	seq    int64
	at     time.Time
}

func (w *world) note(r run) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r.at = time.Now()
	w.runs = append(w.runs, r)
}

func (w *world) snapshot() []run {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]run(nil), w.runs...)
}

func (w *world) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.runs)
}

// checkEpochs asserts I1 and I4: per actor, handlers begin under epochs that
// never decrease, and one epoch is one node's.
func (w *world) checkEpochs() {
	w.t.Helper()
	newest := map[troupe.Ref]run{}
	for _, r := range w.snapshot() {
		last, ok := newest[r.ref]
		if ok && r.epoch < last.epoch {
			w.t.Errorf("I4: %v ran on %s under epoch %d at %v after %s had run it under %d at %v",
				r.ref, r.node, r.epoch, r.at, last.node, last.epoch, last.at)
		}
		if ok && r.epoch == last.epoch && r.node != last.node {
			w.t.Errorf("I1: %v epoch %d on %s and %s", r.ref, r.epoch, r.node, last.node)
		}
		newest[r.ref] = r
	}
}

// checkOrder asserts I11: what one sender sent to one actor ran in the order it
// was sent, at most once; with lossless also at least once.
func (w *world) checkOrder(lossless bool) {
	w.t.Helper()
	type flow struct {
		ref    troupe.Ref
		sender int64
	}
	last := map[flow]int64{}
	bad := 0
	for _, r := range w.snapshot() {
		if r.sender == 0 {
			continue
		}
		f := flow{r.ref, r.sender}
		want := last[f] + 1
		if r.seq < want || lossless && r.seq != want {
			if bad++; bad < 10 {
				w.t.Errorf("I11: %v from sender %d: message %d ran on %s, expected %d", r.ref, r.sender, r.seq, r.node, want)
			}
		}
		last[f] = max(last[f], r.seq)
	}
}

// notes is the actor of most tests.
type notes struct {
	troupe.Actor
	w *world
	n int64
}

func (a *notes) OnActivate(context.Context) error {
	a.w, _ = troupe.Service[*world](a)
	a.w.mu.Lock()
	defer a.w.mu.Unlock()
	a.n = a.w.kv[a.Ref().String()]
	return nil
}

func (a *notes) OnDeactivate(context.Context) error {
	a.w.mu.Lock()
	defer a.w.mu.Unlock()
	a.w.kv[a.Ref().String()] = a.n
	return nil
}

// Note records a message.
func (a *notes) Note(_ context.Context, sender, seq int64) error {
	a.n++
	a.w.note(run{ref: a.Ref(), node: a.Node().Name(), epoch: a.Fence().Epoch, sender: sender, seq: seq})
	return nil
}

// Where records a call and returns the node.
func (a *notes) Where(context.Context) (string, error) {
	a.w.note(run{ref: a.Ref(), node: a.Node().Name(), epoch: a.Fence().Epoch})
	return a.Node().Name(), nil
}

// Count returns how many messages this activation, and those that handed over
// to it, have seen.
func (a *notes) Count(context.Context) (int64, error) { return a.n, nil }

// Generation returns the generation of the activation's fence.
func (a *notes) Generation(context.Context) (uint64, error) { return a.Fence().Generation, nil }

// Pass sends a message on to another actor, as this one.
func (a *notes) Pass(_ context.Context, to int64, sender, seq int64) error {
	return troupe.SendFrom(a, troupe.ID("notes", to), "Note", sender, seq)
}

// PassAfter sends a message on when d has passed, on the same turn.
func (a *notes) PassAfter(_ context.Context, to, sender, seq, millis int64) (string, error) {
	time.Sleep(time.Duration(millis) * time.Millisecond)
	err := troupe.SendFrom(a, troupe.ID("notes", to), "Note", sender, seq)
	return a.Node().Name(), err
}

// Tick makes the actor note something every 100 ms.
func (a *notes) Tick(context.Context) error {
	_, err := a.Every(100*time.Millisecond, func(context.Context) {
		a.w.note(run{ref: a.Ref(), node: a.Node().Name(), epoch: a.Fence().Epoch})
	})
	return err
}

// inCluster runs a test with a cluster in a bubble.
func inCluster(t *testing.T, cfg troupetest.Config, test func(t *testing.T, c *troupetest.Cluster, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, kv: map[string]int64{}}
		if cfg.Seed == 0 {
			cfg.Seed = *clusterSeed
		}
		if cfg.Kinds == nil {
			cfg.Kinds = func(int) []troupe.Kind {
				return []troupe.Kind{troupe.Virtual[notes]("notes"), troupe.Stub[notes]("shard", troupe.Shards(16))}
			}
		}
		setup := cfg.Setup
		cfg.Setup = func(i int, n *troupe.Node) {
			troupe.Provide(n, w)
			if setup != nil {
				setup(i, n)
			}
		}
		change := cfg.Node
		cfg.Node = func(i int, nc *troupe.Config) {
			nc.DeadLetter = func(d troupe.DeadLetter) {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.lost = append(w.lost, d)
			}
			if change != nil {
				change(i, nc)
			}
		}
		if *clusterLog {
			cfg.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
		}
		test(t, troupetest.Start(t, cfg), w)
		w.checkEpochs()
	})
}

// where calls an actor from a node.
func where(n *troupe.Node, ref troupe.Ref) (string, error) {
	ctx, cancel := context.WithTimeout(bg, 2*time.Second)
	defer cancel()
	var at string
	err := n.Call(ctx, ref, "Where", &at)
	return at, err
}

// ownedBy finds ids that live on a node.
func ownedBy(t *testing.T, c *troupetest.Cluster, from int, node string, count int) []troupe.Ref {
	t.Helper()
	var refs []troupe.Ref
	for id := int64(1); len(refs) < count; id++ {
		require.Less(t, id, int64(1000), "no ids on %s", node)
		at, err := where(c.Node(from), troupe.ID("notes", id))
		require.NoError(t, err)
		if at == node {
			refs = append(refs, troupe.ID("notes", id))
		}
	}
	return refs
}

// leader returns the index of the node that leads the metadata store.
func leader(t *testing.T, c *troupetest.Cluster, ask int) int {
	t.Helper()
	name := c.Node(ask).Health().Leader
	for i := range c.Size() {
		if c.Name(i) == name {
			return i
		}
	}
	t.Fatalf("leader %q is not a node", name)
	return -1
}

// awayFor calls ref from a node until it answers and returns how long it took.
func awayFor(t *testing.T, n *troupe.Node, ref troupe.Ref, limit time.Duration) time.Duration {
	t.Helper()
	begin := time.Now()
	for {
		_, err := where(n, ref)
		away := time.Since(begin)
		if err == nil {
			return away
		}
		if away > limit {
			t.Fatalf("%v is away for %v: %v", ref, away, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// load sends numbered messages and calls until stop; see world.checkOrder.
type load struct {
	stop chan struct{}
	wg   sync.WaitGroup
	mu   sync.Mutex
	errs []error
	sent map[int64]int64
}

// startLoad lets one sender per node and actor send a message and make a call
// every millisecond or so. Nodes that stop are left out.
func startLoad(c *troupetest.Cluster, nodes []int, refs []troupe.Ref, calls bool) *load {
	l := &load{stop: make(chan struct{}), sent: map[int64]int64{}}
	for _, i := range nodes {
		n := c.Node(i)
		for j, ref := range refs {
			sender := int64(1000*(i+1) + j + 1)
			l.wg.Go(func() { l.send(n, ref, sender, calls) })
		}
	}
	return l
}

func (l *load) send(n *troupe.Node, ref troupe.Ref, sender int64, calls bool) {
	for seq := int64(1); ; seq++ {
		select {
		case <-l.stop:
			return
		case <-time.After(time.Duration(8000+sender%4000) * time.Microsecond):
		}
		var err error
		if calls && seq%3 == 0 {
			err = n.Call(bg, ref, "Note", nil, sender, seq)
		} else {
			err = n.Send(ref, "Note", sender, seq)
		}
		if errors.Is(err, troupe.ErrStopped) && n.Health().State != "running" {
			return // its own node is leaving
		}
		l.mu.Lock()
		if err != nil {
			l.errs = append(l.errs, fmt.Errorf("%v %s sender %d message %d: %w", time.Now().Format("05.000"), n.Name(), sender, seq, err))
		} else {
			l.sent[sender] = seq
		}
		l.mu.Unlock()
	}
}

// end stops the load and returns its errors.
func (l *load) end() []error {
	close(l.stop)
	l.wg.Wait()
	return l.errs
}

// checkAll asserts that everything sent has run.
func (l *load) checkAll(w *world) {
	w.t.Helper()
	last := map[int64]int64{}
	for _, r := range w.snapshot() {
		last[r.sender] = max(last[r.sender], r.seq)
	}
	for sender, seq := range l.sent {
		if last[sender] < seq {
			w.t.Errorf("sender %d sent %d messages, the last that ran is %d", sender, seq, last[sender])
		}
	}
}
