// SPDX-License-Identifier: MIT

package cases

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/troupe-go/troupe/bench/cases/far"
	"github.com/troupe-go/troupe/bench/compare"
	"github.com/troupe-go/troupe/internal/metastore/core"
)

// takeover kills the process that an actor lives in, and measures how long the
// actor is away. The process comes back before the next kill.
func takeover(ttl time.Duration, kills, smoke int) compare.Case {
	return compare.Case{
		Name: fmt.Sprintf("cluster/takeover%d", int(ttl.Seconds())), N: kills, Runs: 1, MaxRounds: 1,
		Long: true, SmokeN: smoke, Timeout: 3 * time.Minute,
		About: fmt.Sprintf("SIGKILL to an actor's process until the actor answers from another, lease of %v", ttl),
		Contenders: []compare.Contender{{Name: compare.Ours, New: func(b *compare.B) func(n int) {
			p := startProcesses(b, ttl)
			return func(n int) {
				away := make([]time.Duration, n)
				total := time.Duration(0)
				for i := range n {
					away[i] = p.kill(int64(i))
					total += away[i]
				}
				slices.Sort(away)
				b.Elapsed(total)
				b.Report("p50_s", compare.Quantile(away, 0.5))
				b.Report("max_s", away[n-1].Seconds())
			}
		}}},
	}
}

// kill ends the process of an actor and waits for the actor, and then for the
// process to be a member again.
func (p *processes) kill(id int64) time.Duration {
	home := p.home(id)
	begin := time.Now()
	p.far[home].Kill()
	if p.home(id) == home {
		panic("a process that was killed has answered")
	}
	away := time.Since(begin)
	p.far[home].Wait()
	p.far[home] = p.start(home)
	return away
}

// home asks an actor where it lives, until it answers.
func (p *processes) home(id int64) string {
	ref := far.CounterOf(p.near, id)
	for begin := time.Now(); ; {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		name, err := ref.Home(ctx)
		cancel()
		if err == nil {
			return name
		}
		if time.Since(begin) > time.Minute {
			panic(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// handOff stops one of two processes in order.
func handOff(b *compare.B) func(n int) {
	p := startProcesses(b, 5*time.Second)
	return func(n int) {
		leaving := p.home(0)
		var ids []int64
		for next := int64(1); len(ids) < n; {
			batch := make([]int64, 256)
			homes := make([]string, len(batch))
			var wg sync.WaitGroup
			for i := range batch {
				batch[i] = next
				next++
				wg.Go(func() { homes[i] = p.home(batch[i]) })
			}
			wg.Wait()
			for i, home := range homes {
				if home == leaving {
					ids = append(ids, batch[i])
				}
			}
		}
		ids = ids[:n]
		calls, failed, end := p.keepCalling(ids)
		time.Sleep(200 * time.Millisecond)
		begin := time.Now()
		p.far[leaving].Terminate()
		p.far[leaving].Wait()
		b.Elapsed(time.Since(begin))
		end()
		b.Report("handoff_s", time.Since(begin).Seconds())
		b.Report("calls", float64(calls.Load()))
		b.Report("failed", float64(failed.Load()))
		for _, id := range ids {
			if p.home(id) == leaving {
				panic("an actor answers from the process that has left")
			}
		}
	}
}

// keepCalling calls the ids from 16 goroutines until end is called.
func (p *processes) keepCalling(ids []int64) (calls, failed *atomic.Int64, end func()) {
	calls, failed = new(atomic.Int64), new(atomic.Int64)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for k := i; ctx.Err() == nil; k += 16 {
				calls.Add(1)
				if _, err := far.CounterOf(p.near, ids[k%len(ids)]).Next(context.Background(), 1); err != nil {
					failed.Add(1)
				}
				time.Sleep(100 * time.Microsecond)
			}
		})
	}
	return calls, failed, func() { cancel(); wg.Wait() }
}

// claims fills the metadata store's state and writes its snapshot.
func claims(b *compare.B) func(n int) {
	dir := tempDir(b)
	return func(n int) {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		s := core.NewState()
		index := uint64(1)
		apply := func(cmd core.Command) {
			_, err := s.Apply(index, 1, core.EncodeEntry(cmd))
			compare.Must(err)
			index++
		}
		apply(core.OpenSession{Node: "n1", Incarnation: core.Incarnation{1}, TTL: 5e9})
		for from := 0; from < n; from += 256 {
			c := core.ClaimBatch{Session: 1}
			for k := from; k < min(from+256, n); k++ {
				c.IDs = append(c.IDs, core.ID{Kind: "player", Key: int64(k)})
			}
			apply(c)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		begin := time.Now()
		size := writeSnapshot(s, filepath.Join(dir, "snapshot"))
		took := time.Since(begin)
		b.Elapsed(took)
		b.Report("snapshot_s", took.Seconds())
		b.Report("snapshot_bytes_claim", float64(size)/float64(n))
		b.Report("memory_bytes_claim", float64(after.HeapAlloc-before.HeapAlloc)/float64(n))
		compare.Check("claims", s.ClaimCount(), n)
	}
}

func writeSnapshot(s *core.State, name string) int64 {
	f, err := os.Create(name)
	compare.Must(err)
	size, err := s.Snapshot().WriteTo(io.Writer(f))
	compare.Must(err)
	compare.Must(f.Sync())
	compare.Must(f.Close())
	return size
}
