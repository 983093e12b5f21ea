// SPDX-License-Identifier: MIT

package server_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/troupe-go/troupe/examples/mmo/bots"
	"github.com/troupe-go/troupe/examples/mmo/game"
	"github.com/troupe-go/troupe/examples/mmo/server"
	"github.com/troupe-go/troupe/gate/client"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 30 * time.Second

func start(t *testing.T, nodes int) *server.Server {
	s, err := server.Start(t.Context(), server.Config{Nodes: nodes, HTTP: "127.0.0.1:0"})
	require.NoError(t, err)
	return s
}

func fleet(s *server.Server, n int) *bots.Fleet {
	return bots.Run(bots.Config{
		Count: n, Seed: 1, Tables: s.Tables,
		Login: func(ctx context.Context, name, secret string) (client.Ticket, error) {
			gate, token, err := s.Login(ctx, name, secret)
			return client.Ticket{Addr: gate.TCP, Token: token}, err
		},
	})
}

// audit ends everything and returns the account.
func audit(t *testing.T, s *server.Server, f *bots.Fleet) bots.Report {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	f.Stop(ctx)
	require.NoError(t, s.Stop(ctx))
	r := f.Report(1, f.Totals().Joined)
	require.NoError(t, f.Audit(&r, func(each func(string, *game.PlayerData)) error { return s.Audit(ctx, each) }))
	require.NoError(t, s.Close())
	return r
}

func TestOneNodeKeepsWhatItAcknowledges(t *testing.T) {
	s := start(t, 1)
	f := fleet(s, 10)
	require.Eventually(t, func() bool { return f.Totals().Acked >= 20 && f.Seen().Count > 50 }, patience, 20*time.Millisecond)
	r := audit(t, s, f)
	require.Zero(t, r.Lost, r.Missing)
	require.Zero(t, r.Doubled)
	require.GreaterOrEqual(t, r.Acked, int64(20))
	require.Empty(t, r.Errors)
}

func TestKilledNodeLosesNoPurchase(t *testing.T) {
	if testing.Short() {
		t.Skip("takes the lease of a node")
	}
	s := start(t, 3)
	f := fleet(s, 12)
	require.Eventually(t, func() bool { return f.Totals().Acked >= 12 }, patience, 20*time.Millisecond)
	require.NoError(t, s.Kill("node-2", time.Millisecond))
	require.Eventually(t, func() bool { return len(s.Takeovers()) == 1 && len(s.Instances()) == 3 }, patience, 20*time.Millisecond)
	acked := f.Totals().Acked
	require.Eventually(t, func() bool { return f.Totals().Acked >= acked+24 }, patience, 20*time.Millisecond, "trade goes on")
	r := audit(t, s, f)
	require.Zero(t, r.Lost, r.Missing)
	require.Zero(t, r.Doubled)
	require.Zero(t, r.DuplicateIDs)
}

func TestConsole(t *testing.T) {
	s := start(t, 1)
	defer func() {
		require.NoError(t, s.Stop(context.Background()))
		require.NoError(t, s.Close())
	}()
	_, _, err := s.Login(t.Context(), "Ann", "secret")
	require.NoError(t, err)
	gm := func(token, body string) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+"/api/gm", strings.NewReader(body))
		require.NoError(t, err)
		r.Header.Set("X-GM-Token", token)
		answer, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		return answer.StatusCode, string(text)
	}
	defer http.DefaultClient.CloseIdleConnections()

	const grant = `{"kind":"player","player":"ann","method":"Grant","args":[100,0,0]}`
	code, _ := gm("guess", grant)
	require.Equal(t, http.StatusForbidden, code)
	code, text := gm(s.GMToken(), grant)
	require.Equal(t, http.StatusOK, code, text)
	var reply struct{ Result []int64 }
	require.NoError(t, json.Unmarshal([]byte(text), &reply))
	require.Equal(t, []int64{600}, reply.Result)
	code, text = gm(s.GMToken(), `{"kind":"player","player":"ann","method":"Fly"}`)
	require.Equal(t, http.StatusBadRequest, code)
	require.Contains(t, text, "unknown method")

	answer, err := http.Post(s.URL()+"/login", "application/json", strings.NewReader(`{"name":"ann","secret":"wrong"}`))
	require.NoError(t, err)
	defer answer.Body.Close()
	require.Equal(t, http.StatusForbidden, answer.StatusCode)
	require.NotEmpty(t, answer.Header.Get("Content-Security-Policy"))
}
