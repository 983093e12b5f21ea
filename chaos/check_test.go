// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// history makes operations one after the other; an append has its position.
func history(ops ...*operation) []*operation {
	for i, op := range ops {
		op.Start, op.End = time.Duration(2*i), time.Duration(2*i+1)
	}
	return ops
}

func appended(id int64, position int) *operation {
	return &operation{ID: id, placed: placed{Position: position, Epoch: 1, Node: "n0"}}
}

func read(ops ...int64) *operation {
	return &operation{Read: true, placed: placed{Ops: ops, Epoch: 1, Node: "n0"}}
}

// TestEntityChecks: the checkers find what they are there for, and nothing else.
func TestEntityChecks(t *testing.T) {
	for name, c := range map[string]struct {
		ops  []*operation
		want string
	}{
		"in order":         {history(appended(1, 0), appended(2, 1), read(1, 2)), ""},
		"lost":             {history(appended(1, 0), appended(2, 1), read(1)), "I6"},
		"stale read":       {history(appended(1, 0), read(), read(1)), "I5"},
		"applied twice":    {history(appended(1, 0), read(1, 1)), "I10"},
		"in another order": {history(appended(1, 1), appended(2, 0), read(2, 1)), "I5"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &Summary{}
			s.checkEntity(1, c.ops, true)
			expect(t, s, c.want)
		})
	}
}

func expect(t *testing.T, s *Summary, want string) {
	t.Helper()
	all := strings.Join(s.Violations, "\n")
	if want == "" && all != "" || want != "" && !strings.Contains(all, want+":") {
		t.Errorf("got %q, want %q", all, want)
	}
}

func TestLeases(t *testing.T) {
	begin := time.Now()
	at := func(d time.Duration) int64 { return begin.Add(d).UnixNano() }
	line := func(epoch int, from, to time.Duration) string {
		return fmt.Sprintf("7 1 %d %d %d\n", epoch, at(from), at(to))
	}
	for title, c := range map[string]struct {
		first, second string
		stops         []stopped
		want          string
		overlaps      int
	}{
		"one after the other": {line(5, 1, 2), line(9, 3, 4), nil, "", 0},
		"overlap":             {line(5, 1, 10), line(9, 3, 4), nil, "", 1},
		"late":                {line(5, 1, 2) + line(5, 5, 6), line(9, 3, 4), nil, "I4", 0},
		"late after a pause":  {line(5, 1, 2) + line(5, 5, 6), line(9, 3, 4), []stopped{{0, 1, 5}}, "", 0},
	} {
		t.Run(title, func(t *testing.T) {
			dir := t.TempDir()
			for i := range nodes {
				text := map[int]string{0: c.first, 1: c.second}[i]
				if err := os.WriteFile(filepath.Join(dir, "handlers."+name(i)), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			w := &workload{c: &cluster{dir: dir}, begin: begin, stops: c.stops}
			s := &Summary{}
			w.leases(s)
			expect(t, s, c.want)
			if s.Overlaps != c.overlaps {
				t.Errorf("got %d overlaps, want %d", s.Overlaps, c.overlaps)
			}
		})
	}
}

func TestUniqueIDs(t *testing.T) {
	w := &workload{ids: []int64{3, 1, 2, 1}}
	s := &Summary{}
	w.uniqueIDs(s)
	expect(t, s, "I9")
}
