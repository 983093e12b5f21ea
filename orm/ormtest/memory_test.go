// SPDX-License-Identifier: MIT

package ormtest

import (
	"testing"

	"github.com/troupe-go/troupe/orm"
)

func TestMemory(t *testing.T) {
	Run(t, func(*testing.T) orm.Store { return NewMemory() })
}
