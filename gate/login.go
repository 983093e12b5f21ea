// SPDX-License-Identifier: MIT

package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"
)

// LoginConfig describes the HTTP login endpoint.
type LoginConfig struct {
	// Authenticate checks the request's credentials (a password, a platform's
	// ticket) and says who it is. Required. The body is cut at 4 KiB. An error
	// that is a *StatusError is shown to the client with status 403 (CodeBusy: 503);
	// any other is a 500 without text.
	Authenticate func(ctx context.Context, r *http.Request) (Identity, error)
	// Gates returns the gates to choose from. Required.
	Gates func(ctx context.Context) ([]Info, error)
	// Keys signs the tokens. Required: the gates' keys.
	Keys *Keys
	// TTL is how long a token is good. Defaults to 1 minute.
	TTL time.Duration
	// AnyGate makes tokens good at every gate. By default a token is good at
	// the gate it was made for, and the client asks again for another.
	AnyGate bool
	// Origins are the browser origins ("https://game.example") that may call
	// from another site. Defaults to none.
	Origins []string
	// Logger defaults to slog.Default.
	Logger *slog.Logger
}

// LoginReply is the endpoint's JSON answer.
type LoginReply struct {
	Token string `json:"token"`
	// Expires is the token's end, in seconds since 1970.
	Expires int64 `json:"expires"`
	Gate    Info  `json:"gate"`
}

// LoginHandler returns an endpoint for POST that answers with the least loaded
// gate and a signed token. It is not mounted anywhere. Rate limits and TLS are
// those of the server it is mounted on.
func LoginHandler(cfg LoginConfig) (http.Handler, error) {
	if cfg.Authenticate == nil || cfg.Gates == nil || cfg.Keys == nil {
		return nil, fmt.Errorf("%w: LoginConfig needs Authenticate, Gates and Keys", ErrConfig)
	}
	if err := cfg.Keys.validate(); err != nil {
		return nil, err
	}
	orDefault(&cfg.TTL, time.Minute)
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return &loginHandler{cfg}, nil
}

type loginHandler struct{ cfg LoginConfig }

// ServeHTTP implements http.Handler.
func (h *loginHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.allowOrigin(w, r)
	switch r.Method {
	case http.MethodOptions:
		w.WriteHeader(http.StatusNoContent)
		return
	case http.MethodPost:
	default:
		w.Header().Set("Allow", "POST, OPTIONS")
		http.Error(w, "POST only", http.StatusMethodNotAllowed)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxHelloBytes)
	reply, err := h.login(r)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(reply) // a broken connection: nobody to tell
}

func (h *loginHandler) login(r *http.Request) (reply LoginReply, err error) {
	defer func() {
		if p := recover(); p != nil {
			h.cfg.Logger.Error("panic in login", "panic", quote(fmt.Sprint(p)), "stack", string(debug.Stack()))
			err = errInternal
		}
	}()
	who, err := h.cfg.Authenticate(r.Context(), r)
	if err != nil {
		return reply, err
	}
	gates, err := h.cfg.Gates(r.Context())
	if err != nil {
		return reply, err
	}
	best, ok := LeastLoaded(gates, "")
	if !ok {
		return reply, &StatusError{Code: CodeBusy, Text: "no gate is open"}
	}
	now := time.Now()
	claims := Claims{
		Purpose: PurposeLogin, Expires: now.Add(h.cfg.TTL), Issued: now.UnixMilli(),
		Player: who.Player, Device: who.Device, Level: who.Level, Gate: best.Name,
	}
	if h.cfg.AnyGate {
		claims.Gate = ""
	}
	return LoginReply{Token: h.cfg.Keys.Sign(claims), Expires: claims.Expires.Unix(), Gate: best}, nil
}

func (h *loginHandler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var status *StatusError
	code, text := http.StatusInternalServerError, "internal error"
	switch {
	case errors.As(err, &status) && status.Code == CodeBusy:
		code, text = http.StatusServiceUnavailable, status.Text
		w.Header().Set("Retry-After", "1")
	case errors.As(err, &status) && status.Code != CodeInternal:
		code, text = http.StatusForbidden, status.Text
	default:
		h.cfg.Logger.Warn("login failed", "remote", r.RemoteAddr, "error", quote(err.Error()))
	}
	http.Error(w, text, code)
}

func (h *loginHandler) allowOrigin(w http.ResponseWriter, r *http.Request) {
	origin := r.Header.Get("Origin")
	w.Header().Add("Vary", "Origin")
	for _, allowed := range h.cfg.Origins {
		if origin != "" && origin == allowed {
			w.Header().Set("Access-Control-Allow-Origin", origin)
			w.Header().Set("Access-Control-Allow-Headers", "Content-Type, Authorization")
			return
		}
	}
}
