// SPDX-License-Identifier: MIT

package gate

import "github.com/troupe-go/troupe"

// A Group is a set of sessions that get the same events: a room, a zone, a
// guild that is online. It costs one message per gate and push, and the gate
// encodes the event once. Keep it in an actor and use it on the actor's turn
// only. The zero value is empty.
type Group struct {
	gates map[string]map[uint64]int // gate -> session -> index in ids
	ids   map[string][]uint64       // what is sent: shared with messages, so copied before it changes
	dirty map[string]bool           // ids[gate] is in a message
}

// Add puts a session into the group. It reports whether it was new.
func (g *Group) Add(s SessionRef) bool {
	if s.IsZero() {
		return false
	}
	if g.gates == nil {
		g.gates, g.ids, g.dirty = map[string]map[uint64]int{}, map[string][]uint64{}, map[string]bool{}
	}
	members := g.gates[s.Gate]
	if members == nil {
		members = make(map[uint64]int)
		g.gates[s.Gate] = members
	}
	if _, ok := members[s.ID]; ok {
		return false
	}
	g.own(s.Gate)
	members[s.ID] = len(g.ids[s.Gate])
	g.ids[s.Gate] = append(g.ids[s.Gate], s.ID)
	return true
}

// Remove takes a session out. It reports whether it was in.
func (g *Group) Remove(s SessionRef) bool {
	members := g.gates[s.Gate]
	at, ok := members[s.ID]
	if !ok {
		return false
	}
	g.own(s.Gate)
	ids := g.ids[s.Gate]
	last := len(ids) - 1
	ids[at] = ids[last]
	members[ids[at]] = at
	g.ids[s.Gate] = ids[:last]
	delete(members, s.ID)
	if len(members) == 0 {
		delete(g.gates, s.Gate)
		delete(g.ids, s.Gate)
		delete(g.dirty, s.Gate)
	}
	return true
}

// own makes ids[gate] ours alone.
func (g *Group) own(gate string) {
	if g.dirty[gate] {
		g.ids[gate] = append(make([]uint64, 0, len(g.ids[gate])+1), g.ids[gate]...)
		g.dirty[gate] = false
	}
}

// Len returns the number of sessions.
func (g *Group) Len() int {
	n := 0
	for _, members := range g.gates {
		n += len(members)
	}
	return n
}

// Push sends an event to all sessions of the group. The error joins those of
// the gates that could not be told; the others were.
func (g *Group) Push(from troupe.Caller, event int32, data []byte) error {
	return g.push(from, newPush(from, event, data, false))
}

// PushVolatile is Push for state that the next push repeats; see Push.Volatile.
func (g *Group) PushVolatile(from troupe.Caller, event int32, data []byte) error {
	return g.push(from, newPush(from, event, data, true))
}

func (g *Group) push(from troupe.Caller, p Push) error {
	var first error
	for gate, ids := range g.ids {
		g.dirty[gate] = true
		if err := push(from, gate, ids[:len(ids):len(ids)], p); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// Multicast sends an event once to each of the sessions, with one message per
// gate, for audiences that change with every event.
func Multicast(from troupe.Caller, to []SessionRef, p Push) error {
	byGate := make(map[string][]uint64)
	for _, s := range to {
		if !s.IsZero() {
			byGate[s.Gate] = append(byGate[s.Gate], s.ID)
		}
	}
	full := newPush(from, p.Event, p.Data, p.Volatile)
	var first error
	for gate, ids := range byGate {
		if err := push(from, gate, ids, full); err != nil && first == nil {
			first = err
		}
	}
	return first
}
