// SPDX-License-Identifier: MIT

package sim

import (
	"fmt"
	"time"
)

// add sums up runs.
func (s *Stats) add(o Stats) {
	s.Runs += o.Runs
	s.Handlers += o.Handlers
	s.Moves += o.Moves
	s.Overlaps += o.Overlaps
	s.Writes += o.Writes
	s.Loads += o.Loads
	s.Refused += o.Refused
	s.Heard += o.Heard
	s.Again += o.Again
	s.Acked += o.Acked
	s.Unknown += o.Unknown
	s.LostNotes += o.LostNotes
	s.Faults += o.Faults
	s.Virtual += o.Virtual
	s.Worst = max(s.Worst, o.Worst)
	for kind, n := range o.ByFault {
		s.ByFault[kind] += n
	}
}

// String is one line for the report.
func (s Stats) String() string {
	return fmt.Sprintf("runs=%d virtual=%v faults=%d %v ops=%d unknown=%d handlers=%d moves=%d overlaps=%d writes=%d loads=%d refused=%d heard=%d again=%d lost_notes=%d worst=%v",
		s.Runs, s.Virtual.Round(time.Second), s.Faults, s.ByFault, s.Acked, s.Unknown, s.Handlers, s.Moves, s.Overlaps,
		s.Writes, s.Loads, s.Refused, s.Heard, s.Again, s.LostNotes, s.Worst.Round(time.Millisecond))
}
