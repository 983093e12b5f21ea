// SPDX-License-Identifier: MIT

package gate

import (
	"sync"
	"time"
)

// An ipTable counts connections and handshakes per address. It holds an entry
// while the address has connections or has used up some of its handshakes, so
// its size is bounded by connections plus handshake rate times refill time.
// The zero value is ready to use.
type ipTable struct {
	mu sync.Mutex
	m  map[string]*ipEntry
}

type ipEntry struct {
	conns      int
	handshakes bucket
}

// enter counts a connection and reports whether it is within limits. Only a
// successful enter is followed by leave.
func (t *ipTable) enter(ip string, now time.Time, lim Limits) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.m == nil {
		t.m = make(map[string]*ipEntry)
	}
	e := t.m[ip]
	if e == nil {
		e = &ipEntry{}
		t.m[ip] = e
	}
	if over(e.conns+1, lim.ConnsPerIP) || !e.handshakes.allow(now, 1, lim.HandshakesPerIP, lim.HandshakeBurst) {
		return false
	}
	e.conns++
	return true
}

func (t *ipTable) leave(ip string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.m[ip]; e != nil {
		e.conns--
	}
}

// forget drops entries that no longer say anything.
func (t *ipTable) forget(now time.Time, lim Limits) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for ip, e := range t.m {
		if e.conns <= 0 && e.handshakes.full(now, lim.HandshakesPerIP, lim.HandshakeBurst) {
			delete(t.m, ip)
		}
	}
}
