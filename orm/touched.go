// SPDX-License-Identifier: MIT

package orm

import (
	"sync"
	"time"
)

// touchedList holds the units whose owner ran since their last look for
// changes, oldest first. A unit is in it at most once (unit.listed).
type touchedList struct {
	mu    sync.Mutex
	first *unit
	last  *unit
	count int
}

// push appends u, touched now. The caller has set u.listed.
func (l *touchedList) push(u *unit, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	u.touchedAt = now
	u.next = nil
	if l.last == nil {
		l.first = u
	} else {
		l.last.next = u
	}
	l.last = u
	l.count++
}

// pop removes the oldest unit if it was touched at or before due. It returns
// nil otherwise.
func (l *touchedList) pop(due time.Time) *unit {
	l.mu.Lock()
	defer l.mu.Unlock()
	u := l.first
	if u == nil || u.touchedAt.After(due) {
		return nil
	}
	l.first = u.next
	if l.first == nil {
		l.last = nil
	}
	u.next = nil
	l.count--
	return u
}

// oldest returns when the oldest unit was touched, or zero.
func (l *touchedList) oldest() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.first == nil {
		return time.Time{}
	}
	return l.first.touchedAt
}

func (l *touchedList) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count
}
