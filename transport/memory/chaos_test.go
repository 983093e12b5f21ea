// SPDX-License-Identifier: MIT

package memory_test

import (
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/transport"
	"github.com/troupe-go/troupe/transport/memory"
	"github.com/troupe-go/troupe/transport/transporttest"
)

// chaosSeeds is how many seeds TestChaos runs; more find more.
var chaosSeeds = flag.Uint64("chaos.seeds", 2, "seeds of TestChaos")

// TestChaos lets three nodes talk to each other, with cuts, one-way cuts,
// resets and delays at random for two virtual minutes, then heals everything.
//
// Checked: per sender, lane and key frames arrive in order and at most once
// (T1); no frame both arrives and is reported as dropped (T2); after healing
// every pair talks again (T5: both ends agree on the connection).
func TestChaos(t *testing.T) {
	for seed := range *chaosSeeds {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { chaos(t, seed) })
		})
	}
}

type chaosNode struct {
	name string
	e    *transport.Endpoint
	rec  *transporttest.Recorder
	sent map[string]uint32 // per receiver, lane and key
}

func chaos(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 99))
	network := memory.New(seed)
	network.SetAll(memory.Faults{Delay: time.Millisecond, Jitter: 3 * time.Millisecond})
	names := []string{"a", "b", "c"}
	var nodes []*chaosNode
	for _, name := range names {
		n := &chaosNode{name: name, rec: &transporttest.Recorder{}, sent: map[string]uint32{}}
		e, err := transport.New(network.Config(name, transport.Config{
			Self: transport.Peer{NodeID: name, ClusterID: "c", Incarnation: 1},
		}))
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Start(n.rec); err != nil {
			t.Fatal(err)
		}
		n.e = e
		nodes = append(nodes, n)
	}
	send := func(from, to *chaosNode, lane transport.Lane, key uint64, size int) {
		l, err := from.e.Connect(to.e.Self())
		if err != nil {
			t.Fatal(err)
		}
		id := fmt.Sprint(to.name, lane, key)
		frame := make([]byte, size)
		binary.BigEndian.PutUint64(frame, key)
		binary.BigEndian.PutUint32(frame[8:], from.sent[id])
		err = l.Send(transport.Meta{Lane: lane, Key: key, Now: rng.IntN(2) == 0}, frame)
		switch {
		case err == nil:
			from.sent[id]++
		case errors.Is(err, transport.ErrPeerUnreachable), errors.Is(err, transport.ErrBackpressure):
		default:
			t.Fatalf("seed %d: Send: %v", seed, err)
		}
	}
	for range 4000 {
		a, b := rng.IntN(3), rng.IntN(2)
		if b >= a {
			b++
		}
		switch r := rng.IntN(200); {
		case r == 0:
			network.Cut(names[a], names[b])
		case r == 1:
			network.CutBoth(names[a], names[b])
		case r == 2:
			network.Reset(names[a], names[b])
		case r < 10:
			network.HealAll()
		default:
			size := []int{12, 12, 12, 500, 40 << 10, 200 << 10}[rng.IntN(6)]
			send(nodes[a], nodes[b], transport.Lane(rng.IntN(3)), uint64(rng.IntN(2)), size)
		}
		time.Sleep(time.Duration(rng.IntN(60)) * time.Millisecond)
	}
	network.HealAll()
	time.Sleep(time.Minute)
	for _, from := range nodes {
		for _, to := range nodes {
			if from != to {
				send(from, to, transport.LaneMessages, 77, 12)
			}
		}
	}
	time.Sleep(time.Minute)
	for _, to := range nodes {
		checkChaos(t, seed, to, nodes)
	}
	for _, n := range nodes {
		_ = n.e.Close()
	}
}

func checkChaos(t *testing.T, seed uint64, to *chaosNode, nodes []*chaosNode) {
	t.Helper()
	next := map[string]uint32{}
	arrived := map[string]bool{}
	last := map[string]bool{}
	for _, f := range to.rec.WaitFrames(t, 0) {
		key, i := binary.BigEndian.Uint64(f.Data), binary.BigEndian.Uint32(f.Data[8:])
		id := fmt.Sprint(f.Node, f.Lane, key)
		if i < next[id] {
			t.Fatalf("seed %d: %s: frame %d of %s after %d", seed, to.name, i, id, next[id]-1)
		}
		next[id] = i + 1
		arrived[fmt.Sprint(f.Node, to.name, f.Lane, key, i)] = true
		if key == 77 {
			last[f.Node] = true
		}
	}
	if len(last) != len(nodes)-1 {
		t.Errorf("seed %d: after healing %s hears only %v", seed, to.name, last)
	}
	for _, from := range nodes {
		from.rec.Until(t, "records", func(_, drops []transporttest.Frame, _ []transport.PeerEvent) bool {
			for _, d := range drops {
				id := fmt.Sprint(from.name, d.Node, d.Lane, binary.BigEndian.Uint64(d.Data), binary.BigEndian.Uint32(d.Data[8:]))
				if arrived[id] {
					t.Errorf("seed %d: %s arrived and was reported as dropped (%v)", seed, id, d.Err)
				}
			}
			return true
		})
	}
}
