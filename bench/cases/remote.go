// SPDX-License-Identifier: MIT

package cases

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/troupe-go/troupe/bench/compare"
)

// PayloadBytes is the size of the one-way messages of remote/send. The first 8
// bytes are a number, little-endian.
const PayloadBytes = 32

// Remote is a contender's way to an actor, or what it has in its place, in
// another process.
type Remote struct {
	// Call sends value and returns the answer, value plus one. Any goroutine
	// may call it.
	Call func(value int64) int64
	// Send sends a payload one way. It waits where the contender is bounded.
	Send func(payload []byte)
	// Total returns the sum and the number of all payloads that were sent
	// before.
	Total func() (sum, count int64)
}

// remoteCases measure messages between two processes over TCP on loopback.
func remoteCases(linked []Library) []compare.Case {
	var out []compare.Case
	for _, s := range []struct {
		name, about string
		n           int
		offers      func(lib Library) bool
		work        func(b *compare.B, r Remote) func(n int)
	}{
		{
			"remote/call1", "request and reply between two processes, 1 outstanding; compared by the median", 10_000,
			func(lib Library) bool { return true }, callTimed,
		},
		{
			"remote/call64", "request and reply between two processes, 64 outstanding", 50_000,
			func(lib Library) bool { return !lib.OneCaller },
			func(_ *compare.B, r Remote) func(n int) { return CallAll(64, r.Call) },
		},
		{
			"remote/send", "one-way messages of 32 bytes from one goroutine to another process, until all are handled", 200_000,
			func(lib Library) bool { return true }, sendAll,
		},
	} {
		c := compare.Case{Name: s.name, About: s.about, N: s.n}
		add(&c, "remote", linked, func(lib Library) func(b *compare.B) func(n int) {
			if lib.Remote == nil || !s.offers(lib) {
				return nil
			}
			return func(b *compare.B) func(n int) { return s.work(b, lib.Remote(b)) }
		})
		out = append(out, c)
	}
	return out
}

// callTimed is the work of remote/call1: calls one after the other, with the
// median and the 99th percentile of the last run.
func callTimed(b *compare.B, r Remote) func(n int) {
	took := make([]time.Duration, b.N)
	compare.Check("answer", r.Call(1), 2) // connects
	return func(n int) {
		last := time.Now()
		for i := range n {
			if got := r.Call(int64(i)); got != int64(i)+1 {
				compare.Check("answer", got, int64(i)+1)
			}
			now := time.Now()
			took[i], last = now.Sub(last), now
		}
		slices.Sort(took[:n])
		b.Report("p50_us", 1e6*compare.Quantile(took[:n], 0.5))
		b.Report("p99_us", 1e6*compare.Quantile(took[:n], 0.99))
	}
}

// sendAll is the work of remote/send.
func sendAll(_ *compare.B, r Remote) func(n int) {
	sum, count := r.Total() // connects
	return func(n int) {
		for i := range n {
			payload := make([]byte, PayloadBytes)
			binary.LittleEndian.PutUint64(payload, uint64(i))
			r.Send(payload)
		}
		sum += int64(n) * int64(n-1) / 2
		count += int64(n)
		gotSum, gotCount := r.Total()
		compare.Check("messages handled, and their sum", fmt.Sprint(gotCount, gotSum), fmt.Sprint(count, sum))
	}
}

// PayloadSum is the receiving side of remote/send. One goroutine at a time may
// use it.
type PayloadSum struct{ sum, count int64 }

// Add counts one payload.
func (s *PayloadSum) Add(payload []byte) {
	s.sum += int64(binary.LittleEndian.Uint64(payload))
	s.count++
}

// Bytes returns the sum and the number as one message; ParseTotal reads it.
func (s *PayloadSum) Bytes() []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(s.sum))
	return binary.LittleEndian.AppendUint64(b, uint64(s.count))
}

// ParseTotal reads what PayloadSum.Bytes returned.
func ParseTotal(b []byte) (sum, count int64) {
	return int64(binary.LittleEndian.Uint64(b)), int64(binary.LittleEndian.Uint64(b[8:]))
}

// waiters answers the callers of a contender that has frames and no calls.
type waiters struct {
	mu   sync.Mutex
	next uint64
	by   map[uint64]chan []byte
}

// begin returns the number of a call and where its answer comes.
func (w *waiters) begin() (uint64, chan []byte) {
	answer := make(chan []byte, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.by == nil {
		w.by = map[uint64]chan []byte{}
	}
	w.next++
	w.by[w.next] = answer
	return w.next, answer
}

// answer hands over the answer to a call.
func (w *waiters) answer(number uint64, data []byte) {
	w.mu.Lock()
	c := w.by[number]
	delete(w.by, number)
	w.mu.Unlock()
	if c != nil {
		c <- data
	}
}
