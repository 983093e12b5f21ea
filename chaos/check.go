// SPDX-License-Identifier: MIT

package main

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"
)

// Summary is the one line of a run.
type Summary struct {
	Seed            uint64         `json:"seed"`
	Seconds         float64        `json:"seconds"`
	Namespaces      bool           `json:"namespaces"`
	Ops             int            `json:"ops"`
	Unknown         int            `json:"unknown"`
	FailedTries     int            `json:"failed_tries"`
	Faults          map[string]int `json:"faults"`
	FaultsTotal     int            `json:"faults_total"`
	Violations      []string       `json:"violations"`
	CheckerTimeouts int            `json:"checker_timeouts"`
	LostDurable     int            `json:"lost_durable"`
	Moves           int            `json:"ownership_moves"`
	Loads           int            `json:"db_loads"`
	Writes          int            `json:"db_writes"`
	ZombiesRefused  int            `json:"zombie_writes_refused"`
	Exits           int            `json:"exits_after_last_fault"`
	Transfers       int            `json:"transfers"`
	IDs             int            `json:"ids"`
	Handlers        int            `json:"handlers"`
	Overlaps        int            `json:"handler_overlaps"`
	LateHandlers    int            `json:"handlers_late_after_pause"`
	// Unavailability per entity and fault class, in seconds: the longest gap
	// between two answers that overlaps the fault.
	Unavailable map[string]Gaps `json:"unavailable_s"`
}

// Gaps are percentiles in seconds.
type Gaps struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// check runs every checker over the recorded history.
func (w *workload) check(o options) *Summary {
	s := &Summary{
		Seed: o.seed, Seconds: math.Round(w.now().Seconds()), Namespaces: o.namespaces, FailedTries: w.failed,
		Faults: make(map[string]int), FaultsTotal: len(w.faults), Violations: []string{}, Unavailable: make(map[string]Gaps),
	}
	for _, f := range w.faults {
		s.Faults[f.Class]++
	}
	for _, e := range w.stuck {
		s.Violations = append(s.Violations, fmt.Sprintf("I13: entity %d does not answer %v after the last fault", e, settleFor))
	}
	by := make([][]*operation, entities)
	for _, op := range w.ops {
		by[op.Entity] = append(by[op.Entity], op)
		if op.End != 0 {
			s.Ops++
		} else {
			s.Unknown++
		}
	}
	for e, ops := range by {
		s.checkEntity(e, ops, !slices.Contains(w.stuck, e))
	}
	s.Exits = w.exits
	s.Ops += int(w.others.Load()) + len(w.ids)
	ctx, cancel := context.WithTimeout(context.Background(), settleFor)
	defer cancel()
	w.bank(ctx, s)
	w.uniqueIDs(s)
	w.leases(s)
	w.violate(w.collect())
	s.Loads, s.Writes, s.ZombiesRefused = w.db.Loads, w.db.Writes, w.db.Refused
	s.Violations = append(append(s.Violations, w.found...), w.db.Violations...)
	w.gaps(s, by)
	return s
}

// checkEntity is I5 and, if the last read was answered, I6 for one entity.
func (s *Summary) checkEntity(e int, ops []*operation, settled bool) {
	var end []int64
	epoch := uint64(0)
	done := slices.Clone(ops)
	slices.SortFunc(done, func(a, b *operation) int { return cmp.Compare(a.End, b.End) })
	for _, op := range done {
		if op.End == 0 {
			continue
		}
		if op.Read {
			end = op.Ops // the last read comes last
		}
		if op.Epoch > epoch {
			if epoch != 0 {
				s.Moves++
			}
			epoch = op.Epoch
		}
	}
	seen := make(map[int64]bool)
	for _, id := range end {
		if seen[id] {
			s.Violations = append(s.Violations, fmt.Sprintf("I10: entity %d applied %#x twice", e, id))
		}
		seen[id] = true
	}
	for _, op := range done {
		if settled && op.End != 0 && !op.Read && !seen[op.ID] {
			s.LostDurable++
			s.Violations = append(s.Violations, fmt.Sprintf("I6: entity %d lost %#x, acknowledged at %v", e, op.ID, op.End))
		}
	}
	switch linearizable(ops) {
	case porcupine.Illegal:
		s.Violations = append(s.Violations, fmt.Sprintf("I5: the history of entity %d is not linearizable", e))
	case porcupine.Unknown:
		s.CheckerTimeouts++
	}
}

// step is an operation for the checker: what was asked and what came back.
type step struct {
	read     bool
	id       int64
	known    bool
	position int
	list     string
}

// list packs operation numbers so that states compare with ==.
func list(ops []int64) string {
	b := make([]byte, 0, 8*len(ops))
	for _, op := range ops {
		b = binary.BigEndian.AppendUint64(b, uint64(op))
	}
	return string(b)
}

// appendOnce is a list to which every operation is appended once.
var appendOnce = porcupine.Model{
	Init: func() any { return "" },
	Step: func(state, input, _ any) (bool, any) {
		have, in := state.(string), input.(step)
		if in.read {
			return !in.known || in.list == have, have
		}
		return !in.known || in.position == len(have)/8, have + list([]int64{in.id})
	},
	Equal: func(a, b any) bool { return a == b },
}

func linearizable(ops []*operation) porcupine.CheckResult {
	var history []porcupine.Operation
	for _, op := range ops {
		end := int64(op.End)
		if op.End == 0 {
			if op.Read {
				continue
			}
			end = math.MaxInt64
		}
		history = append(history, porcupine.Operation{
			ClientId: op.Client, Call: int64(op.Start), Return: end,
			Input: step{op.Read, op.ID, op.End != 0, op.Position, list(op.Ops)},
		})
	}
	return porcupine.CheckOperationsTimeout(appendOnce, history, 20*time.Second)
}

// collect adds what the database has seen since it started: I2 and I3.
func (w *workload) collect() error {
	resp, err := w.c.client.Get("http://" + w.c.dbAddr() + "/stats")
	if err != nil {
		return fmt.Errorf("the database does not answer: %w", err)
	}
	defer resp.Body.Close()
	var d dbStats
	if err := json.NewDecoder(resp.Body).Decode(&d); err != nil {
		return fmt.Errorf("the database does not answer: %w", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.db.Loads += d.Loads
	w.db.Writes += d.Writes
	w.db.Refused += d.Refused
	w.db.Violations = append(w.db.Violations, d.Violations...)
	return nil
}

// dbStats are the figures of the database.
type dbStats struct {
	Loads, Writes, Refused int
	Violations             []string
}

// gaps finds, for every fault and entity, how long the entity was away.
func (w *workload) gaps(s *Summary, by [][]*operation) {
	found := make(map[string][]float64)
	for _, ops := range by {
		var ends []time.Duration
		for _, op := range ops {
			if op.End != 0 {
				ends = append(ends, op.End)
			}
		}
		slices.Sort(ends)
		for _, f := range w.faults {
			longest := time.Duration(0)
			for i := 1; i < len(ends); i++ {
				if ends[i] > f.Start && ends[i-1] < f.End {
					longest = max(longest, ends[i]-ends[i-1])
				}
			}
			found[f.Class] = append(found[f.Class], longest.Seconds())
		}
	}
	for class, g := range found {
		slices.Sort(g)
		at := func(p float64) float64 { return math.Round(100*g[int(p*float64(len(g)-1))]) / 100 }
		s.Unavailable[class] = Gaps{at(0.5), at(0.99), at(1)}
	}
}
