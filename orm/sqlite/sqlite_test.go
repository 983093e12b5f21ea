// SPDX-License-Identifier: MIT

package sqlite

import (
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/troupe-go/troupe/orm"
	"github.com/troupe-go/troupe/orm/ormtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	ormtest.Run(t, func(t *testing.T) orm.Store {
		s, err := Open(filepath.Join(t.TempDir(), "docs ?#%.db"), Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	})
}
