// SPDX-License-Identifier: MIT

package sim

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/orm"
	"github.com/troupe-go/troupe/transport/memory"
)

// liveBound is I13: how long after the last fault everything must answer.
const liveBound = 4*ttl + 5*time.Second

// Result is the outcome of a run.
type Result struct {
	Violations []string
	Trace      []string
	Stats      Stats
}

// Run runs a plan in the synctest bubble it is called in. dir is for the nodes'
// files and must be empty. The error says that the run could not begin.
func Run(dir string, p Plan, log *slog.Logger) (Result, error) {
	hist := newHistory()
	hist.twice = p.has("duplicate")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c := &cluster{
		hist: hist, net: memory.New(p.Seed), dir: dir, log: log, seed: p.Seed, ctx: ctx,
		db:   newDatabase(p.Seed, hist, !p.Gentle),
		cuts: make(map[[2]int]int), typ: orm.Document[journal]("journal"),
	}
	defer c.close()
	if err := c.start(ctx); err != nil {
		return Result{}, fmt.Errorf("start: %w", err)
	}
	c.play(ctx, p)
	end := c.settle(ctx)
	cancel()
	c.wg.Wait()
	gentle := p.Gentle && !c.rough
	hist.check(end, gentle)
	hist.mu.Lock() // writes that were sent late may still arrive
	defer hist.mu.Unlock()
	hist.stats.Virtual = time.Since(hist.begin)
	hist.stats.Faults = len(p.Faults)
	for _, f := range p.Faults {
		hist.stats.ByFault[f.Kind]++
	}
	return Result{hist.violations, hist.events, hist.stats}, nil
}

// play runs the workload and the faults.
func (c *cluster) play(ctx context.Context, p Plan) {
	work, stop := context.WithCancel(ctx)
	var users, faults sync.WaitGroup
	for i := range clients {
		users.Go(func() { c.client(work, i) })
	}
	begin := time.Now()
	for _, f := range p.Faults {
		faults.Go(func() {
			sleep(ctx, f.At-time.Since(begin))
			c.inject(work, f)
		})
	}
	sleep(ctx, faultTime)
	faults.Wait()
	c.heal()
	c.hist.note("healed")
	sleep(ctx, 3*time.Second) // the clients go on, on a healthy cluster
	stop()
	users.Wait()
}

// settle waits until every entity and slot answers (I13, I14) and returns what
// the entities hold.
func (c *cluster) settle(ctx context.Context) map[int64]final {
	end := make(map[int64]final)
	limit := time.Now().Add(liveBound)
	for id := range int64(entities) {
		var f final
		ok := c.ask(ctx, limit, troupe.ID("entity", id), "Read", &f.ops) &&
			c.ask(ctx, limit, troupe.ID("entity", id), "Notes", &f.notes)
		if ok {
			end[id] = f
		}
	}
	for id := range int64(slots) {
		c.ask(ctx, limit, troupe.ID("slot", id), "Serve", new(string))
	}
	for i := range nodes {
		if c.node(i) == nil {
			c.hist.violated("I13: n%d did not come back", i)
		}
	}
	return end
}

// ask calls until there is an answer.
func (c *cluster) ask(ctx context.Context, limit time.Time, to troupe.Ref, method string, result any) bool {
	var err error
	for i := 0; time.Now().Before(limit); i++ {
		if n := c.node(i % nodes); n != nil {
			try, cancel := context.WithTimeout(ctx, 2*time.Second)
			err = n.Call(try, to, method, result)
			cancel()
			if err == nil {
				return true
			}
		}
		sleep(ctx, 50*time.Millisecond)
	}
	c.hist.violated("I13: %v does not answer %v after the last fault: %v", to, liveBound, err)
	return false
}
