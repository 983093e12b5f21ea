// SPDX-License-Identifier: MIT

// Package ormbench measures document saves: the ORM under real actors, GORM
// saving row by row, and a multi-row upsert written by hand, on the same
// database with the same durability.
//
// All contenders run the same load: Actors goroutines, each of which changes a
// 2 KiB document and waits until it is durable, again and again. The commands
// under cmd and the comparison in bench call Run.
package ormbench

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Load describes a run.
type Load struct {
	// Actors is how many documents are active. Defaults to 1000.
	Actors int
	// For is the measured time. Defaults to 5 s.
	For time.Duration
	// Conns is how many database connections a contender may use. Defaults to
	// 16.
	Conns int
}

func (l Load) withDefaults() Load {
	if l.Actors == 0 {
		l.Actors = 1000
	}
	if l.For == 0 {
		l.For = 5 * time.Second
	}
	if l.Conns == 0 {
		l.Conns = 16
	}
	return l
}

// Result is what a contender reached.
type Result struct {
	Name  string
	Saves int64
	Took  time.Duration
}

// PerSecond returns saves per second.
func (r Result) PerSecond() float64 { return float64(r.Saves) / r.Took.Seconds() }

// String returns "name: n saves/s".
func (r Result) String() string { return fmt.Sprintf("%-28s %10.0f saves/s", r.Name, r.PerSecond()) }

// Contender saves documents. Save is called by many goroutines, for one id by
// one at a time, and returns when the document is durable.
type Contender interface {
	Name() string
	Save(ctx context.Context, id int64, round int64) error
	Close() error
}

// Run drives c. A tenth of the time is spent on warming up.
func Run(ctx context.Context, c Contender, load Load) (Result, error) {
	load = load.withDefaults()
	var saves atomic.Int64
	var failed atomic.Pointer[error]
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	for id := range int64(load.Actors) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for round := int64(0); ctx.Err() == nil; round++ {
				if err := c.Save(context.WithoutCancel(ctx), id+1, round); err != nil {
					failed.CompareAndSwap(nil, &err)
					cancel()
					return
				}
				saves.Add(1)
			}
		}()
	}
	sleep(ctx, load.For/10)
	before, start := saves.Load(), time.Now()
	sleep(ctx, load.For)
	r := Result{Name: c.Name(), Saves: saves.Load() - before, Took: time.Since(start)}
	cancel()
	wg.Wait()
	if err := failed.Load(); err != nil {
		return r, fmt.Errorf("%s: %w", c.Name(), *err)
	}
	return r, nil
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// Player is the document: 2 KiB as JSON.
type Player struct {
	Gold  int64
	Level int32 `orm:"index"`
	Name  string
	Guild string `orm:"index"`
	Bag   []Item
	Notes string
}

// Item is part of a Player.
type Item struct {
	ID    int64
	Count int32
	Name  string
}

// Fill makes p a document of about 2 KiB.
func (p *Player) Fill(id int64) {
	*p = Player{Gold: id, Level: int32(id % 100), Name: fmt.Sprintf("player %d", id), Guild: fmt.Sprintf("guild %d", id%50)}
	for i := range int64(20) {
		p.Bag = append(p.Bag, Item{ID: 1000 + i, Count: int32(i), Name: "an ordinary item"})
	}
	p.Notes = strings.Repeat("lorem ipsum ", 77)
}
