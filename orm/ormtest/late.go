// SPDX-License-Identifier: MIT

package ormtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/troupe-go/troupe/orm"
)

var (
	errLate = errors.New("ormtest: the answer was lost")
	errCut  = errors.New("ormtest: this node is cut off")
)

// lateStore is one node's way to a store that all nodes share. It does what
// networks do to requests: holds them back, loses them, loses their answers,
// and delivers them long after the caller has given up.
type lateStore struct {
	orm.Store
	cut  atomic.Bool
	late *sync.WaitGroup // requests that are still on their way
	// forgot has "key fence" of loads that were forgotten.
	forgot *sync.Map
}

// Capabilities implements orm.Store.
func (s *lateStore) Capabilities() orm.Capabilities {
	c := s.Store.Capabilities()
	c.VolatileLoads = true
	return c
}

func forgotten(key string, fence orm.Fence) string { return fmt.Sprint(key, " ", fence) }

// Close leaves the shared store open.
func (s *lateStore) Close() error { return nil }

// maxLate bounds how late a request arrives.
const maxLate = 4 * time.Millisecond

// LoadFence implements orm.Store.
func (s *lateStore) LoadFence(ctx context.Context, t *orm.Table, key string, fence orm.Fence) (orm.Row, error) {
	if fence.Generation > 0 && rand.IntN(10) == 0 {
		if row, ok := s.forget(ctx, t, key, fence); ok {
			return row, nil
		}
	}
	return viaNetwork(ctx, s, orm.Row{}, func(ctx context.Context) (orm.Row, error) {
		return s.Store.LoadFence(ctx, t, key, fence)
	})
}

// forget answers a load whose fence the database then forgets in a crash, as
// orm.Store allows.
func (s *lateStore) forget(ctx context.Context, t *orm.Table, key string, fence orm.Fence) (orm.Row, bool) {
	rows, err := s.Find(ctx, t, orm.Query{Limit: 1000})
	if err != nil || s.cut.Load() {
		return orm.Row{}, false
	}
	for _, row := range rows {
		if row.Key == key && orm.CanLoad(row.Token, fence) {
			row.Token = orm.LoadToken(row.Token, fence)
			s.forgot.Store(forgotten(key, fence), true)
			return row, true
		}
	}
	return orm.Row{}, false
}

// Save implements orm.Store.
func (s *lateStore) Save(ctx context.Context, groups []orm.Group) ([]orm.Outcome, error) {
	return viaNetwork(ctx, s, nil, func(ctx context.Context) ([]orm.Outcome, error) {
		return s.Store.Save(ctx, groups)
	})
}

// viaNetwork performs a request, perhaps late, perhaps without an answer.
func viaNetwork[T any](ctx context.Context, s *lateStore, none T, request func(context.Context) (T, error)) (T, error) {
	if s.cut.Load() {
		return none, errCut
	}
	switch rand.IntN(20) {
	case 0: // lost
		return none, errLate
	case 1, 2: // arrives after its sender has given up
		s.late.Add(1)
		go func() {
			defer s.late.Done()
			nap(maxLate)
			_, _ = request(context.WithoutCancel(ctx)) // nobody hears of it
		}()
		return none, errLate
	case 3, 4:
		nap(maxLate / 4)
	}
	got, err := request(ctx)
	switch {
	case s.cut.Load():
		return none, errCut
	case rand.IntN(20) == 0:
		return none, errLate
	case rand.IntN(10) == 0:
		nap(maxLate / 4)
	}
	return got, err
}

func nap(most time.Duration) { <-time.After(rand.N(most)) }
