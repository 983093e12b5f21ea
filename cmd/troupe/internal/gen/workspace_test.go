// SPDX-License-Identifier: MIT

package gen_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/troupe-go/troupe/cmd/troupe/internal/gen"
)

// TestMain sets what all workspaces need; a test that sets it could not run in
// parallel with others.
func TestMain(m *testing.M) {
	err := errors.Join(os.Setenv("GOWORK", "off"), os.Setenv("GOFLAGS", "-mod=mod"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// workspace is a module that uses the library as it is in this repository.
type workspace struct {
	*testing.T
	dir string
}

func newWorkspace(t *testing.T, files []txtar.File) workspace {
	t.Helper()
	root, err := filepath.Abs("../../../..")
	check(t, err)
	w := workspace{t, t.TempDir()}
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	check(t, err)
	w.write("go.sum", string(sums))
	requires, err := os.ReadFile(filepath.Join(root, "go.mod"))
	check(t, err)
	_, list, _ := strings.Cut(string(requires), "\nrequire (")
	w.write("go.mod", "module example.com/game\n\ngo 1.25.0\n\nrequire github.com/troupe-go/troupe v0.0.0\n\n"+
		"replace github.com/troupe-go/troupe => "+root+"\n\nrequire ("+list)
	for _, f := range files {
		w.write(f.Name, string(f.Data))
	}
	return w
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w workspace) write(name, content string) {
	w.Helper()
	path := filepath.Join(w.dir, name)
	check(w, os.MkdirAll(filepath.Dir(path), 0o755))
	check(w, os.WriteFile(path, []byte(content), 0o644))
}

func (w workspace) read(name string) string {
	w.Helper()
	data, err := os.ReadFile(filepath.Join(w.dir, name))
	check(w, err)
	return string(data)
}

// replace edits a file; the old text must be there.
func (w workspace) replace(name, from, to string) {
	w.Helper()
	before := w.read(name)
	if !strings.Contains(before, from) {
		w.Fatalf("%s does not contain %q", name, from)
	}
	w.write(name, strings.Replace(before, from, to, 1))
}

// gen runs "troupe gen" with these arguments and returns what it prints.
func (w workspace) gen(args ...string) (string, error) {
	w.Helper()
	var out bytes.Buffer
	options, err := gen.ParseFlags(append([]string{"-dir", w.dir}, args...), &out)
	check(w, err)
	err = gen.Run(context.Background(), options, &out)
	return out.String(), err
}

func (w workspace) mustGen(args ...string) string {
	w.Helper()
	out, err := w.gen(args...)
	check(w, err)
	return out
}

// goVet compiles the packages and looks for mistakes in them.
func (w workspace) goVet(patterns ...string) {
	w.Helper()
	cmd := exec.Command("go", append([]string{"vet"}, patterns...)...)
	cmd.Dir = w.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		w.Fatalf("go vet: %v\n%s", err, out)
	}
}

func parseArchive(t *testing.T, name string) *txtar.Archive {
	t.Helper()
	archive, err := txtar.ParseFile(filepath.Join("testdata", name))
	check(t, err)
	return archive
}
