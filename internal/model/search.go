// SPDX-License-Identifier: MIT

package model

import "fmt"

// world is one state of the search.
type world interface {
	// key identifies the state; equal keys have equal futures.
	key() string
	// next returns the successors with the names of the steps to them. A step
	// that violates an invariant returns it as err.
	next() []step
}

type step struct {
	name string
	to   world
	err  error
}

// outcome is the result of a search.
type outcome struct {
	states    int
	violation error
	trace     []string // shortest way to the violation
	complete  bool     // false if the limit was reached first
}

// String summarises the outcome with the trace.
func (o outcome) String() string {
	s := fmt.Sprintf("%d states, complete %v", o.states, o.complete)
	if o.violation != nil {
		s += fmt.Sprintf(", violation after %d steps: %v", len(o.trace), o.violation)
		for i, name := range o.trace {
			s += fmt.Sprintf("\n%3d %s", i+1, name)
		}
	}
	return s
}

type visit struct {
	from int // index of the predecessor in the order of discovery
	name string
}

// search explores breadth first, so that the first violation has a shortest
// trace.
func search(start world, limit int) outcome {
	seen := map[string]struct{}{start.key(): {}}
	path := []visit{{-1, ""}}
	type item struct {
		w  world
		at int
	}
	queue := []item{{start, 0}}
	for len(queue) > 0 {
		it := queue[0]
		queue[0] = item{}
		queue = queue[1:]
		for _, s := range it.w.next() {
			if s.err != nil {
				return outcome{states: len(path), violation: s.err, trace: append(trace(path, it.at), s.name)}
			}
			k := s.to.key()
			if _, ok := seen[k]; ok {
				continue
			}
			if len(path) >= limit {
				return outcome{states: len(path)}
			}
			seen[k] = struct{}{}
			path = append(path, visit{it.at, s.name})
			queue = append(queue, item{s.to, len(path) - 1})
		}
	}
	return outcome{states: len(path), complete: true}
}

func trace(path []visit, at int) []string {
	var names []string
	for ; at > 0; at = path[at].from {
		names = append([]string{path[at].name}, names...)
	}
	return names
}
