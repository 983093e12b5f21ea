// SPDX-License-Identifier: MIT

package gen_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/troupe-go/troupe/cmd/troupe/internal/gen"
	"github.com/troupe-go/troupe/cmd/troupe/internal/load"
)

var wantComment = regexp.MustCompile(`// want "(.*)"`)

// TestErrorsPointAtTheSource compares all errors of one run with the comments
// in the source.
func TestErrorsPointAtTheSource(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t, parseArchive(t, "errors.txtar").Files)
	_, err := w.gen(".")
	var errs load.Errors
	if !errors.As(err, &errs) {
		t.Fatalf("got %v, want load.Errors", err)
	}
	want := make(map[int]string)
	for i, line := range strings.Split(w.read("bad.go"), "\n") {
		if m := wantComment.FindStringSubmatch(line); m != nil {
			want[i+1] = m[1]
		}
	}
	for _, e := range errs {
		text, ok := want[e.Pos.Line]
		switch {
		case !strings.HasSuffix(e.Pos.Filename, "bad.go") || e.Pos.Column == 0:
			t.Errorf("unexpected position: %v", e)
		case !ok:
			t.Errorf("unexpected: %v", e)
		case !strings.Contains(e.Text, text):
			t.Errorf("line %d: got %q, want %q", e.Pos.Line, e.Text, text)
		}
		if ok && strings.Contains(e.Text, text) {
			delete(want, e.Pos.Line)
		}
	}
	for line, text := range want {
		t.Errorf("line %d: no error with %q", line, text)
	}
}

func TestNothingToGenerate(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t, nil)
	w.write("x/x.go", "package x\n")
	if _, err := w.gen("./x"); !errors.Is(err, gen.ErrNothing) {
		t.Fatalf("got %v, want ErrNothing", err)
	}
	if _, err := w.gen("./missing"); err == nil {
		t.Fatal("no error for a package that does not exist")
	}
	w.write("x/x.go", "package x\n\nfunc {\n")
	if _, err := w.gen("./x"); err == nil || !strings.Contains(err.Error(), "x.go:3") {
		t.Fatalf("got %v, want the position of the syntax error", err)
	}
}
