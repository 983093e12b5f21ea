// SPDX-License-Identifier: MIT

package orm

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// job is one owner's group on its way to the database. Its bytes and tokens
// never change (O3). docs and proofs belong to the owner; err is written before
// done is closed and read afterwards.
type job struct {
	unit   *unit
	docs   []*binding // that have changed
	proofs []*binding // that have not, but whose load is to be proven
	group  Group
	bytes  int
	since  time.Time // of the oldest change in it

	done chan struct{}
	err  error
}

// isDone reports whether the outcome is known. Any goroutine may call it.
func (j *job) isDone() bool {
	select {
	case <-j.done:
		return true
	default:
		return false
	}
}

func (j *job) finish(err error) {
	j.err = err
	close(j.done)
}

// commitQueue holds jobs until a committer takes a batch of them. Durable jobs,
// which somebody waits for, go first, but leave a quarter of every batch to the
// others.
type commitQueue struct {
	maxDocs, maxBytes int

	mu      sync.Mutex
	more    chan struct{} // holds a token when a committer should look
	durable fifo
	lazy    fifo
	taken   map[*job]struct{} // in committers' hands
	nbytes  int               // of all jobs here or taken
	ndocs   int
	closed  bool
	idle    chan struct{} // closed when closed and empty
}

type fifo struct {
	jobs []*job
	head int
}

func (f *fifo) push(j *job) { f.jobs = append(f.jobs, j) }

func (f *fifo) peek() *job {
	if f.head == len(f.jobs) {
		return nil
	}
	return f.jobs[f.head]
}

func (f *fifo) drop() {
	f.jobs[f.head] = nil
	if f.head++; f.head == len(f.jobs) {
		f.jobs, f.head = f.jobs[:0], 0
	}
}

func (q *commitQueue) init(cfg Config) {
	q.maxDocs, q.maxBytes = cfg.MaxBatchDocs, cfg.MaxBatchBytes
	q.more = make(chan struct{}, cfg.Writers)
	q.taken = make(map[*job]struct{})
	q.idle = make(chan struct{})
}

// push queues j. After shut it finishes it at once with ErrClosed.
func (q *commitQueue) push(j *job, durable bool) {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		j.finish(ErrClosed)
		return
	}
	if durable {
		q.durable.push(j)
	} else {
		q.lazy.push(j)
	}
	q.nbytes += j.bytes
	q.ndocs += len(j.group)
	q.mu.Unlock()
	q.wake()
}

func (q *commitQueue) wake() {
	select {
	case q.more <- struct{}{}:
	default:
	}
}

// take returns the next batch, or nil.
func (q *commitQueue) take() []*job {
	q.mu.Lock()
	defer q.mu.Unlock()
	b := batch{maxDocs: q.maxDocs, maxBytes: q.maxBytes}
	first := b
	if q.lazy.peek() != nil {
		first.maxDocs, first.maxBytes = max(1, q.maxDocs*3/4), max(1, q.maxBytes*3/4)
	}
	first.fill(&q.durable)
	b.jobs, b.docs, b.bytes = first.jobs, first.docs, first.bytes
	b.fill(&q.lazy)
	b.fill(&q.durable)
	for _, j := range b.jobs {
		q.taken[j] = struct{}{}
	}
	if q.durable.peek() != nil || q.lazy.peek() != nil {
		q.wake() // enough for another committer
	}
	return b.jobs
}

// batch collects jobs within bounds; the first always fits.
type batch struct {
	maxDocs, maxBytes int
	jobs              []*job
	docs, bytes       int
}

func (b *batch) fill(f *fifo) {
	for j := f.peek(); j != nil; j = f.peek() {
		if len(b.jobs) > 0 && (b.docs+len(j.group) > b.maxDocs || b.bytes+j.bytes > b.maxBytes) {
			return
		}
		b.jobs = append(b.jobs, j)
		b.docs += len(j.group)
		b.bytes += j.bytes
		f.drop()
	}
}

// release takes finished jobs off the books.
func (q *commitQueue) release(jobs []*job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, j := range jobs {
		delete(q.taken, j)
		q.nbytes -= j.bytes
		q.ndocs -= len(j.group)
	}
	q.checkIdle()
}

func (q *commitQueue) checkIdle() {
	if q.closed && q.ndocs == 0 {
		select {
		case <-q.idle:
		default:
			close(q.idle)
		}
	}
}

// shut refuses further jobs and returns a channel that is closed when the last
// one is done.
func (q *commitQueue) shut() <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.checkIdle()
	return q.idle
}

// abandon finishes what is left when the committers are gone.
func (q *commitQueue) abandon() {
	for jobs := q.take(); len(jobs) > 0; jobs = q.take() {
		for _, j := range jobs {
			j.finish(ErrClosed)
		}
	}
}

