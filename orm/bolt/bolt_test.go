// SPDX-License-Identifier: MIT

package bolt

import (
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/troupe-go/troupe/orm"
	"github.com/troupe-go/troupe/orm/ormtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T) orm.Store {
	return openPath(t, filepath.Join(t.TempDir(), "docs.db"), Options{})
}

func openPath(t *testing.T, path string, opts Options) *Store {
	t.Helper()
	s, err := Open(path, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestConformance(t *testing.T) { ormtest.Run(t, open) }

// TestSpill runs the suite with so few fences in memory that they are written
// out all the time.
func TestSpill(t *testing.T) {
	ormtest.Run(t, func(t *testing.T) orm.Store {
		return openPath(t, filepath.Join(t.TempDir(), "docs.db"), Options{MaxFences: 1})
	})
}
