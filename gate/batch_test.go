// SPDX-License-Identifier: MIT

package gate

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/transport/memory"
)

// TestBatch: groups and single sessions at three gates get their events in the
// order added, also those of a batch that is too large for one message.
func TestBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := startCluster(t)
		var inboxes []*inbox
		for i := range 6 {
			_, in := w.client(troupe.ID("player", int64(100+i)), fmt.Sprint("n", i%3))
			inboxes = append(inboxes, in)
		}
		var halves [2]Group // one session at each gate in each
		var refs []SessionRef
		for _, g := range w.gates {
			for _, s := range g.snapshot() {
				half := (s.who.Player.ID - 100) / 3
				require.True(t, halves[half].Add(s.ref()))
				refs = append(refs, s.ref())
			}
		}
		require.Len(t, refs, 6)
		node := w.c.Node(1)
		var b Batch
		var want [2][]string
		for round := range 3 {
			for i := range 20 {
				for half := range halves {
					text := fmt.Sprintf("%d/%d/%d%s", round, half, i, make([]byte, 10<<10))
					b.Group(node, &halves[half], 1, []byte(text), false)
					want[half] = append(want[half], text)
				}
			}
			for _, ref := range refs {
				b.Session(node, ref, 2, []byte("you"), false)
			}
			b.Session(node, SessionRef{}, 2, []byte("nobody"), false)
			require.NoError(t, b.Send(node))
			want[0], want[1] = append(want[0], "you"), append(want[1], "you")
			time.Sleep(time.Minute) // virtual: the clients acknowledge
		}
		for i, in := range inboxes {
			require.Equal(t, want[i/3], in.all())
		}
		require.NoError(t, b.Send(node), "an empty batch is nobody's business")
		b.Session(node, SessionRef{Gate: "elsewhere", ID: 1}, 1, nil, false)
		require.ErrorIs(t, b.Send(node), ErrNoSession)
	})
}

// TestMovedSessionKeepsThePushOrder: what an actor pushed by way of the former
// gate comes before what it pushes after it heard of the move.
func TestMovedSessionKeepsThePushOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := startCluster(t)
		player := w.playerOn("n2")
		_, in := w.client(player, "n0")
		slow := memory.Faults{Delay: 40 * time.Millisecond} // by way of n0 it takes longer
		w.c.Network().Set("n2", "n0", slow)
		w.c.Network().Set("n0", "n1", slow)
		w.c.Network().Set("n0", "n2", slow)
		var want []string
		stop := make(chan struct{})
		drained := make(chan error, 1)
		go func() {
			time.Sleep(20 * time.Millisecond) // virtual
			drained <- w.gates["n0"].Drain(t.Context())
		}()
		go func() {
			time.Sleep(400 * time.Millisecond) // virtual
			close(stop)
		}()
		for i := 0; ; i++ {
			select {
			case <-stop:
			default:
				text := fmt.Sprint(i)
				require.NoError(t, w.c.Node(2).Call(context.Background(), player, "Tell", nil, text))
				want = append(want, text)
				time.Sleep(time.Millisecond) // virtual
				continue
			}
			break
		}
		require.NoError(t, <-drained)
		time.Sleep(2 * time.Second) // virtual
		require.Equal(t, want, in.all())
	})
}
