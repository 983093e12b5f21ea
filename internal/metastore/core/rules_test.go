// SPDX-License-Identifier: MIT

package core

import (
	"errors"
	"fmt"
)

// The checks below are shared by the tests of the full rules, where they must
// pass, and by the mutants, where they must fail.

var errRule = errors.New("rule broken")

func apply1(s *State, index *uint64, c Command) Result {
	*index++
	done, err := s.Apply(*index, 1, EncodeEntry(c))
	if err != nil {
		return no(CodeInvalid)
	}
	return done.Results[0]
}

// checkEpochsNeverRestart is I1 across the deletion of the record.
func checkEpochsNeverRestart() error {
	s, index := NewState(), uint64(0)
	for i := range 2 {
		apply1(s, &index, OpenSession{Node: fmt.Sprint(i), Incarnation: Incarnation{byte(i + 1)}, TTL: 5e9})
	}
	ids := []ID{{Kind: "k", Key: 1}}
	var last uint64
	for round := range 4 {
		by := uint64(round%2 + 1)
		got := apply1(s, &index, ClaimBatch{Session: by, IDs: ids}).Items[0]
		if got.Code != CodeOK || got.Epoch <= last {
			return fmt.Errorf("%w: epoch %d after %d", errRule, got.Epoch, last)
		}
		last = got.Epoch
		apply1(s, &index, ReleaseBatch{Session: by, Items: []IDEpoch{{ids[0], last}}})
	}
	return nil
}

// checkAnswersSurviveRestore is R6.
func checkAnswersSurviveRestore(restore func(*State) *State) error {
	s, index := NewState(), uint64(0)
	apply1(s, &index, OpenSession{Node: "a", Incarnation: Incarnation{1}, TTL: 5e9})
	c := KVWrite{Session: 1, Req: 1, Mode: KVCAS, Key: "k"}
	first := apply1(s, &index, c)
	s = restore(s)
	if again := apply1(s, &index, c); again.Outcome != first.Outcome {
		return fmt.Errorf("%w: %v, then %v", errRule, first.Outcome, again.Outcome)
	}
	return nil
}

// checkPauseHolds: after a pause nothing is dispatched before a new renewal.
func checkPauseHolds() error {
	h := NewHolder(Timing{})
	h.Step(Opened{Session: 1, TTL: 8 * sec}, 0)
	h.Step(HolderTick{}, 50*ms)
	h.Step(HolderTick{}, 3*sec)
	if g := h.Gate(3 * sec); g != GateHold {
		return fmt.Errorf("%w: %v after a pause", errRule, g)
	}
	return nil
}
