// SPDX-License-Identifier: MIT

package gate

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/troupe-go/troupe/gate/client"
	"github.com/troupe-go/troupe/gate/internal/frame"
)

func TestLoginEndpoint(t *testing.T) {
	b := newFakeBackend()
	g := newTestGate(t, b, nil)
	g.cfg.TCPAddr = listenTCP(t, g)
	gates := []Info{{Name: "full", Sessions: 10}, {Name: "drains", Draining: true}}
	h, err := LoginHandler(LoginConfig{
		Keys:   testKeys,
		Logger: quietLog(),
		Gates:  func(context.Context) ([]Info, error) { return append(gates, g.Info()), nil },
		Authenticate: func(_ context.Context, r *http.Request) (Identity, error) {
			body, err := io.ReadAll(r.Body)
			switch {
			case err != nil:
				return Identity{}, err
			case string(body) == "panic":
				panic("login")
			case string(body) != "secret":
				return Identity{}, &StatusError{Code: CodeDenied, Text: "wrong password"}
			}
			return Identity{Player: player7, Level: 2}, nil
		},
		Origins: []string{"https://game.example"},
	})
	require.NoError(t, err)
	post := func(body string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/login", strings.NewReader(body))
		r.Header.Set("Origin", "https://game.example")
		h.ServeHTTP(w, r)
		return w
	}
	require.Equal(t, http.StatusForbidden, post("guess").Code)
	require.Equal(t, http.StatusInternalServerError, post("panic").Code)
	require.Equal(t, http.StatusInternalServerError, post(strings.Repeat("x", 5000)).Code)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/login", nil))
	require.Equal(t, http.StatusMethodNotAllowed, w.Code)

	w = post("secret")
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, "https://game.example", w.Header().Get("Access-Control-Allow-Origin"))
	var reply LoginReply
	require.NoError(t, json.NewDecoder(w.Body).Decode(&reply))
	require.Equal(t, "gate-1", reply.Gate.Name)
	c, err := client.Dial(t.Context(), client.Config{Login: func(context.Context) (client.Ticket, error) {
		return client.Ticket{Addr: reply.Gate.TCP, Token: reply.Token}, nil
	}})
	require.NoError(t, err)
	require.NoError(t, c.Close())
	require.EqualValues(t, 2, b.last(t, Opened).Identity.Level)

	elsewhere := &Gate{cfg: Config{Name: "gate-2", Keys: testKeys}}
	_, err = elsewhere.verifyLogin(t.Context(), AuthRequest{Token: reply.Token})
	require.ErrorIs(t, err, ErrToken)

	gates = []Info{{Name: "drains", Draining: true}}
	g.draining.Store(true)
	require.Equal(t, http.StatusServiceUnavailable, post("secret").Code)
}

func TestLeastLoaded(t *testing.T) {
	_, ok := LeastLoaded(nil, "")
	require.False(t, ok)
	all := []Info{{Name: "b", Sessions: 2}, {Name: "a", Sessions: 2}, {Name: "c", Sessions: 1, Draining: true}}
	best, _ := LeastLoaded(all, "")
	require.Equal(t, "a", best.Name)
	best, _ = LeastLoaded(all, "a")
	require.Equal(t, "b", best.Name)
}

// TestRefusedLogins: the backend's word and the auth hook's.
func TestRefusedLogins(t *testing.T) {
	b := newFakeBackend()
	g := newTestGate(t, b, nil)
	addr := listenTCP(t, g)
	for _, row := range []struct {
		err  error
		want string
	}{
		{ErrDuplicate, "duplicate"},
		{&StatusError{Code: CodeDenied, Text: "banned"}, "denied"},
	} {
		b.refuse = row.err
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		_, err := client.Dial(ctx, client.Config{Login: func(context.Context) (client.Ticket, error) {
			return client.Ticket{Addr: addr, Token: loginToken(player7)}, nil
		}})
		cancel()
		var bye *client.GoodbyeError
		require.ErrorAs(t, err, &bye)
		require.Equal(t, row.want, bye.Reason)
	}
	require.Zero(t, g.Sessions())
	b.refuse = errors.New("database down: secret host name")
	c := dialRaw(t, addr)
	c.send((&frame.Hello{MinVersion: 1, MaxVersion: 1, Token: loginToken(player7)}).Append(nil))
	bye := c.expectGoodbye(frame.ReasonBusy)
	require.Empty(t, bye.Text)
}
