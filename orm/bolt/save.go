// SPDX-License-Identifier: MIT

package bolt

import (
	"context"

	"go.etcd.io/bbolt"

	"github.com/troupe-go/troupe/orm"
)

// Save implements orm.Store: all groups in one transaction.
func (s *Store) Save(ctx context.Context, groups []orm.Group) ([]orm.Outcome, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.saving.Lock()
	defer s.saving.Unlock()
	release := s.claim(groups)
	defer release()
	out := make([]orm.Outcome, len(groups))
	err := s.db.Update(func(tx *bbolt.Tx) error {
		for i, g := range groups {
			var err error
			if out[i], err = s.saveGroup(tx, g); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.dropFences(groups, out)
	return out, nil
}

// claim keeps the rows of groups from being loaded until release is called: a
// load in between would read what is just being replaced.
func (s *Store) claim(groups []orm.Group) (release func()) {
	over := make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range groups {
		for i := range g {
			s.busy[rowID{g[i].Table.Name, g[i].Key}] = over
		}
	}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, g := range groups {
			for i := range g {
				delete(s.busy, rowID{g[i].Table.Name, g[i].Key})
			}
		}
		close(over)
	}
}

// saveGroup checks every token before it writes anything.
func (s *Store) saveGroup(tx *bbolt.Tx, g orm.Group) (orm.Outcome, error) {
	tabs := make([]*table, len(g))
	old := make([]record, len(g))
	apply := make([]bool, len(g))
	for i := range g {
		w := &g[i]
		var err error
		if tabs[i], err = s.table(w.Table); err != nil {
			return 0, err
		}
		if old[i], err = tabs[i].get(tx, w.Key); err != nil {
			return 0, err
		}
		token := s.rowToken(w, old[i].token)
		apply[i] = w.Token.CanWrite(token)
		if !apply[i] && w.Token != token {
			return orm.Fenced, nil
		}
	}
	for i := range g {
		if !apply[i] {
			continue // an earlier attempt got through (O3)
		}
		w := &g[i]
		fresh := record{token: w.Token, schema: w.Schema, data: w.Data}
		if w.Data != nil {
			fresh.values = tabs[i].values(w.Index)
		}
		if err := tabs[i].put(tx, w.Key, &old[i], &fresh); err != nil {
			return 0, err
		}
	}
	return orm.Saved, nil
}

// rowToken returns the token of a row: of the last load if that is newer than
// the file.
func (s *Store) rowToken(w *orm.Write, stored orm.Token) orm.Token {
	s.mu.Lock()
	defer s.mu.Unlock()
	if token, ok := s.fences[rowID{w.Table.Name, w.Key}]; ok {
		return token
	}
	return stored
}

// dropFences forgets the fences that the file holds now.
func (s *Store) dropFences(groups []orm.Group, out []orm.Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, g := range groups {
		if out[i] != orm.Saved {
			continue
		}
		for j := range g {
			delete(s.fences, rowID{g[j].Table.Name, g[j].Key})
		}
	}
}

// spillFences writes the fences to the file when there are too many.
func (s *Store) spillFences() error {
	s.mu.Lock()
	full := len(s.fences) >= s.maxFences
	s.mu.Unlock()
	if !full {
		return nil
	}
	s.saving.Lock()
	defer s.saving.Unlock()
	s.mu.Lock() // nobody loads meanwhile
	defer s.mu.Unlock()
	if len(s.fences) < s.maxFences {
		return nil
	}
	err := s.db.Update(func(tx *bbolt.Tx) error {
		for id, token := range s.fences {
			tab := s.names[id.table]
			rec, err := tab.get(tx, id.key)
			if err != nil {
				return err
			}
			rec.token = token
			raw := rec.append(make([]byte, 0, len(rec.data)+64))
			if err := tx.Bucket(tab.rows).Put([]byte(id.key), raw); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	clear(s.fences)
	return nil
}
