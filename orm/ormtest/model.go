// SPDX-License-Identifier: MIT

package ormtest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/troupe-go/troupe/orm"
)

// modelRow is a row of the reference model: the rules of Token, on a map.
type modelRow struct {
	token orm.Token
	data  string
}

// modelOwner remembers what one owner has loaded and sent.
type modelOwner struct {
	fence orm.Fence
	token map[string]orm.Token
	sent  []orm.Write
}

// testModel drives several owners at random, with repeated and reordered
// writes, and compares every answer with the model.
func testModel(t *testing.T, open Open) {
	f := newFixture(t, open)
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		round++
		m := &model{f: f, prefix: fmt.Sprintf("r%d/", round), rows: make(map[string]modelRow)}
		for i := range 3 {
			m.owners = append(m.owners, &modelOwner{
				fence: fence(uint64(i/2), uint64(i)), token: make(map[string]orm.Token),
			})
		}
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			o := m.owners[rapid.IntRange(0, 2).Draw(rt, "owner")]
			key := m.prefix + rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "key")
			switch rapid.IntRange(0, 4).Draw(rt, "action") {
			case 0:
				m.load(rt, o, key)
			case 1, 2:
				m.write(rt, o, key)
			case 3:
				m.repeat(rt, o)
			case 4:
				m.delete(rt, o, key)
			}
		}
		m.check(rt)
	})
}

type model struct {
	f      *fixture
	prefix string
	rows   map[string]modelRow
	owners []*modelOwner
	count  int
}

func (m *model) load(rt *rapid.T, o *modelOwner, key string) {
	row, err := m.f.store.LoadFence(m.f.ctx, m.f.table, key, o.fence)
	was := m.rows[key]
	if !orm.CanLoad(was.token, o.fence) {
		if !errors.Is(err, orm.ErrFenced) {
			rt.Fatalf("load %s by %v over %v: got %v, want ErrFenced", key, o.fence, was.token, err)
		}
		return
	}
	if err != nil {
		rt.Fatalf("load %s by %v: %v", key, o.fence, err)
	}
	was.token = orm.LoadToken(was.token, o.fence)
	if row.Token != was.token || string(row.Data) != was.data {
		rt.Fatalf("load %s: got %v %q, want %v %q", key, row.Token, row.Data, was.token, was.data)
	}
	m.rows[key] = was
	o.token[key] = row.Token
}

func (m *model) write(rt *rapid.T, o *modelOwner, key string) {
	if _, loaded := o.token[key]; !loaded {
		return
	}
	m.count++
	o.token[key] = next(o.token[key])
	m.send(rt, o, m.f.write(key, o.token[key], doc(m.count)))
}

func (m *model) delete(rt *rapid.T, o *modelOwner, key string) {
	if _, loaded := o.token[key]; !loaded {
		return
	}
	o.token[key] = next(o.token[key])
	m.send(rt, o, orm.Write{
		Table: m.f.table, Key: key, Token: o.token[key], Schema: 1, Index: m.f.table.ZeroIndex(),
	})
}

func (m *model) repeat(rt *rapid.T, o *modelOwner) {
	if len(o.sent) > 0 {
		m.apply(rt, o.sent[rapid.IntRange(0, len(o.sent)-1).Draw(rt, "which")])
	}
}

// send applies w now, or holds it back to be delivered late by repeat.
func (m *model) send(rt *rapid.T, o *modelOwner, w orm.Write) {
	o.sent = append(o.sent, w)
	if !rapid.Bool().Draw(rt, "late") {
		m.apply(rt, w)
	}
}

func (m *model) apply(rt *rapid.T, w orm.Write) {
	out, err := m.f.store.Save(m.f.ctx, []orm.Group{{w}})
	if err != nil {
		rt.Fatalf("save %s %v: %v", w.Key, w.Token, err)
	}
	was := m.rows[w.Key]
	want := orm.Fenced
	switch {
	case w.Token.CanWrite(was.token):
		want = orm.Saved
		m.rows[w.Key] = modelRow{w.Token, string(w.Data)}
	case w.Token == was.token:
		want = orm.Saved
	}
	if out[0] != want {
		rt.Fatalf("save %s %v over %v: got %v, want %v", w.Key, w.Token, was.token, out[0], want)
	}
}

func (m *model) check(rt *rapid.T) {
	for key, want := range m.rows {
		row, err := m.f.store.LoadFence(m.f.ctx, m.f.table, key, fence(9, 9))
		if err != nil || string(row.Data) != want.data {
			rt.Fatalf("%s at the end: got %q, %v, want %q", key, row.Data, err, want.data)
		}
	}
}

// testRace: owners take over from each other while the older ones still write.
// Every write that was confirmed before a load must be seen by it.
func testRace(t *testing.T, open Open) {
	f := newFixture(t, open)
	const owners, writes = 6, 8
	var mu sync.Mutex
	confirmed := -1     // the largest document that a Save confirmed
	newest := uint64(0) // the largest epoch that has begun to load
	var wg sync.WaitGroup
	for owner := range owners {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for attempt := range 3 {
				epoch := uint64(owner + attempt*owners + 1)
				mu.Lock()
				before := confirmed
				newest = max(newest, epoch)
				mu.Unlock()
				row, err := f.store.LoadFence(f.ctx, f.table, "hot", fence(1, epoch))
				if errors.Is(err, orm.ErrFenced) {
					continue
				}
				if err != nil {
					t.Errorf("load: %v", err)
					return
				}
				have := -1
				if row.Data != nil {
					fmt.Sscanf(string(row.Data), `{"n":%d}`, &have) //nolint:errcheck // compared below
				}
				if have < before {
					t.Errorf("loaded %d after %d was confirmed", have, before)
				}
				token := row.Token
				for range writes {
					token = next(token)
					have++
					out, err := f.store.Save(f.ctx, []orm.Group{{f.write("hot", token, doc(have))}})
					if err != nil {
						t.Errorf("save: %v", err)
						return
					}
					mu.Lock()
					if out[0] == orm.Fenced {
						if newest == epoch {
							t.Errorf("the newest owner, %d, was fenced", epoch)
						}
						mu.Unlock()
						break
					}
					confirmed = max(confirmed, have)
					mu.Unlock()
				}
			}
		}()
	}
	wg.Wait()
	row := f.load("hot", fence(2, 1))
	var have int
	fmt.Sscanf(string(row.Data), `{"n":%d}`, &have) //nolint:errcheck // compared below
	if have < confirmed {
		t.Fatalf("the database has %d, %d was confirmed", have, confirmed)
	}
}
