// SPDX-License-Identifier: MIT

package orm

import (
	"sync/atomic"
	"time"
)

// Stats is a snapshot of a DB. Counters only grow.
type Stats struct {
	// Batches, Docs and Bytes count what the database confirmed.
	Batches, Docs, Bytes uint64
	// Retries counts transactions that failed and were tried again.
	Retries uint64
	// Fenced counts groups refused because of a newer owner.
	Fenced uint64
	// Refused counts groups that cannot be saved as they are.
	Refused uint64
	// Loads counts documents loaded.
	Loads uint64

	// PendingDocs and PendingBytes are encoded and wait for the database.
	PendingDocs, PendingBytes int
	// Touched counts owners that ran and have not been looked at since.
	Touched int
	// Owners counts owners with loaded documents.
	Owners int
	// OldestUnsaved is the age of the oldest change that may be unsaved.
	OldestUnsaved time.Duration
	// SaveLatency counts confirmed transactions by duration: bucket i holds
	// those under 2^i times 100 µs, the last one all others.
	SaveLatency [latencyBuckets]uint64
}

const (
	latencyBuckets    = 18 // up to 13 s
	latencyResolution = 100 * time.Microsecond
)

// counters are the sums for Stats; everything goes to Config.Metrics as well.
type counters struct {
	metrics Metrics
	sums    [numCounters]atomic.Uint64
	latency [latencyBuckets]atomic.Uint64
}

func (c *counters) add(counter Counter, n int) {
	c.sums[counter].Add(uint64(n))
	c.metrics.Add(counter, int64(n))
}

// saved counts a confirmed transaction.
func (c *counters) saved(docs, bytes int, took time.Duration) {
	c.add(CountFlushes, 1)
	c.add(CountDocuments, docs)
	c.add(CountBytes, bytes)
	c.metrics.Observe(SampleFlushSeconds, took.Seconds())
	i := 0
	for d := latencyResolution; took >= d && i < latencyBuckets-1; d *= 2 {
		i++
	}
	c.latency[i].Add(1)
}

// Stats returns a snapshot. It does not block on the database.
func (db *DB) Stats() Stats {
	s := Stats{
		Batches: db.stats.sums[CountFlushes].Load(), Docs: db.stats.sums[CountDocuments].Load(),
		Bytes: db.stats.sums[CountBytes].Load(), Retries: db.stats.sums[CountRetries].Load(),
		Fenced: db.stats.sums[CountFenced].Load(), Refused: db.stats.sums[CountRefused].Load(),
		Loads:       db.stats.sums[CountLoads].Load(),
		PendingDocs: db.queue.docs(), PendingBytes: db.queue.bytes(), Touched: db.touched.len(),
		OldestUnsaved: db.oldest(time.Now()),
	}
	for i := range db.stats.latency {
		s.SaveLatency[i] = db.stats.latency[i].Load()
	}
	db.mu.Lock()
	s.Owners = len(db.units)
	db.mu.Unlock()
	return s
}
