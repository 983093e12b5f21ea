// SPDX-License-Identifier: MIT

package memory

import (
	"time"

	"github.com/troupe-go/troupe/transport"
)

// interceptor applies the faults of single frames.
type interceptor struct{ net *Network }

// Intercept implements transport.Interceptor.
func (i interceptor) Intercept(from, to string, _ transport.Lane, frame []byte, deliver func([]byte)) {
	n := i.net
	n.mu.Lock()
	l := n.linkLocked(route{from, to})
	f := n.faultsLocked(l)
	if f.Drop == 0 && f.Duplicate == 0 && f.Reorder == 0 {
		n.mu.Unlock()
		deliver(frame)
		return
	}
	drop := l.rng.Float64() < f.Drop
	twice := l.rng.Float64() < f.Duplicate
	late := l.rng.Float64() < f.Reorder
	by := f.ReorderBy
	if by <= 0 {
		by = 10 * time.Millisecond
	}
	by = time.Duration(1 + l.rng.Int64N(int64(by)))
	n.mu.Unlock()
	if drop {
		return
	}
	if late {
		kept := append([]byte(nil), frame...)
		time.AfterFunc(by, func() { deliver(kept) })
		if !twice {
			return
		}
	}
	deliver(frame)
	if twice && !late {
		deliver(frame)
	}
}
