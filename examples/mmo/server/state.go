// SPDX-License-Identifier: MIT

package server

import (
	"context"
	"fmt"
	"reflect"
	"runtime"
	"sync"
	"time"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/examples/mmo/game"
)

// State is what the console shows.
type State struct {
	Uptime  float64     `json:"uptime"` // seconds
	Nodes   []NodeState `json:"nodes"`
	Zones   []ZoneState `json:"zones"`
	Moves   int64       `json:"moves"`  // since the start of the zones
	Pushes  int64       `json:"pushes"` // since the start
	Calls   int64       `json:"calls"`
	Bytes   int64       `json:"bytes"`
	Kills   int64       `json:"kills"`
	Memory  uint64      `json:"memory"` // bytes from the system
	Routine int         `json:"goroutines"`
}

// NodeState is one node.
type NodeState struct {
	Name     string `json:"name"`
	Up       bool   `json:"up"`
	Sessions int    `json:"sessions"`
	Players  int    `json:"players"`
	Zones    int    `json:"zones"`
}

// ZoneState is one zone.
type ZoneState struct {
	ID      int64  `json:"id"`
	Name    string `json:"name"`
	Node    string `json:"node"`
	Players int32  `json:"players"`
	TickMax int64  `json:"tickMicros"`
	moves   int64
}

// State asks all nodes and zones; those that do not answer soon are left out.
func (s *Server) State(ctx context.Context) State {
	st := State{Uptime: time.Since(s.begun).Seconds(), Kills: s.kills.Load(), Routine: runtime.NumGoroutine()}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	st.Memory = m.Sys
	s.mu.Lock()
	for index, i := range s.instances {
		n := NodeState{Name: s.name(index)}
		if i != nil && i.Gate != nil {
			n.Up, n.Sessions = true, i.Gate.Sessions()
			n.Players, n.Zones = i.Node.Active(game.KindPlayer), i.Node.Active(game.KindZone)
			st.Pushes += i.Pushes.Pushes.Load()
			st.Calls += i.Pushes.Requests.Load()
			st.Bytes += i.Pushes.BytesOut.Load()
		}
		st.Nodes = append(st.Nodes, n)
	}
	s.mu.Unlock()
	st.Zones = s.zones(ctx)
	for _, z := range st.Zones {
		st.Moves += z.moves
	}
	return st
}

func (s *Server) zones(ctx context.Context) []ZoneState {
	i, err := s.node()
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 400*time.Millisecond)
	defer cancel()
	ids := s.content.Tables().ZoneIDs
	states := make([]ZoneState, len(ids))
	var wg sync.WaitGroup
	for n, id := range ids {
		wg.Add(1)
		go func() {
			defer wg.Done()
			z, err := game.ZoneOf(i.Node, id).Status(ctx)
			states[n] = ZoneState{ID: id, Name: s.content.Tables().Zones[id].Name}
			if err == nil {
				states[n] = ZoneState{ID: id, Name: z.Name, Node: z.Node, Players: z.Players, TickMax: z.TickMax.Microseconds(), moves: z.Moves}
			}
		}()
	}
	wg.Wait()
	return states
}

// callByName calls a method whose results are not known at compile time.
func callByName(ctx context.Context, node *troupe.Node, ref troupe.Ref, method string, args []any) (any, error) {
	for _, k := range node.Kinds() {
		if k.Name != ref.Kind {
			continue
		}
		for _, m := range k.Methods {
			if m.Info().Name != method {
				continue
			}
			t := m.ReplyType()
			pointers := make([]any, t.NumField())
			for i := range pointers {
				pointers[i] = reflect.New(t.Field(i).Type).Interface()
			}
			err := node.Call(ctx, ref, method, troupe.Results(pointers...), args...)
			return pointers, err
		}
		return nil, fmt.Errorf("%s.%s: %w", ref.Kind, method, troupe.ErrUnknownMethod)
	}
	return nil, fmt.Errorf("%q: %w", ref.Kind, troupe.ErrUnknownKind)
}
