// SPDX-License-Identifier: MIT

package orm_test

import (
	"testing"

	"github.com/troupe-go/troupe/orm/ormtest"
)

// TestOwners: two nodes take documents from each other; no acknowledged save is
// lost and versions never go back.
func TestOwners(t *testing.T) {
	steps := 1500
	if testing.Short() {
		steps = 150
	}
	t.Run("cluster", func(t *testing.T) { ormtest.RunOwners(t, ormtest.NewMemory(), true, steps) })
	t.Run("single", func(t *testing.T) { ormtest.RunOwners(t, ormtest.NewMemory(), false, steps) })
}
