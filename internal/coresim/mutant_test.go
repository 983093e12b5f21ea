// SPDX-License-Identifier: MIT

//go:build troupe_mutants

package coresim

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/troupe-go/troupe/internal/metastore/core"
)

// TestCoreMutants: each rule left out of the core is found by a few seeds. The
// two comparisons of R3 need an exact order of messages: package model has it.
func TestCoreMutants(t *testing.T) {
	for name, want := range map[string][]string{
		"grace":          {"I4"},
		"ack-deadline":   {"I4"},
		"entity-epoch":   {"I1"},
		"gate":           {"I4", "I13", "I17"},
		"transfer-epoch": {"I1"},
		"dedupe-save":    {"I12"},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, core.SetAblation(name, true))
			defer func() { require.NoError(t, core.SetAblation(name, false)) }()
			seed, violation := findWithin(60, Rules{})
			t.Logf("seed %d: %s", seed, violation)
			got, _, _ := strings.Cut(violation, ":")
			require.Contains(t, want, got)
		})
	}
}
