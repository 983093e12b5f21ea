// SPDX-License-Identifier: MIT

//go:build !troupe_mutants

package core

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRules(t *testing.T) {
	require.NoError(t, checkEpochsNeverRestart())
	require.NoError(t, checkAnswersSurviveRestore(func(s *State) *State { return roundTrip(t, s) }))
	require.NoError(t, checkPauseHolds())
}
