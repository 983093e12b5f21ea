// SPDX-License-Identifier: MIT

package gate

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/troupe-go/troupe"
)

// TestTypeScriptClient runs clients/ts against a gate, over a cut connection.
// It needs Node.js 20.10 or later and a build of clients/ts.
func TestTypeScriptClient(t *testing.T) {
	node, err := exec.LookPath("node")
	if _, built := os.Stat("../clients/ts/dist/index.js"); err != nil || built != nil {
		t.Skip("no node, or clients/ts is not built (npm install && npm run build)")
	}
	b := newFakeBackend()
	g := newTestGate(t, b, func(c *Config) { c.Limits.MessagesPerSecond = -1 })
	var id uint64
	b.onCall = func(_ troupe.Ref, method int32, args []byte) {
		if method == methodEcho {
			if id == 0 {
				id = b.last(t, Opened).Session.ID
			}
			_, err := g.Deliver(Push{Event: 1, Data: args}, id)
			require.NoError(t, err)
		}
	}
	cmd := exec.CommandContext(t.Context(), node, "--experimental-websocket", "--no-warnings", "../clients/ts/test/interop.mjs", listenWebSocket(t, g), loginToken(player7))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	require.NoError(t, err)
	var got struct {
		Replies, Pushes []string
		Failure         string
		States          []string
	}
	require.NoError(t, json.Unmarshal(out, &got), "%s", out)
	var replies, executed []string
	for i := range 60 {
		replies = append(replies, fmt.Sprintf("c%d", i))
		executed = append(executed, fmt.Sprintf("player/7 m%d", i), fmt.Sprintf("player/7 c%d", i))
	}
	require.Equal(t, replies, got.Replies)
	require.Equal(t, append(replies, "end"), got.Pushes)
	require.Equal(t, append(executed, "player/7 ", "player/7 end"), b.log())
	require.Equal(t, "1/42 not enough gold", got.Failure)
	require.Contains(t, got.States, "resumed")
	require.NotContains(t, got.States, "reload")
}
