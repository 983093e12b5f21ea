// SPDX-License-Identifier: MIT

package ormtest

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/troupe-go/troupe/orm"
)

// Memory is a store on a map, for tests of actors. It forgets everything when
// the process ends, and it can be made to fail.
type Memory struct {
	// Before, if set, is called before a Save is applied; an error is returned
	// and nothing applied. After is called when it has been applied: an error
	// hides that from the caller, like a connection that breaks after the
	// commit. OnLoad is called before a load. Set them before first use.
	Before func(ctx context.Context, groups []orm.Group) error
	After  func(ctx context.Context, groups []orm.Group) error
	OnLoad func(ctx context.Context, key string) error

	mu      sync.Mutex
	tables  map[string]map[string]*memoryRow
	columns map[string]bool // "table.column"
}

type memoryRow struct {
	row   orm.Row
	index []any
}

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{tables: make(map[string]map[string]*memoryRow), columns: make(map[string]bool)}
}

var _ orm.Store = (*Memory)(nil)

// Capabilities implements orm.Store.
func (m *Memory) Capabilities() orm.Capabilities { return orm.Capabilities{AtomicGroups: true} }

// Close implements orm.Store.
func (m *Memory) Close() error { return nil }

// Migrate implements orm.Store.
func (m *Memory) Migrate(_ context.Context, tables []*orm.Table) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range tables {
		if m.tables[t.Name] == nil {
			m.tables[t.Name] = make(map[string]*memoryRow)
		}
		for _, c := range t.Columns {
			m.columns[t.Name+"."+c.Name] = true
		}
		for _, r := range m.tables[t.Name] {
			if len(r.index) >= len(t.Columns) || r.row.Data == nil || t.Extract == nil {
				continue
			}
			if values, err := t.Extract(r.row.Schema, r.row.Data); err == nil {
				r.index = values
			}
		}
	}
	return nil
}

func (m *Memory) table(t *orm.Table) (map[string]*memoryRow, error) {
	rows := m.tables[t.Name]
	if rows == nil {
		return nil, fmt.Errorf("%w: no table %s: open the DB with its type", orm.ErrSchema, t.Name)
	}
	for _, c := range t.Columns {
		if !m.columns[t.Name+"."+c.Name] {
			return nil, fmt.Errorf("%w: no column %s.%s: open the DB with its type", orm.ErrSchema, t.Name, c.Name)
		}
	}
	return rows, nil
}

// LoadFence implements orm.Store.
func (m *Memory) LoadFence(ctx context.Context, t *orm.Table, key string, fence orm.Fence) (orm.Row, error) {
	if m.OnLoad != nil {
		if err := m.OnLoad(ctx, key); err != nil {
			return orm.Row{}, err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	rows, err := m.table(t)
	if err != nil {
		return orm.Row{}, err
	}
	r := rows[key]
	if r == nil {
		r = &memoryRow{row: orm.Row{Key: key}, index: t.ZeroIndex()}
		rows[key] = r
	}
	if !orm.CanLoad(r.row.Token, fence) {
		return orm.Row{}, fmt.Errorf("row has token %v: %w", r.row.Token, orm.ErrFenced)
	}
	r.row.Token = orm.LoadToken(r.row.Token, fence)
	return r.copy(), nil
}

func (r *memoryRow) copy() orm.Row {
	row := r.row
	row.Data = bytes.Clone(row.Data)
	return row
}

// Save implements orm.Store.
func (m *Memory) Save(ctx context.Context, groups []orm.Group) ([]orm.Outcome, error) {
	if m.Before != nil {
		if err := m.Before(ctx, groups); err != nil {
			return nil, err
		}
	}
	out := make([]orm.Outcome, len(groups))
	for i, g := range groups {
		var err error
		if out[i], err = m.apply(g); err != nil {
			return nil, err
		}
	}
	if m.After != nil {
		if err := m.After(ctx, groups); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (m *Memory) apply(g orm.Group) (orm.Outcome, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, w := range g {
		rows, err := m.table(w.Table)
		if err != nil {
			return 0, err
		}
		r := rows[w.Key]
		if r == nil || !w.Token.CanWrite(r.row.Token) && w.Token != r.row.Token {
			return orm.Fenced, nil
		}
	}
	for _, w := range g {
		r := m.tables[w.Table.Name][w.Key]
		if w.Token == r.row.Token {
			continue
		}
		r.row = orm.Row{Key: w.Key, Token: w.Token, Schema: w.Schema, Data: bytes.Clone(w.Data)}
		r.index = slices.Clone(w.Index)
	}
	return orm.Saved, nil
}

// Find implements orm.Store.
func (m *Memory) Find(_ context.Context, t *orm.Table, q orm.Query) ([]orm.Row, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	rows, err := m.table(t)
	if err != nil {
		return nil, err
	}
	var all []entry
	for key, r := range rows {
		if r.row.Data != nil {
			values := append(slices.Clone(r.index), t.ZeroIndex()[min(len(r.index), len(t.Columns)):]...)
			all = append(all, entry{key, values})
		}
	}
	var found []orm.Row
	for _, key := range findModel(t, all, q) {
		found = append(found, rows[key].copy())
	}
	return found, nil
}

// Documents returns the data of a table by key, for assertions. name is the
// document type's.
func (m *Memory) Documents(name string) map[string]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	docs := make(map[string]string)
	for key, r := range m.tables[name] {
		if r.row.Data != nil {
			docs[key] = string(r.row.Data)
		}
	}
	return docs
}

// Tokens returns the tokens of a table by key.
func (m *Memory) Tokens(name string) map[string]orm.Token {
	m.mu.Lock()
	defer m.mu.Unlock()
	tokens := make(map[string]orm.Token)
	for _, key := range slices.SortedFunc(maps.Keys(m.tables[name]), cmp.Compare[string]) {
		tokens[key] = m.tables[name][key].row.Token
	}
	return tokens
}
