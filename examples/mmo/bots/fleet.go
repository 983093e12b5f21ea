// SPDX-License-Identifier: MIT

// Package bots plays the game over the gate, as clients do, and keeps account of
// what was acknowledged, so that an audit of the database can find what was
// lost.
package bots

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/troupe-go/troupe/examples/mmo/content"
	"github.com/troupe-go/troupe/gate/client"
)

// Config configures a Fleet.
type Config struct {
	// Count is the number of bots.
	Count int
	// Seed decides names and behaviour.
	Seed uint64
	// Login returns a gate and a token for a name. Required.
	Login func(ctx context.Context, name, secret string) (client.Ticket, error)
	// Place is a GM's command that puts a character somewhere, so that bots
	// need not walk there at the start. May be nil.
	Place func(ctx context.Context, player, zone int64, x, y float32) error
	// Tables are the game's. Required.
	Tables func() *content.Tables
	// Spread puts the bots evenly into all zones; otherwise most stay near the
	// first town, where there is something to see.
	Spread bool
	// PerSecond is how many bots log in each second. Defaults to 400.
	PerSecond int
	// Logger hears of long outages and failed calls. Defaults to discarding.
	Logger *slog.Logger
}

// Fleet is a number of bots.
type Fleet struct {
	cfg    Config
	bots   []*bot
	byID   sync.Map // player id -> *bot
	wg     sync.WaitGroup
	cancel context.CancelFunc

	ending chan struct{}

	joined atomic.Int64
	moves  atomic.Int64
	frames atomic.Int64
	events atomic.Int64
	bytes  atomic.Int64
	calls  atomic.Int64

	killed    atomic.Int64 // when a node was last killed
	seen      histogram    // move to seen by another
	outages   histogram    // time without sign of life, over a second
	afterKill histogram    // from the last kill to the next sign of life
	latencies map[string]*histogram
	mu        sync.Mutex
	errors    map[string]int64
}

// maxDecoders bounds the bots that look at what they are sent; the others count
// it only, so that the bots do not use up the machine that they measure.
const maxDecoders = 100

// A bot buys every 3 s and says something every minute. In a large fleet each
// does it more seldom, so that all together do not exceed these, per second:
// nobody reads more lines, and every line goes to a whole zone.
const (
	maxBuys  = 200
	maxLines = 4
)

// every returns after how many steps a bot does what it would do after steps,
// if all together must not do it more often than most times a second.
func (c *Config) every(steps, most int) int {
	return max(steps, c.Count*int(time.Second/moveEvery)/most)
}

// Run starts the bots; Stop ends them.
func Run(cfg Config) *Fleet {
	ctx, cancel := context.WithCancel(context.Background())
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	f := &Fleet{cfg: cfg, cancel: cancel, ending: make(chan struct{}), errors: map[string]int64{}, latencies: map[string]*histogram{}}
	for _, name := range []string{"join", "buy", "sell", "say", "write", "inbox", "claim", "rank"} {
		f.latencies[name] = &histogram{}
	}
	if cfg.PerSecond == 0 {
		cfg.PerSecond = 400
	}
	stride := max((cfg.Count+maxDecoders-1)/maxDecoders, 1)
	for i := range cfg.Count {
		b := &bot{
			fleet: f, index: i, name: botName(cfg.Seed, i), decodes: i%stride == 0,
			rand: rand.New(rand.NewPCG(cfg.Seed, uint64(i))),
		}
		f.bots = append(f.bots, b)
		f.wg.Add(1)
		go func() {
			defer f.wg.Done()
			if b.sleep(ctx, time.Duration(i)*time.Second/time.Duration(cfg.PerSecond)) {
				b.run(ctx)
			}
		}()
	}
	return f
}

// Stop ends the bots and waits for them. Purchases that are on their way get
// until ctx ends to be answered.
func (f *Fleet) Stop(ctx context.Context) {
	for _, b := range f.bots {
		if b.lastSign.Load() > 0 {
			b.alive(time.Now()) // whoever is out now counts, too
		}
	}
	close(f.ending)
	done := make(chan struct{})
	go func() { f.wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		f.cancel()
		<-done
	}
	f.cancel()
}

func (f *Fleet) isEnding() bool {
	select {
	case <-f.ending:
		return true
	default:
		return false
	}
}

// NoteKill says that a node was killed just now.
func (f *Fleet) NoteKill() { f.killed.Store(time.Now().UnixNano()) }

// ResetLatencies forgets what was measured so far, after a warm-up.
func (f *Fleet) ResetLatencies() {
	f.seen.reset()
	f.outages.reset()
	f.afterKill.reset()
	for _, h := range f.latencies {
		h.reset()
	}
}

// call measures one call.
func (f *Fleet) call(ctx context.Context, name string, fn func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	begin := time.Now()
	err := fn(ctx)
	f.calls.Add(1)
	if err == nil {
		f.latencies[name].note(time.Since(begin))
		return nil
	}
	f.failed(name, err)
	return err
}

func (f *Fleet) failed(name string, err error) {
	kind := "other"
	var status *client.StatusError
	switch {
	case errors.As(err, &status) && status.User != 0:
		return // the game's own no
	case errors.As(err, &status):
		kind = "status " + status.Text
	case errors.Is(err, client.ErrInDoubt):
		kind = "in doubt"
	case errors.Is(err, context.DeadlineExceeded):
		kind = "timeout"
	case errors.Is(err, context.Canceled), errors.Is(err, client.ErrClosed):
		kind = "closed"
	}
	f.cfg.Logger.Warn("bot's call failed", "call", name, "error", err)
	f.mu.Lock()
	f.errors[name+": "+kind]++
	f.mu.Unlock()
}

// Totals are counters since the start.
type Totals struct {
	Joined, Moves, Frames, Events, Bytes, Calls, Acked int64
}

// Totals returns the counters.
func (f *Fleet) Totals() Totals {
	t := Totals{
		Joined: f.joined.Load(), Moves: f.moves.Load(), Frames: f.frames.Load(),
		Events: f.events.Load(), Bytes: f.bytes.Load(), Calls: f.calls.Load(),
	}
	for _, b := range f.bots {
		t.Acked += b.ackedCount.Load()
	}
	return t
}

// Seen returns the latency from a move to its sight by another player.
func (f *Fleet) Seen() Latency { return f.seen.summary() }

var (
	firstHalf  = []string{"Ash", "Bryn", "Cole", "Dara", "Elm", "Fenn", "Gale", "Hale", "Isla", "Juno", "Kit", "Lark", "Moss", "Nell", "Oak", "Pip"}
	secondHalf = []string{"brook", "field", "wood", "dale", "ford", "wick", "stone", "marsh", "vale", "ridge", "moor", "hill", "croft", "thorn", "mere", "fell"}
)

func botName(seed uint64, i int) string {
	name := firstHalf[i%16] + secondHalf[(i/16+i*7)%16]
	if n := uint64(i/256) + (seed-1)*100; n > 0 {
		name += "-" + letters(n)
	}
	return name
}

// letters writes a number in base 26.
func letters(n uint64) string {
	b := []byte{byte('a' + n%26)}
	for n /= 26; n > 0 && len(b) < 4; n /= 26 {
		b = append(b, byte('a'+n%26))
	}
	return string(b)
}
