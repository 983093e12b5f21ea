// SPDX-License-Identifier: MIT

package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// block is one fenced Go block of a document.
type block struct {
	file    string
	line    int // of its first line of code
	code    string
	program bool // has a package clause: compiled as it is
}

var packageClause = regexp.MustCompile(`(?m)^package \w+`)

// goBlocks returns the blocks that open with ```go. An HTML comment
// "<!-- not compiled: REASON -->" on the line before leaves a block out, for
// other people's API and for deliberately wrong code.
func goBlocks(file, text string) []block {
	var blocks []block
	var b *block
	previous := ""
	for i, line := range strings.Split(text, "\n") {
		switch trimmed := strings.TrimSpace(line); {
		case b == nil && (trimmed == "```go" || strings.HasPrefix(trimmed, "```go ")):
			b = &block{file: file, line: i + 2}
			if strings.HasPrefix(strings.TrimSpace(previous), "<!-- not compiled:") {
				b.line = 0
			}
		case b != nil && trimmed == "```":
			if b.line > 0 {
				b.program = packageClause.MatchString(b.code)
				blocks = append(blocks, *b)
			}
			b = nil
		case b != nil:
			b.code += line + "\n"
		}
		previous = line
	}
	return blocks
}

// compile builds the blocks that are programs, each as a package of its own
// below the ignored folder tmp/, inside the workspace. It returns how many.
func compile(root string, blocks []block) (int, error) {
	dir := filepath.Join(root, "tmp", "doccheck")
	if err := os.RemoveAll(dir); err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	count := 0
	for i, b := range blocks {
		if !b.program {
			continue
		}
		count++
		pkg := filepath.Join(dir, fmt.Sprintf("b%03d", i))
		if err := os.MkdirAll(pkg, 0o755); err != nil {
			return count, err
		}
		name := "block.go"
		if strings.Contains(b.code, "*testing.T") {
			name = "block_test.go"
		}
		text := fmt.Sprintf("//line %s:%d\n%s", b.file, b.line, b.code)
		if err := os.WriteFile(filepath.Join(pkg, name), []byte(text), 0o644); err != nil {
			return count, err
		}
	}
	if count == 0 {
		return 0, nil
	}
	cmd := exec.Command("go", "vet", "./tmp/doccheck/...")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return count, fmt.Errorf("a document's program does not compile: %w\n%s", err, out)
	}
	return count, nil
}

// exportedNames maps each library package's name to what it exports, read from
// its source: enough to notice a renamed function in a document.
func exportedNames(root string, files []string) (map[string]map[string]bool, error) {
	names := map[string]map[string]bool{}
	fset := token.NewFileSet()
	for _, file := range files {
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") || !isLibrary(file) {
			continue
		}
		f, err := parser.ParseFile(fset, filepath.Join(root, file), nil, parser.SkipObjectResolution)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		exported := names[f.Name.Name]
		if exported == nil {
			exported = map[string]bool{}
			names[f.Name.Name] = exported
		}
		for _, decl := range f.Decls {
			addNames(exported, decl)
		}
	}
	delete(names, "main")
	return names, nil
}

// isLibrary reports whether users import the file's package.
func isLibrary(file string) bool {
	for _, part := range strings.Split(path.Dir(file), "/") {
		switch part {
		case "internal", "examples", "testdata", "tools", "bench", "chaos":
			return false
		}
	}
	return true
}

// addNames adds the package-level names that decl declares.
func addNames(names map[string]bool, decl ast.Decl) {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			names[d.Name.Name] = true
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				names[s.Name.Name] = true
			case *ast.ValueSpec:
				for _, n := range s.Names {
					names[n.Name] = true
				}
			}
		}
	}
}

// checkSnippet parses a block that is not a program, as declarations or as
// statements, and looks up the names that it takes from our packages.
func checkSnippet(b block, names map[string]map[string]bool) []error {
	file, fset, err := parseSnippet(b.code)
	if err != nil {
		return []error{fmt.Errorf("%s:%d: %w", b.file, b.line, err)}
	}
	locals := map[string]bool{} // a variable named like a package hides it
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, left := range n.Lhs {
				if id, ok := left.(*ast.Ident); ok && n.Tok == token.DEFINE {
					locals[id.Name] = true
				}
			}
		case *ast.Field:
			for _, id := range n.Names {
				locals[id.Name] = true
			}
		}
		return true
	})
	var errs []error
	ast.Inspect(file, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		pkg, ok := sel.X.(*ast.Ident)
		if !ok || locals[pkg.Name] || names[pkg.Name] == nil || names[pkg.Name][sel.Sel.Name] {
			return true
		}
		line := b.line + fset.Position(sel.Pos()).Line - 1
		errs = append(errs, fmt.Errorf("%s:%d: %s.%s does not exist", b.file, line, pkg.Name, sel.Sel.Name))
		return true
	})
	return errs
}

// parseSnippet accepts declarations, statements, or declarations followed by
// statements. Line numbers in the result are those of the snippet. An ellipsis
// that stands for "something" is accepted in braces, parentheses and alone.
func parseSnippet(code string) (*ast.File, *token.FileSet, error) {
	code = strings.NewReplacer("{...}", "{}", "(...)", "()", "{ ... }", "{}", "// ...", "//").Replace(code)
	code = lonelyEllipsis.ReplaceAllString(code, "")
	attempts := []string{"package p; " + code, "package p; func _() { " + code + "\n}"}
	if at := firstStatement(code); at > 0 {
		attempts = append(attempts, "package p; "+code[:at]+"func _() { "+code[at:]+"\n}")
	}
	var first error
	for _, text := range attempts {
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, "snippet", text, parser.SkipObjectResolution)
		if err == nil {
			return f, fset, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, nil, fmt.Errorf("does not parse as declarations or statements: %w", first)
}

var (
	lonelyEllipsis = regexp.MustCompile(`(?m)^\s*(\.\.\.|…)\s*$`)
	topDeclaration = regexp.MustCompile(`^(package|import|type|func|var|const|//|\)|\}|\t| |$)`)
)

// firstStatement returns the offset of the first line that starts at the left
// margin and cannot be part of a declaration, or 0.
func firstStatement(code string) int {
	at := 0
	for _, line := range strings.SplitAfter(code, "\n") {
		if !topDeclaration.MatchString(strings.TrimRight(line, "\n")) {
			return at
		}
		at += len(line)
	}
	return 0
}
