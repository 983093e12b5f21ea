// SPDX-License-Identifier: MIT

package gen_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden lists what is generated for testdata/shop.txtar.
var golden = []string{"shop/shop_troupe.go", "shop/troupe.lock.json", "shop.proto", "shop.ts", "Shop.cs", "list.txt"}

// TestGolden compares everything that is generated with the committed files,
// and compiles the Go part.
func TestGolden(t *testing.T) {
	t.Parallel()
	archive := parseArchive(t, "shop.txtar")
	sources := sourcesOf(archive)
	w := newWorkspace(t, sources)
	w.mustGen("-proto", "shop.proto", "-ts", "shop.ts", "-cs", "Shop.cs", "./...")
	w.write("list.txt", w.mustGen("-list", "./..."))
	if *update {
		archive.Files = sources
		for _, name := range golden {
			archive.Files = append(archive.Files, txtar.File{Name: name, Data: []byte(w.read(name))})
		}
		check(t, os.WriteFile(filepath.Join("testdata", "shop.txtar"), txtar.Format(archive), 0o644))
	}
	want := make(map[string]string)
	for _, f := range archive.Files {
		want[f.Name] = string(f.Data)
	}
	for _, name := range golden {
		if got := w.read(name); got != want[name] {
			t.Errorf("%s is not as committed; run with -update and look at the difference", name)
		}
	}
	w.goVet("./...")
}

func sourcesOf(archive *txtar.Archive) (sources []txtar.File) {
	for _, f := range archive.Files {
		if strings.HasSuffix(f.Name, ".go") && !strings.HasSuffix(f.Name, "_troupe.go") {
			sources = append(sources, f)
		}
	}
	return sources
}

// TestRunningTwiceChangesNothing also covers that files are not touched when
// their content stays.
func TestRunningTwiceChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t, sourcesOf(parseArchive(t, "shop.txtar")))
	w.mustGen("./...")
	name := filepath.Join(w.dir, "shop/shop_troupe.go")
	old := time.Unix(1, 0)
	check(t, os.Chtimes(name, old, old))
	w.mustGen("./...")
	w.mustGen("-check", "./...")
	info, err := os.Stat(name)
	check(t, err)
	if !info.ModTime().Equal(old) {
		t.Error("an unchanged file was written again")
	}
}

// TestOrderOfGeneration: a package may use what is not yet generated in
// another one, and a stale file does no harm.
func TestOrderOfGeneration(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t, sourcesOf(parseArchive(t, "shop.txtar")))
	w.write("quest/quest.go", `package quest

import (
	"context"

	"github.com/troupe-go/troupe"

	"example.com/game/shop"
)

type Quest struct{ troupe.Actor }

func (q *Quest) Finish(ctx context.Context, player int64, reward shop.Receipt) error {
	return shop.PlayerOf(q, player).SendWhisper("done")
}
`)
	w.mustGen("./quest") // shop has no generated file
	w.mustGen("./shop")
	w.goVet("./...")
	w.replace("shop/shop.go", "text string", "text string, loud bool")
	w.replace("shop/shop.go", `("sold out")`, `("sold out", true)`)
	w.mustGen("./shop") // with a stale file beside it
	w.replace("quest/quest.go", `("done")`, `("done", false)`)
	w.mustGen("-check", "./...")
	w.goVet("./...")
}

// TestRepositoryIsUpToDate runs the check on the package with every supported
// type.
func TestRepositoryIsUpToDate(t *testing.T) {
	t.Parallel()
	w := workspace{t, everything}
	if _, err := w.gen("-check", "-proto", "gentest.proto"); err != nil {
		t.Fatal(err)
	}
}
