// SPDX-License-Identifier: MIT

package server

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/examples/mmo/game"
	"github.com/troupe-go/troupe/gate"
)

func randomText() string { return rand.Text() }

// contentPolicy lets the page load its own files and open WebSockets to gates
// on this machine, nothing else.
const contentPolicy = "default-src 'self'; connect-src 'self' ws://127.0.0.1:* ws://localhost:*; " +
	"img-src 'self' data:; style-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

func (s *Server) handler() (http.Handler, error) {
	login, err := gate.LoginHandler(gate.LoginConfig{
		Keys: s.keys, AnyGate: true, Logger: s.log, Gates: s.gates, Authenticate: s.loginRequest,
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("POST /login", login)
	mux.HandleFunc("GET /api/live", s.live)
	mux.HandleFunc("POST /api/kill", s.killRequest)
	mux.HandleFunc("POST /api/gm", s.gmRequest)
	mux.HandleFunc("POST /api/reload", s.reloadRequest)
	if s.cfg.Page != nil {
		mux.Handle("GET /", cached(s.cfg.Page))
	}
	return sameSite(mux), nil
}

// cached serves the built page. File names under assets carry a hash.
func cached(page fs.FS) http.Handler {
	files := http.FileServerFS(page)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/assets/") {
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		} else {
			w.Header().Set("Cache-Control", "no-cache")
		}
		files.ServeHTTP(w, r)
	})
}

// sameSite sets the headers of every answer, and refuses what other sites make
// a browser send.
func sameSite(next http.Handler) http.Handler {
	guard := http.NewCrossOriginProtection()
	guarded := guard.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		guarded.ServeHTTP(w, r)
	})
}

// gates lists the gates that some node of this process has heard of.
func (s *Server) gates(ctx context.Context) ([]gate.Info, error) {
	i, err := s.node()
	if err != nil {
		return nil, &gate.StatusError{Code: gate.CodeBusy, Text: err.Error()}
	}
	heard, err := i.Cluster.Gates(ctx)
	if err != nil || s.cfg.Node > 0 {
		return heard, err
	}
	// A gate that died a moment ago is still heard of; in one process we know
	// better.
	var gates []gate.Info
	for _, i := range s.Instances() {
		for _, g := range heard {
			if g.Name == i.Name {
				g.Sessions = int32(i.Gate.Sessions()) // newer than what was heard
				gates = append(gates, g)
			}
		}
	}
	return gates, nil
}

// loginRequest authenticates {"name": ..., "secret": ...}.
func (s *Server) loginRequest(ctx context.Context, r *http.Request) (gate.Identity, error) {
	var body struct{ Name, Secret string }
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return gate.Identity{}, &gate.StatusError{Code: gate.CodeDenied, Text: "want a JSON object with name and secret"}
	}
	player, err := s.authenticate(ctx, "", body.Name, body.Secret)
	var known *troupe.UserError
	switch {
	case err == nil:
		return gate.Identity{Player: player}, nil
	case errors.As(err, &known):
		return gate.Identity{}, &gate.StatusError{Code: uint32(troupe.CodeUser), User: known.Code, Text: known.Text}
	}
	s.log.Debug("login", "error", err)
	return gate.Identity{}, &gate.StatusError{Code: gate.CodeBusy, Text: "busy, try again"}
}

// live streams the state of the world once a second.
func (s *Server) live(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	control := http.NewResponseController(w)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		data, err := json.Marshal(s.State(r.Context()))
		if err != nil {
			return
		}
		if _, err := fmt.Fprintf(w, "data: %s\n\n", data); err != nil || control.Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
	}
}

func (s *Server) killRequest(w http.ResponseWriter, r *http.Request) {
	if err := s.Kill(r.URL.Query().Get("node"), restartAfter); err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) authorized(w http.ResponseWriter, r *http.Request) bool {
	ok := subtle.ConstantTimeCompare([]byte(r.Header.Get("X-GM-Token")), []byte(s.gmToken)) == 1
	if !ok {
		http.Error(w, "the token is on the console", http.StatusForbidden)
	}
	return ok
}

// gmRequest calls any method of any actor by name:
//
//	{"kind": "player", "player": "ann", "method": "Grant", "args": [100, 0, 0]}
//
// with "player" for a character's name, or "id", or "key".
func (s *Server) gmRequest(w http.ResponseWriter, r *http.Request) {
	if !s.authorized(w, r) {
		return
	}
	var q struct {
		Kind, Method, Player, Key string
		ID                        int64
		Args                      []any
	}
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&q)
	var result any
	if err == nil {
		result, err = s.gmCall(r.Context(), q.Kind, q.Player, q.Key, q.ID, q.Method, q.Args)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"result": result}) // a broken connection: nobody to tell
}

func (s *Server) gmCall(ctx context.Context, kind, player, key string, id int64, method string, args []any) (any, error) {
	i, err := s.node()
	if err != nil {
		return nil, err
	}
	if player != "" {
		if id, err = game.FindName(ctx, i.Node, player); err != nil {
			return nil, err
		}
	}
	ref := troupe.ID(kind, id)
	if key != "" {
		ref = troupe.Name(kind, key)
	}
	results, err := callByName(ctx, i.Node, ref, method, args)
	return results, err
}

func (s *Server) reloadRequest(w http.ResponseWriter, r *http.Request) {
	if !s.authorized(w, r) {
		return
	}
	if err := s.content.Reload(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
