// SPDX-License-Identifier: MIT

package gate

import (
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/gate/internal/frame"
	"github.com/troupe-go/troupe/internal/wire"
)

// TestMessagesCrossNodes: everything that gates and actors say to each other
// survives the wire.
func TestMessagesCrossNodes(t *testing.T) {
	s := newSession(&Gate{cfg: Config{Name: "g"}}, 1<<63+5, Identity{Player: troupe.Name("player", "ann"), Device: "dev", Level: -2, Issued: 1 << 41})
	s.out.add(frame.KindPush, encodePush(Push{Event: -1, Data: []byte("one")}), false)
	s.out.add(frame.KindReply, (&frame.Reply{Request: 3}).AppendBody(nil), false)
	s.inbox = []frame.Request{{Seq: 4, Method: 1 << 31, Args: []byte("args")}}
	s.lastRequest, s.fence, s.serial, s.issued = 4, Fence{1, 2}, 3, 4
	var cache wire.Cache
	for _, want := range []any{
		deliverArgs{Sessions: []uint64{1, 1<<64 - 1}, Push: Push{Event: -5, Data: []byte{0}, Volatile: true, From: troupe.ID("zone", -1), Fence: Fence{1, 1 << 60}}},
		gateMessage{Release: &releaseCall{Call: 1, From: "g2"}},
		gateMessage{Follow: &followArgs{Session: 1 << 63}},
		gateMessage{Batch: &batchArgs{From: troupe.ID("zone", 3), Fence: Fence{1, 9}, Items: []batchItem{
			{Sessions: []uint64{1, 2}, Event: -1, Volatile: true, Data: []byte("a")}, {Sessions: []uint64{3}, Event: 7},
		}}},
		endArgs{Session: 1 << 63, Replaced: true, Text: "bye"},
		ReleaseRequest{Session: 1 << 63, Serial: 7, Device: "dev", To: "g2"},
		s.stateLocked(),
		SessionEvent{Change: Moved, Session: s.ref(), Identity: s.who, Reason: "why"},
		Info{Name: "g", TCP: "h:1", WebSocket: "ws://h", Sessions: 5, Draining: true},
	} {
		codec, err := cache.For(reflect.TypeOf(want))
		require.NoError(t, err, "%T", want)
		raw := codec.Append(nil, reflect.ValueOf(want))
		got := reflect.New(reflect.TypeOf(want))
		require.NoError(t, codec.Parse(raw, got.Elem()))
		require.Equal(t, want, got.Elem().Interface())
	}
	moved, err := restore(&Gate{cfg: Config{Name: "g2", Timeouts: Timeouts{}.withDefaults()}}, s.stateLocked())
	require.NoError(t, err)
	moved.announce, moved.expires = time.Time{}, time.Time{}
	require.Equal(t, s.stateLocked(), moved.stateLocked())
}
