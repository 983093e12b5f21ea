// SPDX-License-Identifier: MIT

// Orm measures documents in databases for the comparison. It is a module of its
// own because of the drivers and GORM.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/troupe-go/troupe/bench/compare"
	"github.com/troupe-go/troupe/orm/ormbench"
)

func main() {
	child := flag.String("child", "", "CASE,CONTENDER")
	n := flag.Int("n", 0, "operations per run")
	runs := flag.Int("runs", 0, "runs; 0: as many as fit")
	flag.Parse()
	name, who, _ := strings.Cut(*child, ",")
	if err := compare.RunChild(os.Stdout, all(), name, who, *n, *runs); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// all lists the cases of bench/cases/orm.go with their work.
func all() []compare.Case {
	postgres, mysql := os.Getenv("TROUPE_TEST_POSTGRES"), os.Getenv("TROUPE_TEST_MYSQL")
	return []compare.Case{
		{Name: "orm/save/bolt", Contenders: []compare.Contender{
			{Name: compare.Ours, New: embedded(ormbench.Bolt)},
			{Name: "batch", New: embedded(ormbench.BoltBatch)},
		}},
		{Name: "orm/dirty/unchanged", Contenders: dirty(false)},
		{Name: "orm/dirty/changed", Contenders: dirty(true)},
		{Name: "orm/save/postgres", Contenders: saves(ormbench.Postgres(postgres, ormbench.Load{}))},
		{Name: "orm/save/mysql", Contenders: saves(ormbench.MySQL(mysql, ormbench.Load{}))},
		{Name: "orm/load/postgres", Contenders: loads(ormbench.PostgresLoads, postgres)},
		{Name: "orm/load/mysql", Contenders: loads(ormbench.MySQLLoads, mysql)},
	}
}

// actors is how many documents are active.
const actors = 1000

// open makes a contender of ormbench.
type open = func(ctx context.Context) (ormbench.Contender, error)

// saves returns the contenders in the order in which ormbench lists them.
func saves(opens []open) []compare.Contender {
	var all []compare.Contender
	for i, name := range []string{compare.Ours, "gorm", "gorm16", "upsert"} {
		all = append(all, compare.Contender{Name: name, New: save(opens[i])})
	}
	return all
}

func embedded(open func(ctx context.Context, dir string) (ormbench.Contender, error)) func(b *compare.B) func(n int) {
	return func(b *compare.B) func(n int) {
		dir, err := os.MkdirTemp("", "ormbench")
		compare.Must(err)
		b.Cleanup(func() { compare.Must(os.RemoveAll(dir)) })
		return save(func(ctx context.Context) (ormbench.Contender, error) { return open(ctx, dir) })(b)
	}
}

// save returns the work of n saves, shared by all actors. Each actor changes
// its document and waits until that is durable, again and again.
func save(open open) func(b *compare.B) func(n int) {
	return func(b *compare.B) func(n int) {
		c, err := open(b.Context)
		compare.Must(err)
		b.Cleanup(func() { compare.Must(c.Close()) })
		round := int64(0)
		return func(n int) {
			var wg sync.WaitGroup
			var failed sync.Once
			var problem error
			workers := min(actors, n)
			for id := range int64(workers) {
				share := n / workers
				if int(id) < n%workers {
					share++
				}
				wg.Go(func() {
					for i := range int64(share) {
						if err := c.Save(b.Context, id+1, round+i+1); err != nil {
							failed.Do(func() { problem = err })
							return
						}
					}
				})
			}
			wg.Wait()
			compare.Must(problem)
			round += int64(n)
		}
	}
}

// loads returns the contenders of a load.
func loads(open func(ctx context.Context, dsn string) (*ormbench.Loads, error), dsn string) []compare.Contender {
	work := func(one func(*ormbench.Loads) func(int) error) func(b *compare.B) func(n int) {
		return func(b *compare.B) func(n int) {
			l, err := open(b.Context, dsn)
			compare.Must(err)
			b.Cleanup(func() { compare.Must(l.Close()) })
			read := one(l)
			return func(n int) {
				for i := range n {
					compare.Must(read(i % l.Rows()))
				}
			}
		}
	}
	return []compare.Contender{
		{Name: compare.Ours, New: work(func(l *ormbench.Loads) func(int) error { return l.Load })},
		{Name: "baredriver", New: work(func(l *ormbench.Loads) func(int) error { return l.Select })},
	}
}
