// SPDX-License-Identifier: MIT

package bots

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/troupe-go/troupe/examples/mmo/aoi"
	"github.com/troupe-go/troupe/examples/mmo/game"
	"github.com/troupe-go/troupe/gate/client"
)

// bot is one player. Its own goroutine acts; the client's goroutine delivers
// pushes.
type bot struct {
	fleet   *Fleet
	index   int
	name    string
	decodes bool
	rand    *rand.Rand
	client  *client.Client
	player  game.PlayerClient

	// sent is when each move went out, by its number: those who see it look.
	sent       [256]atomic.Int64
	ackedCount atomic.Int64
	lastSign   atomic.Int64 // time of the last sign of life from the zone
	rejoin     atomic.Bool
	sessions   atomic.Int64

	mu     sync.Mutex // guards what pushes change
	view   aoi.View
	id     int64
	handle uint16
	zone   game.ZoneEvent
	x, y   float32

	goalX, goalY float32
	seq          int32
	acked        map[int64]game.Receipt
	doubt        map[int64]bool // purchases whose outcome never became known
}

// The pace of a bot.
const (
	moveEvery = 100 * time.Millisecond
	walkSpeed = 42 // units per second
	// longOutage is worth a line in the log.
	longOutage = 6 * time.Second
)

func (b *bot) run(ctx context.Context) {
	b.acked, b.doubt = map[int64]game.Receipt{}, map[int64]bool{}
	if err := b.connect(ctx); err != nil {
		b.fleet.failed("connect", err)
		return
	}
	defer b.client.Close()
	if !b.join(ctx) {
		return
	}
	b.fleet.joined.Add(1)
	defer b.fleet.joined.Add(-1)
	ticker := time.NewTicker(moveEvery)
	defer ticker.Stop()
	errands := sync.WaitGroup{}
	defer errands.Wait()
	busy := make(chan struct{}, 1)
	for n := b.rand.IntN(9000); !b.fleet.isEnding(); n++ {
		select {
		case <-ctx.Done():
			return
		case <-b.client.Done():
			b.fleet.failed("session", b.client.Err())
			return
		case <-ticker.C:
		}
		if b.rejoin.Swap(false) && !b.join(ctx) {
			return
		}
		b.step(time.Now())
		if n%5 == 0 && b.decodes {
			b.fight()
		}
		if errand := b.errand(n); errand != nil {
			select {
			case busy <- struct{}{}:
				errands.Add(1)
				go func() {
					defer func() { <-busy; errands.Done() }()
					errand(ctx)
				}()
			default: // the last one is not done yet
			}
		}
	}
}

func (b *bot) connect(ctx context.Context) (err error) {
	secret := fmt.Sprintf("bot-%d-%d", b.fleet.cfg.Seed, b.index)
	for range 20 {
		dialing, cancel := context.WithTimeout(ctx, 20*time.Second)
		b.client, err = client.Dial(dialing, client.Config{
			Name: "bot", Device: b.name, OnPush: b.onPush, OnState: b.onState,
			Login:      func(ctx context.Context) (client.Ticket, error) { return b.fleet.cfg.Login(ctx, b.name, secret) },
			BackoffMax: time.Second,
		})
		cancel()
		if err == nil {
			b.player = game.PlayerClient{Session: b.client}
			return nil
		}
		if !b.sleep(ctx, time.Duration(b.rand.IntN(500))*time.Millisecond) {
			return err
		}
	}
	return err
}

// sleep reports false when the bot is to end instead.
func (b *bot) sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	var ended <-chan struct{}
	if b.client != nil {
		ended = b.client.Done()
	}
	select {
	case <-t.C:
		return !b.fleet.isEnding()
	case <-ctx.Done():
	case <-ended:
	case <-b.fleet.ending:
	}
	return false
}

// join enters the world, as often as it takes.
func (b *bot) join(ctx context.Context) bool {
	for !b.fleet.isEnding() && ctx.Err() == nil {
		var self game.Self
		err := b.fleet.call(ctx, "join", func(ctx context.Context) (err error) {
			self, err = b.player.Join(ctx)
			return err
		})
		if err == nil {
			b.settle(ctx, self)
			return true
		}
		if !b.sleep(ctx, 200*time.Millisecond) {
			return false
		}
	}
	return false
}

// settle takes the sheet over and, the first time, has the bot put where it is
// to live.
func (b *bot) settle(ctx context.Context, self game.Self) {
	b.mu.Lock()
	first := b.id == 0
	b.id = self.ID
	b.mu.Unlock()
	b.fleet.byID.Store(self.ID, b)
	if !first || b.fleet.cfg.Place == nil {
		return
	}
	t := b.fleet.cfg.Tables()
	home := t.ZoneIDs[0]
	if b.fleet.cfg.Spread || b.index%4 == 3 {
		home = t.ZoneIDs[b.index%len(t.ZoneIDs)]
	}
	z := t.Zones[home]
	x, y := z.Town[0]+b.rand.Float32()*600-300, z.Town[1]+b.rand.Float32()*600-300
	if b.fleet.cfg.Spread {
		x, y = b.rand.Float32()*aoi.Size, b.rand.Float32()*aoi.Size
	}
	if err := b.fleet.cfg.Place(ctx, self.ID, home, inside(x), inside(y)); err != nil {
		b.fleet.failed("place", err)
	}
}

func inside(v float32) float32 { return min(max(v, 30), aoi.Size-30) }

