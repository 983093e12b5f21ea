// SPDX-License-Identifier: MIT

package main

import (
	"strings"
	"testing"
)

func TestGoBlocks(t *testing.T) {
	text := strings.Join([]string{
		"intro", "```go", "package main", "func main() {}", "```",
		"```sh", "go test", "```",
		"<!-- not compiled: another library -->", "```go", "x.Y()", "```",
		"```go", "a := troupe.ID(\"k\", 1)", "```",
	}, "\n")
	blocks := goBlocks("a.md", text)
	if len(blocks) != 2 {
		t.Fatalf("got %d blocks, want 2", len(blocks))
	}
	if b := blocks[0]; !b.program || b.line != 3 {
		t.Errorf("first block: got program %v at line %d, want a program at 3", b.program, b.line)
	}
	if b := blocks[1]; b.program || b.line != 14 {
		t.Errorf("second block: got program %v at line %d, want a snippet at 14", b.program, b.line)
	}
}

func TestCheckSnippet(t *testing.T) {
	names := map[string]map[string]bool{"troupe": {"ID": true, "Actor": true}}
	for _, tt := range []struct {
		name, code, want string
	}{
		{"statements", "ref := troupe.ID(\"player\", 1)\n_ = ref", ""},
		{"declarations", "type P struct {\n\ttroupe.Actor\n}\n\nfunc (p *P) F() {\n\t...\n}", ""},
		{"declarations, then statements", "type P struct {\n\ttroupe.Actor\n}\n\nref := troupe.ID(\"p\", 1)", ""},
		{"ellipsis", "node, err := f(troupe.Actor{...})", ""},
		{"unknown name", "x := 1\ntroupe.Missing(x)", "a.md:11: troupe.Missing does not exist"},
		{"a variable hides the package", "troupe := other()\ntroupe.Missing()", ""},
		{"does not parse", "func ( {", "does not parse"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			errs := checkSnippet(block{file: "a.md", line: 10, code: tt.code}, names)
			switch {
			case tt.want == "" && len(errs) > 0:
				t.Errorf("got %v, want no error", errs)
			case tt.want != "" && (len(errs) != 1 || !strings.Contains(errs[0].Error(), tt.want)):
				t.Errorf("got %v, want %q", errs, tt.want)
			}
		})
	}
}

func TestCheckWords(t *testing.T) {
	for _, tt := range []struct {
		line string
		bad  bool
	}{
		{"go run ./examples/hello", false},
		{"serves http://127.0.0.1:8080 and https://go.dev/doc", false},
		{"see /home/" + "somebody/troupe", true},
		{"cd " + "/work/" + "main", true},
		{"open /tmp/" + "team/notes", true},
		{"curl https://registry." + "npmjs.org/x", true},
		{`"resolved": "` + `https://example.com/x.tgz"`, true},
	} {
		if got := len(checkWords("a.md", tt.line)) > 0; got != tt.bad {
			t.Errorf("%q: got %v, want %v", tt.line, got, tt.bad)
		}
	}
}
