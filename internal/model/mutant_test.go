// SPDX-License-Identifier: MIT

//go:build troupe_mutants

package model

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/troupe-go/troupe/internal/metastore/core"
)

// TestCoreMutants: each rule left out of the core violates its own invariant.
func TestCoreMutants(t *testing.T) {
	for name, want := range map[string]error{
		"expire-cas":     errR3,
		"expire-term":    errR3,
		"grace":          errI4,
		"ack-deadline":   errI4,
		"gate":           errI4,
		"transfer-epoch": errI1,
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, core.SetAblation(name, true))
			defer func() { require.NoError(t, core.SetAblation(name, false)) }()
			got := search(newLeaseWorld(), limit)
			t.Log(got)
			require.ErrorIs(t, got.violation, want)
		})
	}
}
