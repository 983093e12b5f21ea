// SPDX-License-Identifier: MIT

package gen_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/troupe-go/troupe/cmd/troupe/internal/gen"
	"github.com/troupe-go/troupe/cmd/troupe/internal/load"
)

// TestSchemaLock edits a locked package. Compatible edits pass and update the
// lock; others are explained and leave the files alone. Loading packages runs the
// go command, so all edits are made in copies that are loaded at once.
func TestSchemaLock(t *testing.T) {
	t.Parallel()
	const file, lockFile = "shop/shop.go", "shop/troupe.lock.json"
	archive := parseArchive(t, "shop.txtar")
	edits := []struct {
		name, from, to string
		want           string // in the error; "" if the edit is compatible
	}{
		{"add a parameter", "count uint32)", "count uint32, coupon string)", ""},
		{"add a result", "near []int32, err error", "near []int32, far []int32, err error", ""},
		{"add a field", "Note  *string", "Note  *string\n\tShop  string", ""},
		{"add a method", "// Chat is", "func (p *Player) Jump(context.Context) error { return nil }\n\n// Chat is", ""},
		{"rename a parameter", "item items.ID, count", "product items.ID, count", ""},
		{"rename a field", "Note  *string", "Remark *string", ""},
		{"change access", "//troupe:system\n", "", ""},
		{"move a method", "func (p *Player) Whisper(_ context.Context, text string) error { return nil }\n", "", "method player.Whisper was removed or renamed: callers with old code get ErrUnknownMethod for number 3"},
		{"rename a method", ") Kick(", ") Expel(", "method player.Kick was removed or renamed"},
		{"retype a parameter", "count uint32", "count uint64", "method player.Buy: parameter Count (number 2) was retyped from uint32 to uint64"},
		{"narrow a parameter", "count uint32", "count uint8", "retyped from uint32 to uint32 (8 bits)"},
		{"swap parameters", "item items.ID, count uint32", "count uint32, item items.ID", "parameter Item moved from number 1 to 2"},
		{"insert a parameter", "(ctx context.Context, item items.ID", "(ctx context.Context, shop int32, item items.ID", "parameter Item moved from number 1 to 2"},
		{"remove a parameter", ", count uint32)", ")", "parameter Count (number 2, uint32) was removed"},
		{"remove a result", "near []int32, err error", "err error", "result Near (number 2, repeated int32) was removed"},
		{"remove a field", "	Note  *string\n", "", "struct Receipt: field Note (number 5, optional string) was removed"},
		{"reorder fields", "	ID    int64\n	Item  items.Item\n", "	Item  items.Item\n	ID    int64\n", "field ID moved from number 1 to 2"},
		{"retype a field", "Note  *string", "Note  string", "retyped from optional string to string"},
		{"renumber a field", "X, Y float32", "X float32\n	Y float32 `troupe:\"7\"`", "field Y moved from number 2 to 7"},
		{"resize an array", "[2]int32", "[3]int32", "retyped from repeated int32 (array of 2) to repeated int32 (array of 3)"},
		{"rename a kind", "//troupe:kind chat", "//troupe:kind talk", `kind "chat" was removed or renamed`},
	}
	w := newWorkspace(t, archive.Files) // with the generated files
	before := w.read(lockFile)
	folder := func(i int) string { return fmt.Sprintf("edit%02d", i) }
	for i, edit := range edits {
		for _, name := range []string{file, lockFile, "shop/shop_troupe.go"} {
			w.write(filepath.Join(folder(i), name), w.read(name))
		}
		w.replace(filepath.Join(folder(i), file), edit.from, edit.to)
	}
	packages, err := load.Packages(context.Background(), w.dir, "./edit...")
	check(t, err)
	if len(packages) != len(edits) { // they come in the order of their paths
		t.Fatalf("got %d packages, want %d", len(packages), len(edits))
	}
	for i, edit := range edits {
		t.Run(edit.name, func(t *testing.T) {
			err := gen.RunPackage(packages[i], true)
			if edit.want == "" {
				if err == nil || !strings.Contains(err.Error(), "is not up to date") {
					t.Fatalf("-check of files that are out of date: got %v", err)
				}
				check(t, gen.RunPackage(packages[i], false))
				check(t, gen.RunPackage(packages[i], true))
				return
			}
			if err == nil || !strings.Contains(err.Error(), edit.want) {
				t.Fatalf("got %v, want %q", err, edit.want)
			}
			if w.read(filepath.Join(folder(i), lockFile)) != before {
				t.Fatal("the lock was changed")
			}
		})
	}
}

// TestAccept: an incompatible edit is written only when asked for.
func TestAccept(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t, parseArchive(t, "shop.txtar").Files)
	w.replace("shop/shop.go", "count uint32", "count uint64")
	if _, err := w.gen("./shop"); err == nil || !strings.Contains(err.Error(), "troupe gen -accept") {
		t.Fatalf("got %v, want a refusal that names the way out", err)
	}
	w.mustGen("-accept", "./shop")
	w.mustGen("-check", "./shop")
}

// TestNumbersAreNotReused: what was removed with -accept keeps its number.
func TestNumbersAreNotReused(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t, sourcesOf(parseArchive(t, "shop.txtar")))
	w.mustGen("./shop")
	w.replace("shop/shop.go", ") Kick(", ") Expel(") // number 4
	w.replace("shop/shop.go", "	Note  *string\n", "")
	w.mustGen("-accept", "./shop")
	if list := w.mustGen("-list", "./shop"); !strings.Contains(list, "Expel    5") {
		t.Fatalf("got %s, want number 5 for Expel", list)
	}
	w.replace("shop/shop.go", ") Expel(", ") Kick(")
	w.mustGen("-accept", "./shop")
	if list := w.mustGen("-list", "./shop"); !strings.Contains(list, "Kick     6") {
		t.Fatalf("got %s, want number 6 for the new Kick", list)
	}
	w.replace("shop/shop.go", "	Until time.Time\n", "	Until time.Time\n	Other int64\n")
	if _, err := w.gen("./shop"); err == nil || !strings.Contains(err.Error(), "field Other uses number 5, which a removed one had") {
		t.Fatalf("got %v, want a refusal of number 5", err)
	}
}

// TestBadLock: a damaged lock is an error, not a fresh start.
func TestBadLock(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t, sourcesOf(parseArchive(t, "shop.txtar")))
	for _, content := range []string{"", "{", `{"version":2}`, `{"version":1,"extra":1}`} {
		w.write("shop/troupe.lock.json", content)
		if _, err := w.gen("./shop"); err == nil || !strings.Contains(err.Error(), "troupe.lock.json") {
			t.Errorf("lock %q: got %v", content, err)
		}
	}
	if _, err := w.gen("-check", "./items"); err == nil {
		t.Error("-check passes on a package without actors")
	}
}
