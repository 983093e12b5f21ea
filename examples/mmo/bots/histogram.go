// SPDX-License-Identifier: MIT

package bots

import (
	"math"
	"sync/atomic"
	"time"
)

// histogram counts durations in buckets that grow by 5 %, from 10 µs to
// minutes. All methods may be called from any goroutine. The zero value is
// empty.
type histogram struct {
	buckets [400]atomic.Int64
	count   atomic.Int64
	max     atomic.Int64
}

const bucketGrowth = 1.05

func (h *histogram) note(d time.Duration) {
	i := 0
	if d > 10*time.Microsecond {
		i = min(1+int(math.Log(float64(d)/float64(10*time.Microsecond))/math.Log(bucketGrowth)), len(h.buckets)-1)
	}
	h.buckets[i].Add(1)
	h.count.Add(1)
	for {
		old := h.max.Load()
		if int64(d) <= old || h.max.CompareAndSwap(old, int64(d)) {
			return
		}
	}
}

// quantile returns an upper bound of the q-th quantile, at most 5 % too high.
func (h *histogram) quantile(q float64) time.Duration {
	rank := int64(math.Ceil(q * float64(h.count.Load())))
	if rank == 0 {
		return 0
	}
	var seen int64
	for i := range h.buckets {
		if seen += h.buckets[i].Load(); seen >= rank {
			d := time.Duration(float64(10*time.Microsecond) * math.Pow(bucketGrowth, float64(i)))
			return min(d, time.Duration(h.max.Load()))
		}
	}
	return time.Duration(h.max.Load())
}

func (h *histogram) reset() {
	for i := range h.buckets {
		h.buckets[i].Store(0)
	}
	h.count.Store(0)
	h.max.Store(0)
}

// Latency is what a histogram says, in milliseconds.
type Latency struct {
	Count int64   `json:"count"`
	P50   float64 `json:"p50"`
	P99   float64 `json:"p99"`
	Max   float64 `json:"max"`
}

func (h *histogram) summary() Latency {
	return Latency{Count: h.count.Load(), P50: millis(h.quantile(0.5)), P99: millis(h.quantile(0.99)), Max: millis(time.Duration(h.max.Load()))}
}

func millis(d time.Duration) float64 {
	return math.Round(float64(d)/float64(time.Millisecond)*100) / 100
}
