// SPDX-License-Identifier: MIT

package main

import (
	"bufio"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// handled is one handler, as its node wrote it down.
type handled struct {
	entity, generation, epoch, begin, end int64
	node                                  int
}

// stopped is when a process did not run.
type stopped struct {
	node       int
	begin, end time.Duration
}

// resumeSlack is how long after a pause a handler may begin late: a process that
// is stopped between its look at the lease and the handler's first line does
// not notice. Epochs make what it does harmless.
const resumeSlack = 200 * time.Millisecond

// leases is I4 by intervals: no handler of an epoch begins after one of a newer
// epoch began. Those that began before and were paused may overlap it; they are
// counted.
func (w *workload) leases(s *Summary) {
	by := make(map[int64][]handled)
	for i := range nodes {
		f, err := os.Open(filepath.Join(w.c.dir, "handlers."+name(i)))
		if err != nil {
			s.Violations = append(s.Violations, "no record of handlers: "+err.Error())
			continue
		}
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			h := handled{node: i}
			// A line that a killed process did not finish is left out.
			if n, _ := fmt.Sscan(lines.Text(), &h.entity, &h.generation, &h.epoch, &h.begin, &h.end); n == 5 {
				by[h.entity] = append(by[h.entity], h)
			}
		}
		_ = f.Close()
	}
	for entity, list := range by {
		slices.SortFunc(list, func(a, b handled) int { return cmp.Compare(a.begin, b.begin) })
		s.Handlers += len(list)
		var newest handled
		var last int64 // end of any handler of an older epoch
		for _, h := range list {
			older := h.generation < newest.generation || h.generation == newest.generation && h.epoch < newest.epoch
			switch {
			case older && w.resumed(h):
				s.LateHandlers++
			case older:
				s.Violations = append(s.Violations, fmt.Sprintf("I4: entity %d: a handler of epoch %d began on %s %v after one of epoch %d on %s",
					entity, h.epoch, name(h.node), time.Duration(h.begin-newest.begin), newest.epoch, name(newest.node)))
			case h.epoch != newest.epoch || h.generation != newest.generation:
				if last > h.begin {
					s.Overlaps++
				}
				newest = h
			}
			last = max(last, h.end)
		}
	}
}

// resumed reports whether a handler's node had just been stopped.
func (w *workload) resumed(h handled) bool {
	at := time.Unix(0, h.begin).Sub(w.begin)
	return slices.ContainsFunc(w.stops, func(s stopped) bool {
		return s.node == h.node && at >= s.begin && at <= s.end+resumeSlack
	})
}
