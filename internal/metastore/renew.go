// SPDX-License-Identifier: MIT

package metastore

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/troupe-go/troupe/internal/metastore/core"
)

// errNotAdmitted: the grantor stopped extending a holder that never saw an
// answer.
var errNotAdmitted = errors.New("metastore: renewal not admitted")

// renewals collects the renewals that reach a leader and commits them together:
// one log entry per interval, however many nodes there are.
type renewals struct {
	every   time.Duration
	admit   func(core.Renewal) bool
	propose func(...core.Command) (*bundle, error)

	mu    sync.Mutex
	queue []*renewal
	wake  chan struct{}
}

type renewal struct {
	r    core.Renewal
	code core.Code
	err  error
	done chan struct{}
}

// renew queues one renewal and waits until it is committed.
func (s *renewals) renew(ctx context.Context, r core.Renewal) (core.Code, error) {
	if !s.admit(r) {
		return 0, errNotAdmitted
	}
	q := &renewal{r: r, done: make(chan struct{})}
	s.mu.Lock()
	s.queue = append(s.queue, q)
	s.mu.Unlock()
	wakeUp(s.wake)
	select {
	case <-q.done:
		return q.code, q.err
	case <-ctx.Done():
		return 0, ErrInDoubt
	}
}

func (s *renewals) runRenewals(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		select {
		case <-s.wake:
		case <-ctx.Done():
			s.mu.Lock()
			defer s.mu.Unlock()
			finish(s.queue, nil, ErrClosed)
			s.queue = nil
			return
		}
		sleep(ctx, s.every)
		s.mu.Lock()
		batch := s.queue
		s.queue = nil
		s.mu.Unlock()
		if len(batch) > 0 {
			wg.Go(func() { s.commit(batch) })
		}
	}
}

func (s *renewals) commit(batch []*renewal) {
	cmd := core.RenewBatch{Items: make([]core.Renewal, len(batch))}
	for i, q := range batch {
		cmd.Items[i] = q.r
	}
	b, err := s.propose(cmd)
	if err != nil {
		finish(batch, nil, err)
		return
	}
	finish(batch, b.results[0].Items, nil)
}

func finish(batch []*renewal, out []core.Outcome, err error) {
	for i, q := range batch {
		if q.err = err; err == nil {
			q.code = out[i].Code
		}
		close(q.done)
	}
}
