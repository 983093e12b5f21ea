// SPDX-License-Identifier: MIT

package sim

import (
	"cmp"
	"slices"
	"time"
)

// final is what an entity holds when all faults are over.
type final struct{ ops, notes []int64 }

// check compares what the clients were told with what is there at the end.
func (h *history) check(end map[int64]final, gentle bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	byEntity := make(map[int64][]*operation)
	for _, op := range h.ops {
		byEntity[op.entity] = append(byEntity[op.entity], op)
		if op.end != 0 {
			h.stats.Acked++
		} else {
			h.stats.Unknown++
		}
	}
	for id := range int64(entities) {
		ops := byEntity[id]
		f, ok := end[id]
		if !ok {
			continue // I13 has said so
		}
		h.checkOnce(id, f)
		h.checkDurable(id, ops, f)
		h.checkOrder(id, ops)
		h.checkNotes(id, ops, f, gentle)
		h.stats.Worst = max(h.stats.Worst, worstGap(ops))
	}
}

// checkOnce is I10: an operation is applied at most once.
func (h *history) checkOnce(id int64, f final) {
	seen := make(map[int64]bool)
	for _, op := range f.ops {
		if seen[op] {
			h.violatedLocked("I10: entity/%d applied %#x twice", id, op)
		}
		seen[op] = true
	}
}

// checkDurable is I6: what was acknowledged is there, where it was put, and
// every read saw a beginning of the final list.
func (h *history) checkDurable(id int64, ops []*operation, f final) {
	for _, op := range ops {
		switch {
		case op.end == 0:
		case op.kind == "append" && (op.position >= len(f.ops) || f.ops[op.position] != op.id):
			h.violatedLocked("I6: entity/%d lost %#x, acknowledged at %v (position %d, epoch %d; %d at the end)",
				id, op.id, op.end, op.position, op.epoch, len(f.ops))
		case op.kind == "read" && (len(op.list) > len(f.ops) || !slices.Equal(op.list, f.ops[:len(op.list)])):
			h.violatedLocked("I6: entity/%d: a read at %v returned %d operations that are not how the %d at the end begin",
				id, op.end, len(op.list), len(f.ops))
		}
	}
}

// checkOrder is I5. Appends have distinct positions and reads see all before
// theirs, so the order of the versions is the only candidate for a
// linearization: it is one if no operation that began after another ended comes
// before it. The sweep goes through starts and ends in time order.
func (h *history) checkOrder(id int64, ops []*operation) {
	type moment struct {
		at  time.Duration
		end bool
		op  *operation
	}
	var moments []moment
	for _, op := range ops {
		if op.end != 0 && op.kind != "note" {
			moments = append(moments, moment{op.start, false, op}, moment{op.end, true, op})
		}
	}
	slices.SortStableFunc(moments, func(a, b moment) int {
		if c := cmp.Compare(a.at, b.at); c != 0 {
			return c
		}
		if a.end == b.end {
			return 0
		}
		if a.end { // equal times count as concurrent
			return 1
		}
		return -1
	})
	done := 0 // the newest version that some finished operation has seen
	for _, m := range moments {
		v := len(m.op.list)
		if m.op.kind == "append" {
			v = m.op.position + 1
		}
		switch {
		case m.end:
			done = max(done, v)
		case v < done || v == done && m.op.kind == "append":
			h.violatedLocked("I5: entity/%d: %s %#x from %v to %v saw version %d after version %d",
				id, m.op.kind, m.op.id, m.op.start, m.op.end, v, done)
		}
	}
}

// checkNotes is I7: of the notes of one epoch only the last ones are lost, and
// none when nodes only stopped in good order.
func (h *history) checkNotes(id int64, ops []*operation, f final, gentle bool) {
	kept := make(map[int64]bool)
	for _, n := range f.notes {
		kept[n] = true
	}
	lost := make(map[uint64]int) // epoch -> the first position lost
	for _, op := range ops {
		if op.kind != "note" || op.end == 0 || kept[op.id] {
			continue
		}
		h.stats.LostNotes++
		if gentle {
			h.violatedLocked("I7: entity/%d lost a note of epoch %d, acknowledged at %v, although no node crashed", id, op.epoch, op.end)
		}
		if at, ok := lost[op.epoch]; !ok || op.position < at {
			lost[op.epoch] = op.position
		}
	}
	for _, op := range ops {
		if at, ok := lost[op.epoch]; ok && op.kind == "note" && op.end != 0 && kept[op.id] && op.position > at {
			h.violatedLocked("I7: entity/%d lost note %d of epoch %d but kept note %d", id, at, op.epoch, op.position)
		}
	}
}

// worstGap is the longest time for which an operation waited for its answer.
func worstGap(ops []*operation) time.Duration {
	worst := time.Duration(0)
	for _, op := range ops {
		if op.end != 0 {
			worst = max(worst, op.end-op.start)
		}
	}
	return worst
}
