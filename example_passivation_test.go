// SPDX-License-Identifier: MIT

package troupe_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/troupe-go/troupe"
)

// Houses is the durable memory of the example.
type Houses struct {
	mu    sync.Mutex
	rooms map[int64]int
	saved chan int64
}

// House is in memory only while somebody is interested in it.
type House struct {
	troupe.Actor
	store *Houses
	rooms int
}

// OnActivate loads. An error would be returned to everybody who waits.
func (h *House) OnActivate(context.Context) error {
	h.store, _ = troupe.Service[*Houses](h)
	h.store.mu.Lock()
	defer h.store.mu.Unlock()
	h.rooms = h.store.rooms[h.ID()]
	return nil
}

// OnDeactivate saves. An error would keep the actor in memory.
func (h *House) OnDeactivate(context.Context) error {
	h.store.mu.Lock()
	h.store.rooms[h.ID()] = h.rooms
	h.store.mu.Unlock()
	h.store.saved <- h.ID()
	return nil
}

// Build adds a room.
func (h *House) Build(context.Context) (int, error) {
	h.rooms++
	return h.rooms, nil
}

// How do millions of players fit into memory? Only the active ones are there.
// A virtual actor leaves when it was idle for a while, or when there are too
// many, and comes back with its next message. No message is lost in between.
func ExampleVirtual() {
	store := &Houses{rooms: map[int64]int{}, saved: make(chan int64, 1)}
	node, err := troupe.New(troupe.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	troupe.Provide(node, store)
	err = node.Register(troupe.Virtual[House]("house",
		troupe.IdleAfter(10*time.Minute), // the default
		troupe.MaxActive(1),              // far too small, to see it happen
	))
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := node.Start(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	build := func(id int64) {
		var rooms int
		err := node.Call(context.Background(), troupe.ID("house", id), "Build", &rooms)
		fmt.Println("house", id, "rooms", rooms, err)
	}
	build(1)
	build(2)
	fmt.Println("passivated", <-store.saved)
	build(1)
	fmt.Println("passivated", <-store.saved)
	stopNode(node)
	fmt.Println("stopped", <-store.saved)
	// Output:
	// house 1 rooms 1 <nil>
	// house 2 rooms 1 <nil>
	// passivated 1
	// house 1 rooms 2 <nil>
	// passivated 2
	// stopped 1
}
