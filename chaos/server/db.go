// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"github.com/troupe-go/troupe/orm"
	"github.com/troupe-go/troupe/orm/bolt"
)

// Stats are what the database has seen; violations are of I2 and I3.
type Stats struct {
	Loads, Writes, Refused int
	Violations             []string
}

// dbServer is the embedded store behind HTTP. It checks what it accepts.
type dbServer struct {
	store *bolt.Store
	table *orm.Table

	mu    sync.Mutex
	last  map[string]orm.Token
	stats Stats
}

// The requests and their answer.
type (
	loadRequest struct {
		Key   string
		Fence orm.Fence
	}
	saveWrite struct {
		Key    string
		Token  orm.Token
		Schema int
		Data   []byte
	}
	answer struct {
		Row      orm.Row
		Outcomes []orm.Outcome
		Fenced   bool
		Error    string
	}
)

func runDB(ctx context.Context, o options) error {
	store, err := bolt.Open(filepath.Join(o.dir, "documents.db"), bolt.Options{})
	if err != nil {
		return err
	}
	s := &dbServer{store: store, table: orm.Document[journal]("journal").Table(), last: make(map[string]orm.Token)}
	if err := store.Migrate(ctx, []*orm.Table{s.table}); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /load", s.load)
	mux.HandleFunc("POST /save", s.save)
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		_ = json.NewEncoder(w).Encode(s.stats)
	})
	return errors.Join(serve(ctx, o.http, mux), store.Close())
}

func (s *dbServer) load(w http.ResponseWriter, r *http.Request) {
	var q loadRequest
	if gob.NewDecoder(r.Body).Decode(&q) != nil {
		return
	}
	s.mu.Lock()
	row, err := s.store.LoadFence(r.Context(), s.table, q.Key, q.Fence)
	s.stats.Loads++
	if err == nil {
		s.acceptedLocked(q.Key, row.Token)
	}
	s.mu.Unlock() // the client may be cut off: nobody waits for it
	_ = gob.NewEncoder(w).Encode(answerOf(row, nil, err))
}

func (s *dbServer) save(w http.ResponseWriter, r *http.Request) {
	var q [][]saveWrite
	if gob.NewDecoder(r.Body).Decode(&q) != nil {
		return
	}
	groups := make([]orm.Group, len(q))
	for i, g := range q {
		for _, x := range g {
			groups[i] = append(groups[i], orm.Write{Table: s.table, Key: x.Key, Token: x.Token, Schema: x.Schema, Data: x.Data, Index: s.table.ZeroIndex()})
		}
	}
	s.mu.Lock()
	out, err := s.store.Save(r.Context(), groups)
	for i := range out {
		if out[i] != orm.Saved {
			s.stats.Refused++
			continue
		}
		for _, x := range q[i] {
			if s.last[x.Key] != x.Token { // not a repetition
				s.stats.Writes++
				s.acceptedLocked(x.Key, x.Token)
			}
		}
	}
	s.mu.Unlock()
	_ = gob.NewEncoder(w).Encode(answerOf(orm.Row{}, out, err))
}

// acceptedLocked checks that tokens only grow.
func (s *dbServer) acceptedLocked(key string, token orm.Token) {
	if token.Compare(s.last[key]) <= 0 {
		s.stats.Violations = append(s.stats.Violations, fmt.Sprintf("I2/I3: %s accepted %v after %v", key, token, s.last[key]))
		return
	}
	s.last[key] = token
}

func answerOf(row orm.Row, out []orm.Outcome, err error) answer {
	a := answer{Row: row, Outcomes: out, Fenced: errors.Is(err, orm.ErrFenced)}
	if err != nil {
		a.Error = err.Error()
	}
	return a
}

// remoteDB is the database as a node sees it.
type remoteDB struct {
	url    string
	client http.Client
}

var _ orm.Store = (*remoteDB)(nil)

// Capabilities implements orm.Store.
func (*remoteDB) Capabilities() orm.Capabilities {
	return orm.Capabilities{AtomicGroups: true, Writers: 2}
}

// Migrate implements orm.Store; the database process has done it.
func (*remoteDB) Migrate(context.Context, []*orm.Table) error { return nil }

// Find implements orm.Store.
func (*remoteDB) Find(context.Context, *orm.Table, orm.Query) ([]orm.Row, error) { return nil, nil }

// Close implements orm.Store.
func (*remoteDB) Close() error { return nil }

func (d *remoteDB) ask(ctx context.Context, path string, q any) (answer, error) {
	var body bytes.Buffer
	if err := gob.NewEncoder(&body).Encode(q); err != nil {
		return answer{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url+path, &body)
	if err != nil {
		return answer{}, err
	}
	resp, err := d.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	var a answer
	if err := gob.NewDecoder(resp.Body).Decode(&a); err != nil {
		return a, err
	}
	switch {
	case a.Fenced:
		return a, fmt.Errorf("%s: %w", a.Error, orm.ErrFenced)
	case a.Error != "":
		return a, errors.New(a.Error)
	}
	return a, nil
}

// LoadFence implements orm.Store.
func (d *remoteDB) LoadFence(ctx context.Context, _ *orm.Table, key string, fence orm.Fence) (orm.Row, error) {
	a, err := d.ask(ctx, "/load", loadRequest{key, fence})
	return a.Row, err
}

// Save implements orm.Store.
func (d *remoteDB) Save(ctx context.Context, groups []orm.Group) ([]orm.Outcome, error) {
	q := make([][]saveWrite, len(groups))
	for i, g := range groups {
		for _, w := range g {
			q[i] = append(q[i], saveWrite{w.Key, w.Token, w.Schema, w.Data})
		}
	}
	a, err := d.ask(ctx, "/save", q)
	return a.Outcomes, err
}
