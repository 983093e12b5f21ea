// SPDX-License-Identifier: MIT

package mysql

import (
	"testing"

	"github.com/troupe-go/troupe/orm/ormtest"
)

// TestOwners: see ormtest.RunOwners.
func TestOwners(t *testing.T) {
	if testing.Short() {
		t.Skip("the conformance suite has a short one")
	}
	ormtest.RunOwners(t, open(t, dsn(t)), true, 1000)
}
