// SPDX-License-Identifier: MIT

package cases

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/bench/cases/far"
	"github.com/troupe-go/troupe/bench/compare"
)

// clusterCases measure the directory: actors that nobody else's library has in
// this form, so most cases have one contender and an absolute aim.
func clusterCases() []compare.Case {
	one := func(work func(b *compare.B) func(n int)) []compare.Contender {
		return []compare.Contender{{Name: compare.Ours, New: work}}
	}
	return []compare.Case{
		{
			Name: "cluster/warm", N: 50_000,
			About: "as call/1, to an active virtual actor on the same node of a cluster; local is a spawned actor of a node by itself",
			Contenders: []compare.Contender{
				{Name: compare.Ours, New: warmCall},
				{Name: "local", New: func(b *compare.B) func(n int) { return troupeCall("member")(b, 1) }},
			},
		},
		{
			Name: "cluster/activate256", N: 50_000, Runs: 3, MaxRounds: 3, Timeout: time.Minute,
			About:      "first calls to virtual actors: 3 nodes in one process, claims committed to 3 logs on one disk, 256 callers",
			Contenders: one(func(b *compare.B) func(n int) { return activate(b, 256) }),
		},
		{
			Name: "cluster/activate1", N: 500, Runs: 3, MaxRounds: 3, Timeout: time.Minute,
			About:      "as cluster/activate256, 1 caller",
			Contenders: one(func(b *compare.B) func(n int) { return activate(b, 1) }),
		},
		takeover(3*time.Second, 5, 1),
		takeover(5*time.Second, 5, 0),
		{
			Name: "cluster/handoff", N: 10_000, Runs: 1, MaxRounds: 1, Long: true, SmokeN: 200, Timeout: 2 * time.Minute,
			About:      "SIGTERM to a process with this many active ids, until it has ended, while 16 callers go on",
			Contenders: one(handOff),
		},
		{
			Name: "cluster/claims", N: 1_000_000, Runs: 1, MaxRounds: 3, Long: true, SmokeN: 10_000, Timeout: time.Minute,
			About:      "a node's copy of the directory with this many claims: an operation is the writing of one to a snapshot file",
			Contenders: one(claims),
		},
	}
}

// trio starts three voters in this process, on disk.
func trio(b *compare.B) []*troupe.Node {
	names := []string{"n1", "n2", "n3"}
	list := voterList(names)
	dir := tempDir(b)
	nodes := make([]*troupe.Node, len(names))
	var starting sync.WaitGroup
	for i, s := range list {
		starting.Go(func() {
			n, err := startClusterNode(s.Name, s.Addr, troupe.ClusterConfig{
				Bootstrap: list, DataDir: filepath.Join(dir, s.Name), Roles: []string{"far"},
			})
			compare.Must(err)
			nodes[i] = n
		})
	}
	starting.Wait()
	b.Cleanup(func() {
		var stopping sync.WaitGroup
		for _, n := range nodes {
			stopping.Go(func() { stopNode(n, time.Second) })
		}
		stopping.Wait()
	})
	return nodes
}

func voterList(names []string) (list []troupe.Server) {
	for _, name := range names {
		list = append(list, troupe.Server{Name: name, Addr: freeAddr()})
	}
	return list
}

func tempDir(b *compare.B) string {
	dir, err := os.MkdirTemp("", "troupe-bench")
	compare.Must(err)
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// warmCall calls an active virtual actor on the caller's own node.
func warmCall(b *compare.B) func(n int) {
	node := trio(b)[0]
	return CallAll(1, nextOf(far.CounterAt(node, troupe.ID("here", 42))))
}

func nextOf(ref far.CounterRef) func(value int64) int64 {
	ctx := context.Background()
	return func(value int64) int64 {
		next, err := ref.Next(ctx, value)
		compare.Must(err)
		return next
	}
}

// activate makes the first call to ids that nobody has called before, from all
// three nodes.
func activate(b *compare.B, callers int) func(n int) {
	nodes := trio(b)
	var last atomic.Int64
	took := make([][]time.Duration, callers)
	return func(n int) {
		var wg sync.WaitGroup
		for i := range callers {
			took[i] = took[i][:0]
			wg.Go(func() {
				for range Share(n, callers, i) {
					begin := time.Now()
					nextOf(far.CounterOf(nodes[i%len(nodes)], last.Add(1)))(1)
					took[i] = append(took[i], time.Since(begin))
				}
			})
		}
		begin := time.Now()
		wg.Wait()
		all := slices.Concat(took...)
		slices.Sort(all)
		b.Report("per_s", float64(n)/time.Since(begin).Seconds())
		b.Report("p50_us", 1e6*compare.Quantile(all, 0.5))
		b.Report("p99_us", 1e6*compare.Quantile(all, 0.99))
	}
}

// processes is a cluster of this process, "near", and others that host the
// actors. All are voters on disk.
type processes struct {
	b    *compare.B
	near *troupe.Node
	list []troupe.Server
	dir  string
	ttl  time.Duration
	far  map[string]*compare.Other
}

// startProcesses starts near and the others.
func startProcesses(b *compare.B, ttl time.Duration) *processes {
	p := &processes{b: b, list: voterList([]string{"near", "f1", "f2"}), dir: tempDir(b), ttl: ttl, far: map[string]*compare.Other{}}
	var starting sync.WaitGroup
	var others sync.Mutex
	for _, s := range p.list[1:] {
		starting.Go(func() {
			o := p.start(s.Name)
			others.Lock()
			defer others.Unlock()
			p.far[s.Name] = o
		})
	}
	node, err := startClusterNode("near", p.list[0].Addr, p.config("near"))
	compare.Must(err)
	p.near = node
	starting.Wait()
	for _, o := range p.far {
		b.Cleanup(o.Stop)
	}
	b.Cleanup(func() { stopNode(node, time.Second) })
	return p
}

func (p *processes) config(name string) troupe.ClusterConfig {
	return troupe.ClusterConfig{Bootstrap: p.list, DataDir: filepath.Join(p.dir, name), TTL: p.ttl, RebalanceRate: -1}
}

// start starts one of the other processes, again if it was killed.
func (p *processes) start(name string) *compare.Other {
	var voters []string
	for _, s := range p.list {
		voters = append(voters, s.Name+"="+s.Addr)
	}
	return p.b.Start("host", name, strings.Join(voters, ","), p.dir, p.ttl.String())
}

// host is the role of another process of a cluster case.
func host(ctx context.Context, args []string, ready func(string)) error {
	if len(args) != 4 {
		return fmt.Errorf("want a name, the voters, a folder and a TTL: %q", args)
	}
	ttl, err := time.ParseDuration(args[3])
	if err != nil {
		return err
	}
	list := servers(args[1])
	i := slices.IndexFunc(list, func(s troupe.Server) bool { return s.Name == args[0] })
	if i < 0 {
		return fmt.Errorf("%q is not in %q", args[0], args[1])
	}
	node, err := startClusterNode(args[0], list[i].Addr, troupe.ClusterConfig{
		Bootstrap: list, DataDir: filepath.Join(args[2], args[0]), TTL: ttl, RebalanceRate: -1, Roles: []string{"far"},
	})
	if err != nil {
		return err
	}
	ready("ready")
	<-ctx.Done()
	stopNode(node, 25*time.Second)
	return nil
}
