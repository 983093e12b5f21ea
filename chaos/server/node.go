// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/orm"
	"github.com/troupe-go/troupe/transport"
)

// journal is every operation applied to an entity, in order.
type journal struct{ Ops []int64 }

// Placed is the answer to Append and Read.
type Placed struct {
	Position int     `json:"position"`
	Epoch    uint64  `json:"epoch"`
	Node     string  `json:"node"`
	Ops      []int64 `json:"ops,omitempty"`
}

// entity is the actor under test.
type entity struct {
	troupe.Actor
	doc    orm.Doc[journal]
	record *record
}

// OnActivate loads the document.
func (e *entity) OnActivate(ctx context.Context) error {
	e.record, _ = troupe.Service[*record](e)
	return e.doc.Load(ctx, e)
}

// Append applies op once and answers when that is durable.
func (e *entity) Append(ctx context.Context, op int64) (Placed, error) {
	defer e.record.handled(e, time.Now())
	at := slices.Index(e.doc.Data.Ops, op)
	if at < 0 {
		at = len(e.doc.Data.Ops)
		e.doc.Data.Ops = append(e.doc.Data.Ops, op)
	}
	err := e.doc.Save(ctx)
	return Placed{Position: at, Epoch: e.Fence().Epoch, Node: e.Node().Name()}, err
}

// Read returns what is durable.
func (e *entity) Read(ctx context.Context) (Placed, error) {
	defer e.record.handled(e, time.Now())
	err := e.doc.Save(ctx)
	return Placed{Epoch: e.Fence().Epoch, Node: e.Node().Name(), Ops: slices.Clone(e.doc.Data.Ops)}, err
}

func runNode(ctx context.Context, o options) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if o.second {
		o.listen, o.http = "127.0.0.1:0", "127.0.0.1:0"
	}
	if err := waitAddress(ctx, o.http); err != nil {
		return err
	}
	record, err := openRecord(o)
	if err != nil {
		return err
	}
	defer record.Close()
	cc := &troupe.ClusterConfig{
		Name: "chaos", Listen: o.listen, Dev: o.dev, TTL: o.ttl, DataDir: filepath.Join(o.dir, o.name),
		OnFatal: func(error) { os.Exit(3) }, // the driver starts it again
	}
	for _, v := range strings.Split(o.voters, ",") {
		name, addr, _ := strings.Cut(v, "=")
		cc.Join = append(cc.Join, addr)
		cc.Bootstrap = append(cc.Bootstrap, troupe.Server{Name: name, Addr: addr})
		cc.Voter = cc.Voter || name == o.name
	}
	if !cc.Voter {
		cc.Bootstrap = nil
	}
	if !o.dev {
		file := func(suffix string) string { return filepath.Join(o.dir, o.name+suffix) }
		if cc.Credentials, err = transport.LoadCredentials(file(".crt"), file(".key"), filepath.Join(o.dir, "ca.crt")); err != nil {
			return err
		}
	}
	n, err := troupe.New(troupe.Config{Name: o.name, Logger: log, Cluster: cc})
	if err != nil {
		return err
	}
	db, err := orm.Open(ctx, &remoteDB{url: "http://" + o.db}, orm.Config{Types: []*orm.Type{orm.Document[journal]("journal")}, Logger: log, SaveTimeout: 3 * time.Second})
	if err != nil {
		return err
	}
	troupe.Provide(n, db)
	troupe.Provide(n, record)
	if err := n.Register(troupe.Virtual[entity]("entity")); err != nil {
		return err
	}
	if err := n.Start(ctx); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /health", n.HealthHandler())
	ids, err := n.NewIDSource(ctx, "ids", troupe.SnowflakeConfig{})
	if err != nil {
		return errors.Join(err, n.Stop(ctx))
	}
	mux.HandleFunc("POST /id", func(w http.ResponseWriter, _ *http.Request) {
		id, err := ids.Next()
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_ = json.NewEncoder(w).Encode(id)
	})
	mux.HandleFunc("POST /call/{method}/{id}/{op}", func(w http.ResponseWriter, r *http.Request) { handle(n, w, r) })
	err = serve(ctx, o.http, mux)
	last, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	return errors.Join(err, n.Stop(last), db.Close(last))
}

// handle is a client's call.
func handle(n *troupe.Node, w http.ResponseWriter, r *http.Request) {
	id, _ := strconv.ParseInt(r.PathValue("id"), 10, 64)
	op, _ := strconv.ParseInt(r.PathValue("op"), 10, 64)
	var args []any
	if r.PathValue("method") == "Append" {
		args = append(args, op)
	}
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	var p Placed
	if err := n.Call(ctx, troupe.ID("entity", id), r.PathValue("method"), &p, args...); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	_ = json.NewEncoder(w).Encode(p)
}

// waitAddress waits until the driver has given this process its network.
func waitAddress(ctx context.Context, addr string) error {
	for {
		ln, err := net.Listen("tcp", addr)
		if err == nil {
			return ln.Close()
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// serve runs an HTTP server until ctx ends.
func serve(ctx context.Context, addr string, h http.Handler) error {
	s := &http.Server{Addr: addr, Handler: h, ReadTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	defer stop()
	if err := s.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
