// SPDX-License-Identifier: MIT

package orm_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/orm"
	"github.com/troupe-go/troupe/orm/ormtest"
)

// recorder is a Metrics that remembers.
type recorder struct {
	mu      sync.Mutex
	counts  map[orm.Counter]int64
	samples map[orm.Sample][]float64
}

func newRecorder() *recorder {
	return &recorder{counts: make(map[orm.Counter]int64), samples: make(map[orm.Sample][]float64)}
}

func (r *recorder) Add(c orm.Counter, n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[c] += n
}

func (r *recorder) Observe(s orm.Sample, value float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.samples[s] = append(r.samples[s], value)
}

// TestMetrics: a flush that is tried again, a fenced one and a refused one are
// all counted, and the ages are those of the changes.
func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, seen := ormtest.NewMemory(), newRecorder()
		fail := true
		store.Before = func(context.Context, []orm.Group) error {
			if fail {
				fail = false
				return errDown
			}
			time.Sleep(30 * time.Millisecond)
			return nil
		}
		db := openDB(t, store, orm.Config{Metrics: seen, RetryMin: 10 * time.Millisecond, MaxDocBytes: 200})
		h := newHero(t, db, 1, 1, 1)
		h.run(func() { h.doc.Data.Gold, h.bag.Data.Bag = 7, map[int32]int64{1: 1} })
		time.Sleep(2 * time.Second)
		h.run(func() { h.doc.Data.Name = string(make([]byte, 300)) }) // over the limit
		time.Sleep(600 * time.Millisecond)
		newHero(t, openDB(t, store, orm.Config{}), 1, 1, 2) // takes over
		h.run(func() {
			h.doc.Data.Name = ""
			h.doc.Data.Gold = 8
			if err := h.doc.Save(t.Context()); !errors.Is(err, orm.ErrFenced) {
				t.Errorf("Save: got %v, want ErrFenced", err)
			}
		})
		seen.mu.Lock()
		defer seen.mu.Unlock()
		for counter, want := range map[orm.Counter]int64{
			orm.CountFlushes: 2, orm.CountDocuments: 2, orm.CountRetries: 1, orm.CountFenced: 1, orm.CountLoads: 2,
		} {
			if got := seen.counts[counter]; got != want {
				t.Errorf("%v: got %d, want %d", counter, got, want)
			}
		}
		if seen.counts[orm.CountRefused] == 0 || seen.counts[orm.CountBytes] == 0 {
			t.Errorf("refused and bytes: got %v", seen.counts)
		}
		if got := seen.samples[orm.SampleFlushSeconds]; len(got) != 2 || got[0] != 0.03 {
			t.Errorf("flush seconds: got %v", got)
		}
		if got := seen.samples[orm.SampleQueueSeconds]; len(got) != 1 || got[0] < 0.5 || got[0] > 1 {
			t.Errorf("queue seconds: got %v, want one between half a FlushEvery and a whole", got)
		}
		if got := len(seen.samples[orm.SampleLoadSeconds]); got != 2 {
			t.Errorf("load seconds: got %d, want 2", got)
		}
	})
}
