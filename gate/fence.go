// SPDX-License-Identifier: MIT

package gate

import (
	"sync"

	"github.com/troupe-go/troupe"
)

// fenceTableSize bounds how many pushing actors a gate remembers: two
// generations of this many, about 20 MB at worst. An actor that more than
// 65,536 others have pushed after is forgotten, and a zombie of it heard again.
const fenceTableSize = 1 << 16

// A fenceTable remembers the highest fence of each pushing actor. The zero
// value is ready to use.
//
// Forgetting goes by generations: when young is full it becomes old and the
// former old is dropped; a lookup moves an entry back to young.
type fenceTable struct {
	mu         sync.Mutex
	young, old map[troupe.Ref]Fence
}

// admit reports whether a push of that activation may be heard. It is monotone:
// after it admitted f for an actor it refuses everything before f.
func (t *fenceTable) admit(from troupe.Ref, f Fence) bool {
	if from.IsZero() || f == (Fence{}) {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	highest, ok := t.young[from]
	if !ok {
		highest = t.old[from]
	}
	if f.Before(highest) {
		return false
	}
	if ok && f == highest {
		return true
	}
	if t.young == nil || len(t.young) >= fenceTableSize {
		t.young, t.old = make(map[troupe.Ref]Fence), t.young
	}
	t.young[from] = f
	return true
}
