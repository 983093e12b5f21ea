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

type counters struct {
	batches, docs, bytes            atomic.Uint64
	retries, fenced, refused, loads atomic.Uint64
	latency                         [latencyBuckets]atomic.Uint64
}

func (c *counters) saved(docs, bytes int, took time.Duration) {
	c.batches.Add(1)
	c.docs.Add(uint64(docs))
	c.bytes.Add(uint64(bytes))
	i := 0
	for d := latencyResolution; took >= d && i < latencyBuckets-1; d *= 2 {
		i++
	}
	c.latency[i].Add(1)
}

// Stats returns a snapshot. It does not block on the database.
func (db *DB) Stats() Stats {
	s := Stats{
		Batches: db.stats.batches.Load(), Docs: db.stats.docs.Load(), Bytes: db.stats.bytes.Load(),
		Retries: db.stats.retries.Load(), Fenced: db.stats.fenced.Load(),
		Refused: db.stats.refused.Load(), Loads: db.stats.loads.Load(),
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
