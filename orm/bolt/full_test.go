// SPDX-License-Identifier: MIT

//go:build linux

package bolt

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/troupe-go/troupe/orm"
)

// TestDiskFull: a full disk fails the save and keeps what was saved; with room
// again, saving goes on without reopening.
func TestDiskFull(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("mounting a small tmpfs takes root")
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("mount: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	s := openPath(t, filepath.Join(dir, "docs.db"), Options{})
	table := &orm.Table{Name: "t"}
	ctx := t.Context()
	if err := s.Migrate(ctx, []*orm.Table{table}); err != nil {
		t.Fatal(err)
	}
	save := func(key string, seq uint64, fill string) error {
		_, err := s.Save(ctx, []orm.Group{{{
			Table: table, Key: key, Schema: 1, Data: []byte(strings.Repeat(fill, 100<<10)),
			Token: orm.Token{Generation: 1, Epoch: 1, Seq: seq},
		}}})
		return err
	}
	var kept []string
	var err error
	for _, key := range strings.Split("abcdefghijklmnopqrstuvwxyz", "") {
		if _, err := s.LoadFence(ctx, table, key, orm.Fence{Generation: 1, Epoch: 1}); err != nil {
			t.Fatal(err)
		}
		if err = save(key, 1, "1"); err != nil {
			break
		}
		kept = append(kept, key)
	}
	if !errors.Is(err, syscall.ENOSPC) || len(kept) == 0 {
		t.Fatalf("after %d documents: got %v, want ENOSPC", len(kept), err)
	}
	if errors.Is(err, orm.ErrRefused) {
		t.Error("a full disk must not look like a refused document")
	}
	check := func(want string) {
		t.Helper()
		rows, err := s.Find(ctx, table, orm.Query{Limit: 100})
		if err != nil || len(rows) != len(kept) {
			t.Fatalf("%d documents, %v, want %d", len(rows), err, len(kept))
		}
		for _, row := range rows {
			if string(row.Data[:1]) != want {
				t.Errorf("%s: got %.1s, want %s", row.Key, row.Data, want)
			}
		}
	}
	check("1")
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	for _, key := range kept {
		if err := save(key, 2, "2"); err != nil {
			t.Fatalf("save with room again: %v", err)
		}
	}
	check("2")
}
