// SPDX-License-Identifier: MIT

package load

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"slices"
	"testing"
)

// packages.Load parses the files of a package in parallel, so that their
// positions in the file set have no order: the generated code must not follow.
func TestMethodsAreInOrderOfTheSourceWhateverFileWasParsedFirst(t *testing.T) {
	sources := map[string]string{
		"a.go": "package p\ntype T struct{}\nfunc (*T) Second() {}\nfunc (*T) First() {}\n",
		"b.go": "package p\nfunc (*T) Another() {}\n",
	}
	for _, order := range [][]string{{"a.go", "b.go"}, {"b.go", "a.go"}} {
		fset := token.NewFileSet()
		var files []*ast.File
		for _, name := range order {
			f, err := parser.ParseFile(fset, name, sources[name], 0)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, f)
		}
		pkg, err := new(types.Config).Check("p", fset, files, nil)
		if err != nil {
			t.Fatal(err)
		}
		s := &scanner{fset: fset}
		var names []string
		for _, fn := range s.exportedMethods(pkg.Scope().Lookup("T").Type().(*types.Named)) {
			names = append(names, fn.Name())
		}
		if want := []string{"Second", "First", "Another"}; !slices.Equal(names, want) {
			t.Errorf("files parsed as %v: methods in order %v, want %v", order, names, want)
		}
	}
}
