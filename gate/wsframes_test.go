// SPDX-License-Identifier: MIT

package gate

import (
	"bytes"
	"context"
	"encoding/binary"
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"
	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/gate/internal/frame"
	"pgregory.net/rapid"
)

// appendWSFrame appends a masked frame of that length with payload zero.
func appendWSFrame(b []byte, final bool, opcode byte, length int) []byte {
	if final {
		opcode |= 0x80
	}
	b = append(b, opcode)
	switch {
	case length < 126:
		b = append(b, 0x80|byte(length))
	case length < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(length))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(length))
	}
	return append(b, make([]byte, 4+length)...)
}

// TestFragmentCount: whatever the lengths and however the bytes arrive, a
// message of maxFragments passes and one more does not.
func TestFragmentCount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lengths := rapid.SampledFrom([]int{0, 1, 125, 126, 127, 1 << 16})
		fragments := rapid.IntRange(1, maxFragments+1).Draw(t, "fragments")
		limits := Limits{}.withDefaults()
		f := wsFrames{limits: &limits, now: func() time.Time { return time.Unix(1, 0) }}
		var stream []byte
		for range rapid.IntRange(0, 3).Draw(t, "messages before") {
			stream = appendWSFrame(stream, true, 2, lengths.Draw(t, "length"))
		}
		for i := range fragments {
			if i == fragments/2 {
				stream = appendWSFrame(stream, true, 9, 3) // a ping may come in between
			}
			opcode := byte(0)
			if i == 0 {
				opcode = 2
			}
			length := 0
			if i%64 == 0 {
				length = lengths.Draw(t, "length")
			}
			stream = appendWSFrame(stream, i == fragments-1, opcode, length)
		}
		var err error
		for len(stream) > 0 && err == nil {
			n := min(rapid.SampledFrom([]int{1, 2, 7, 512, 1 << 16}).Draw(t, "piece"), len(stream))
			err = f.scan(stream[:n])
			stream = stream[n:]
		}
		if (err != nil) != (fragments > maxFragments) {
			t.Fatalf("%d fragments: %v", fragments, err)
		}
	})
}

// TestWebSocketFloods: many empty fragments, and many pings, end a connection
// with a goodbye; the session stays.
func TestWebSocketFloods(t *testing.T) {
	request := (&frame.Request{Seq: 1, Method: methodEcho, Args: []byte("x")}).Append(nil)
	for name, row := range map[string]struct {
		bytes []byte
		want  bool
	}{
		"a message in 200 fragments": {inFragments(request, 200), true},
		"in 300 fragments":           {inFragments(request, 300), false},
		"a fragment without end":     {bytes.Repeat(appendWSFrame(nil, false, 0, 0), 2000), false},
		"100 pings":                  {bytes.Repeat(appendWSFrame(nil, true, 9, 0), 100), true},
		"1,000 pings":                {bytes.Repeat(appendWSFrame(nil, true, 9, 0), 1000), false},
	} {
		t.Run(name, func(t *testing.T) {
			g := newTestGate(t, newFakeBackend(), nil)
			url := listenWebSocket(t, g)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			tap := new(tappedTransport)
			ws, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{Subprotocols: []string{Subprotocol}, HTTPClient: &http.Client{Transport: tap.transport()}})
			require.NoError(t, err)
			defer func() { _ = ws.CloseNow() }()
			hello := frame.Hello{MinVersion: 1, MaxVersion: 1, Token: loginToken(troupe.ID("player", 7))}
			require.NoError(t, ws.Write(ctx, websocket.MessageBinary, hello.Append(nil)))
			_, _, err = ws.Read(ctx)
			require.NoError(t, err)
			_, _ = tap.conn.Write(row.bytes) // fails when the gate has had enough
			if row.want {
				again := (&frame.Request{Seq: 1, Method: methodEcho, Args: []byte("x")}).Append(nil)
				require.NoError(t, ws.Write(ctx, websocket.MessageBinary, again)) // again, or for the first time
				_, data, err := ws.Read(ctx)
				require.NoError(t, err)
				kind, _, err := frame.Split(data[frame.HeaderBytes:])
				require.NoError(t, err)
				require.Equal(t, frame.KindReply, kind)
				return
			}
			for err == nil {
				_, _, err = ws.Read(ctx)
			}
			require.NoError(t, ctx.Err(), "the connection ends")
			require.Equal(t, 1, g.Sessions())
		})
	}
}

// inFragments cuts a message into n fragments, most of them empty.
func inFragments(message []byte, n int) []byte {
	out := appendWSFrame(nil, false, 2, len(message))
	copy(out[len(out)-len(message):], message) // masked with zeros
	for i := 1; i < n; i++ {
		out = appendWSFrame(out, i == n-1, 0, 0)
	}
	return out
}