func (q *commitQueue) bytes() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.nbytes
}

func (q *commitQueue) docs() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.ndocs
}

// oldest returns the time of the oldest change in the queue or in a committer's
// hands, or zero.
func (q *commitQueue) oldest() time.Time {
	q.mu.Lock()
	defer q.mu.Unlock()
	var oldest time.Time
	see := func(j *job) {
		if oldest.IsZero() || j.since.Before(oldest) {
			oldest = j.since
		}
	}
	for j := range q.taken {
		see(j)
	}
	for _, f := range []*fifo{&q.durable, &q.lazy} {
		if j := f.peek(); j != nil {
			see(j)
		}
	}
	return oldest
}

// runCommitter writes batches until Close.
func (db *DB) runCommitter() {
	defer db.done.Done()
	for {
		if db.ctx.Err() != nil {
			return
		}
		jobs := db.queue.take()
		if len(jobs) == 0 {
			select {
			case <-db.queue.more:
			case <-db.ctx.Done():
			}
			continue
		}
		if current := dropSuperseded(jobs); len(current) > 0 {
			db.commit(current)
		}
		db.queue.release(jobs)
	}
}

// dropSuperseded finishes the jobs of activations whose successor has loaded,
// and returns the others. It also keeps two jobs for one row out of a batch: a
// successor's job is queued only after its predecessor was marked.
func dropSuperseded(jobs []*job) []*job {
	var current []*job
	for _, j := range jobs {
		if j.unit.superseded.Load() {
			j.finish(fmt.Errorf("save %s: %w", j.unit.key, ErrFenced))
			continue
		}
		current = append(current, j)
	}
	return current
}

// commit writes jobs and repeats, unchanged, while the outcome is unknown (O3).
func (db *DB) commit(jobs []*job) {
	pause := db.cfg.RetryMin
	for {
		err := db.try(jobs)
		if err == nil {
			return
		}
		if permanent(err) {
			db.isolate(jobs, err)
			return
		}
		db.stats.add(CountRetries, 1)
		db.log.Error("orm: save failed, trying again", "groups", len(jobs), "pause", pause, "err", err)
		if !db.sleep(pause/2 + rand.N(pause/2+1)) {
			for _, j := range jobs {
				j.finish(fmt.Errorf("%w: %w: %w", ErrClosed, ErrUnsaved, err))
			}
			return
		}
		pause = min(2*pause, db.cfg.RetryMax)
	}
}

// permanent reports whether the database will refuse the same write again.
func permanent(err error) bool { return errors.Is(err, ErrRefused) || errors.Is(err, ErrSchema) }

// isolate finds out which groups of a refused batch are at fault, so that one
// bad document does not hold up the others.
func (db *DB) isolate(jobs []*job, err error) {
	if len(jobs) == 1 {
		db.stats.add(CountRefused, 1)
		db.log.Error("orm: the database refuses a group", "owner", jobs[0].unit.key, "err", err)
		jobs[0].finish(err)
		jobs[0].unit.list(time.Now()) // still dirty: try again later
		return
	}
	for i := range jobs {
		db.commit(jobs[i : i+1])
	}
}

// try writes jobs once and finishes them, or returns why nothing is known.
func (db *DB) try(jobs []*job) error {
	groups := make([]Group, len(jobs))
	for i, j := range jobs {
		groups[i] = j.group
	}
	ctx, cancel := context.WithTimeout(db.ctx, db.cfg.SaveTimeout)
	defer cancel()
	start := time.Now()
	outcomes, err := db.store.Save(ctx, groups)
	if err == nil && len(outcomes) != len(jobs) {
		err = fmt.Errorf("orm: store returned %d outcomes for %d groups", len(outcomes), len(jobs))
	}
	if err != nil {
		return err
	}
	db.account(jobs, outcomes, start)
	for i, j := range jobs {
		if outcomes[i] == Saved {
			j.finish(nil)
			continue
		}
		j.unit.fenced()
		j.finish(fmt.Errorf("save %s: %w", j.unit.key, ErrFenced))
	}
	return nil
}

// account counts a confirmed transaction that began at start.
func (db *DB) account(jobs []*job, outcomes []Outcome, start time.Time) {
	now := time.Now()
	docs, bytes := 0, 0
	for i, j := range jobs {
		if outcomes[i] != Saved {
			db.stats.add(CountFenced, 1)
			continue
		}
		docs += len(j.group)
		bytes += j.bytes
		db.cfg.Metrics.Observe(SampleQueueSeconds, now.Sub(j.since).Seconds())
	}
	db.stats.saved(docs, bytes, now.Sub(start))
}

// sleep pauses for d. It reports false when the DB is closing for good.
func (db *DB) sleep(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-db.ctx.Done():
		return false
	}
}