func (b *bot) onState(e client.Event) {
	again := false
	if e.State == client.Connected || e.State == client.Resumed {
		again = b.sessions.Add(1) > 1
		b.fleet.cfg.Logger.Info("connected", "bot", b.name, "gate", e.Gate, "resumed", e.State == client.Resumed)
	}
	if e.State == client.Reload || e.State == client.Connected && again {
		b.rejoin.Store(true)
	}
}

func (b *bot) onPush(p client.Push) {
	b.fleet.bytes.Add(int64(len(p.Data)))
	if p.Event != game.EventFrame {
		b.fleet.events.Add(1)
		b.onEvent(p)
		return
	}
	b.fleet.frames.Add(1)
	now := time.Now()
	if b.decodes {
		b.mu.Lock()
		b.view.OnMove = func(s *aoi.Seen) { b.saw(s, now) }
		err := b.view.Apply(p.Data)
		b.mu.Unlock()
		if err != nil {
			b.fleet.failed("frame", err)
		}
		return
	}
	b.alive(now)
}

// saw measures how old the move is that another bot made. It runs under mu.
func (b *bot) saw(s *aoi.Seen, now time.Time) {
	if s.Kind != aoi.Player {
		return
	}
	if s.ID == b.id {
		b.alive(now)
		return
	}
	other, ok := b.fleet.byID.Load(s.ID)
	if !ok {
		return
	}
	// Whole contents of cells repeat old moves: only what is new counts.
	if at := other.(*bot).sent[s.Seq].Load(); at > 0 && s.Fresh() {
		if d := now.Sub(time.Unix(0, at)); d < 20*time.Second {
			b.fleet.seen.note(d)
		}
	}
}

// alive notes a sign of life, and how long there was none. When nodes were
// killed meanwhile it counts from the last of them, too: the one before may have
// been all but made good.
func (b *bot) alive(now time.Time) {
	last := b.lastSign.Swap(now.UnixNano())
	if gap := time.Duration(now.UnixNano() - last); last > 0 && gap > time.Second {
		b.fleet.outages.note(gap)
		if killed := b.fleet.killed.Load(); killed > last {
			b.fleet.afterKill.note(time.Duration(now.UnixNano() - killed))
		}
		if gap > longOutage {
			b.fleet.cfg.Logger.Warn("outage", "bot", b.name, "for", gap, "sessions", b.sessions.Load())
		}
	}
}

func (b *bot) onEvent(p client.Push) {
	switch p.Event {
	case game.EventZone:
		var e game.ZoneEvent
		if json.Unmarshal(p.Data, &e) == nil {
			b.mu.Lock()
			if e.Zone != b.zone.Zone {
				b.goalX, b.goalY = e.X, e.Y
				b.x, b.y = e.X, e.Y
			}
			b.zone, b.handle = e, e.Handle
			b.view.Reset()
			b.mu.Unlock()
		}
	case game.EventPlace:
		var e game.PlaceEvent
		if json.Unmarshal(p.Data, &e) == nil {
			b.mu.Lock()
			b.x, b.y = e.X, e.Y
			b.mu.Unlock()
		}
	}
}

// step walks towards the goal.
func (b *bot) step(now time.Time) {
	b.mu.Lock()
	if b.zone.Zone == 0 {
		b.mu.Unlock()
		return
	}
	const stride = walkSpeed * float32(moveEvery) / float32(time.Second)
	dx, dy := b.goalX-b.x, b.goalY-b.y
	d := float32(math.Hypot(float64(dx), float64(dy)))
	if d <= stride {
		b.chooseGoal()
	} else {
		b.x += dx / d * stride
		b.y += dy / d * stride
	}
	b.x, b.y = min(max(b.x, 0), aoi.Size-0.1), min(max(b.y, 0), aoi.Size-0.1)
	x, y := int32(b.x*aoi.Scale), int32(b.y*aoi.Scale)
	b.seq++
	seq := b.seq
	b.mu.Unlock()
	b.sent[uint8(seq)].Store(now.UnixNano())
	if err := b.player.SendMove(x, y, seq); err == nil {
		b.fleet.moves.Add(1)
	}
}

// chooseGoal picks where to go next. It runs under mu.
func (b *bot) chooseGoal() {
	z := b.zone
	switch r := b.rand.IntN(100); {
	case r < 3 && b.fleet.cfg.Count > 20: // off to another zone
		to := b.rand.IntN(4)
		if z.Neighbours[to] == 0 {
			return
		}
		b.goalX, b.goalY = b.x, b.y
		switch to {
		case 0:
			b.goalY = 2
		case 1:
			b.goalX = aoi.Size - 2
		case 2:
			b.goalY = aoi.Size - 2
		case 3:
			b.goalX = 2
		}
	case r < 40 && !b.fleet.cfg.Spread:
		b.goalX, b.goalY = inside(z.TownX+b.rand.Float32()*360-180), inside(z.TownY+b.rand.Float32()*300-150)
	default:
		b.goalX, b.goalY = inside(b.x+b.rand.Float32()*500-250), inside(b.y+b.rand.Float32()*500-250)
	}
}

// fight strikes a monster that is near, or walks to one.
func (b *bot) fight() {
	b.mu.Lock()
	var best *aoi.Seen
	reach := float32(90)
	for _, s := range b.view.Entities {
		if s.Kind != aoi.Monster {
			continue
		}
		if d := float32(math.Hypot(float64(s.X-b.x), float64(s.Y-b.y))); d < reach {
			best, reach = s, d
		}
	}
	var handle int32
	if best != nil {
		handle = int32(best.Handle)
		if reach > 30 {
			b.goalX, b.goalY = best.X, best.Y
		}
	}
	b.mu.Unlock()
	if best != nil && reach < 40 {
		_ = b.player.SendAttack(handle) // a session that is gone ends the loop
	}
}
