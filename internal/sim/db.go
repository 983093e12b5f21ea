// SPDX-License-Identifier: MIT

package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/troupe-go/troupe/orm"
)

// errConnection is what a client of the database sees when it cannot know
// whether its write was applied.
var errConnection = errors.New("sim: connection to the database lost")

// database keeps documents under the fence rules of package orm, and delays,
// repeats, reorders and hides writes.
type database struct {
	history *history
	trouble bool // whether writes misbehave at all

	mu   sync.Mutex
	rng  *rand.Rand
	rows map[string]*orm.Row
}

func newDatabase(seed uint64, h *history, trouble bool) *database {
	return &database{history: h, trouble: trouble, rng: rand.New(rand.NewPCG(seed, 0xdb)), rows: make(map[string]*orm.Row)}
}

// session is the database as one node reaches it. When its node dies it
// answers nothing any more, but what is on its way still arrives.
type session struct {
	*database
	gone atomic.Bool // the node is dead
	cut  atomic.Bool // the node cannot reach the database
}

var _ orm.Store = (*session)(nil)

// Capabilities implements orm.Store.
func (s *session) Capabilities() orm.Capabilities {
	return orm.Capabilities{AtomicGroups: true, Writers: 2}
}

// Migrate implements orm.Store.
func (s *session) Migrate(context.Context, []*orm.Table) error { return nil }

// Find implements orm.Store.
func (s *session) Find(context.Context, *orm.Table, orm.Query) ([]orm.Row, error) { return nil, nil }

// Close implements orm.Store.
func (s *session) Close() error { return nil }

// fate is what becomes of one request.
type fate struct {
	there, back time.Duration
	late        time.Duration // not zero: arrives that much later, unanswered
	again       time.Duration // not zero: arrives a second time
	hidden      bool          // applied, but the answer is lost
}

func (d *database) draw() fate {
	d.mu.Lock()
	defer d.mu.Unlock()
	ms := func(n int) time.Duration { return time.Duration(1+d.rng.IntN(n)) * time.Millisecond }
	f := fate{there: ms(4), back: ms(4)}
	if !d.trouble {
		return f
	}
	switch p := d.rng.Float64(); {
	case p < 0.04:
		f.late = ms(4000)
	case p < 0.10:
		f.again = ms(2500)
	case p < 0.13:
		f.hidden = true
	case p < 0.20:
		f.there, f.back = ms(300), ms(300)
	}
	return f
}

func (s *session) travel(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	if s.gone.Load() || s.cut.Load() {
		return errConnection
	}
	return nil
}

// LoadFence implements orm.Store.
func (s *session) LoadFence(ctx context.Context, t *orm.Table, key string, fence orm.Fence) (orm.Row, error) {
	f := s.draw()
	if err := s.travel(ctx, f.there); err != nil {
		return orm.Row{}, err
	}
	row, err := s.load(t.Name+"/"+key, fence)
	if e := s.travel(ctx, f.back); e != nil {
		return orm.Row{}, e
	}
	return row, err
}

func (d *database) load(key string, fence orm.Fence) (orm.Row, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.rows[key]
	if r == nil {
		r = &orm.Row{Key: key}
		d.rows[key] = r
	}
	if !orm.CanLoad(r.Token, fence) {
		return orm.Row{}, fmt.Errorf("row has %v, owner %v: %w", r.Token, fence, orm.ErrFenced)
	}
	old := r.Token
	r.Token = orm.LoadToken(old, fence)
	d.history.accepted(key, r.Token, fence, true)
	row := *r
	row.Data = bytes.Clone(r.Data)
	return row, nil
}

// Save implements orm.Store.
func (s *session) Save(ctx context.Context, groups []orm.Group) ([]orm.Outcome, error) {
	f := s.draw()
	if err := s.travel(ctx, f.there); err != nil {
		return nil, err
	}
	if f.late > 0 {
		time.AfterFunc(f.late, func() { s.apply(groups) })
		_ = s.travel(ctx, f.back)
		return nil, errConnection
	}
	if f.again > 0 {
		time.AfterFunc(f.again, func() { s.apply(groups) })
	}
	out := s.apply(groups)
	if err := s.travel(ctx, f.back); err != nil {
		return nil, err
	}
	if f.hidden {
		return nil, errConnection
	}
	return out, nil
}

func (d *database) apply(groups []orm.Group) []orm.Outcome {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make([]orm.Outcome, len(groups))
	for i, g := range groups {
		out[i] = d.applyLocked(g)
	}
	return out
}

func (d *database) applyLocked(g orm.Group) orm.Outcome {
	for _, w := range g {
		r := d.rows[w.Table.Name+"/"+w.Key]
		if r == nil || !w.Token.CanWrite(r.Token) && w.Token != r.Token {
			d.history.refused()
			return orm.Fenced
		}
	}
	for _, w := range g {
		key := w.Table.Name + "/" + w.Key
		r := d.rows[key]
		if w.Token == r.Token {
			continue // a repetition
		}
		*r = orm.Row{Key: w.Key, Token: w.Token, Schema: w.Schema, Data: bytes.Clone(w.Data)}
		d.history.accepted(key, w.Token, w.Token.Fence(), false)
	}
	return orm.Saved
}
