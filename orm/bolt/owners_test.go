// SPDX-License-Identifier: MIT

package bolt

import (
	"path/filepath"
	"testing"

	"github.com/troupe-go/troupe/orm/ormtest"
)

// TestOwners: see ormtest.RunOwners.
func TestOwners(t *testing.T) {
	if testing.Short() {
		t.Skip("the conformance suite has a short one")
	}
	ormtest.RunOwners(t, openPath(t, filepath.Join(t.TempDir(), "owners.db"), Options{}), true, 1000)
}
