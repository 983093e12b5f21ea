// SPDX-License-Identifier: MIT

package game

import (
	"sync/atomic"

	"github.com/troupe-go/troupe"
)

// IDs mints ids that are unique in the cluster. The source comes from the
// running node, so it is set after Start; until then there are no ids.
type IDs struct {
	source atomic.Pointer[troupe.IDSource]
}

// Set makes s the source.
func (i *IDs) Set(s *troupe.IDSource) { i.source.Store(s) }

// Next returns a new id, or ErrStopped before Set.
func (i *IDs) Next() (int64, error) {
	if s := i.source.Load(); s != nil {
		return s.Next()
	}
	return 0, troupe.ErrStopped
}
