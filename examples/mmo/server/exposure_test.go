// SPDX-License-Identifier: MIT

package server_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/examples/mmo/game"
	"github.com/troupe-go/troupe/gate"
	"github.com/troupe-go/troupe/gate/client"
)

// forClients is what a client may call. Whoever marks another method has to say
// so here.
var forClients = []string{
	"Attack", "Buy", "Claim", "FoundGuild", "GuildMembers", "Inbox", "Join", "JoinGuild", "LeaveGuild", "Move", "Ranking",
	"Say", "Sell", "Sheet", "Use", "Wares", "Where", "Write",
}

// TestUnmarkedMethodsAreRefused tries every method of every kind of the game
// over a gate, by the number that a client would use.
func TestUnmarkedMethodsAreRefused(t *testing.T) {
	s := start(t, 1)
	defer func() {
		require.NoError(t, s.Stop(context.Background()))
		require.NoError(t, s.Close())
	}()
	info, token, err := s.Login(t.Context(), "Mallory", "secret")
	require.NoError(t, err)
	c, err := client.Dial(t.Context(), client.Config{
		Login: func(context.Context) (client.Ticket, error) { return client.Ticket{Addr: info.TCP, Token: token}, nil },
	})
	require.NoError(t, err)
	defer c.Close()
	refused := func(err error, code uint32) {
		t.Helper()
		var status *client.StatusError
		require.True(t, errors.As(err, &status), "%v", err)
		require.Equal(t, code, status.Code)
	}
	var marked []string
	for _, kind := range s.Instances()[0].Node.Kinds() {
		for _, m := range kind.Methods {
			info := m.Info()
			_, err := c.CallRoute(t.Context(), client.Route{Name: kind.Name, ID: 1}, info.Number, nil)
			refused(err, gate.CodeNoRoute) // no kind but the player's own is open
			if kind.Name != game.KindPlayer {
				require.NotEqual(t, troupe.AccessClient, info.Access, "%s.%s", kind.Name, info.Name)
				continue
			}
			if info.Access == troupe.AccessClient {
				marked = append(marked, info.Name)
				continue
			}
			_, err = c.Call(t.Context(), info.Number, nil)
			refused(err, gate.CodeDenied)
		}
	}
	slices.Sort(marked)
	require.Equal(t, forClients, marked)
}
