// SPDX-License-Identifier: MIT

package golang

import (
	"fmt"
	"go/types"
	"path"
	"sort"
	"strconv"
	"strings"

	"github.com/troupe-go/troupe/cmd/troupe/internal/model"
)

// imports gives each package a file-wide name that collides with nothing.
type imports struct {
	self  *types.Package
	names map[string]string // path -> name
	taken map[string]bool
}

func newImports(self *types.Package) *imports {
	im := &imports{self: self, names: make(map[string]string), taken: make(map[string]bool)}
	for _, name := range model.Locals {
		im.taken[name] = true
	}
	return im
}

// use returns the name of the package at path, whose own name is name.
func (im *imports) use(path, name string) string {
	if known, ok := im.names[path]; ok {
		return known
	}
	chosen := name
	for n := 2; im.taken[chosen] || im.self.Scope().Lookup(chosen) != nil; n++ {
		chosen = name + strconv.Itoa(n)
	}
	im.names[path], im.taken[chosen] = chosen, true
	return chosen
}

// typeName writes t as source of this file.
func (im *imports) typeName(t types.Type) string {
	return types.TypeString(t, func(p *types.Package) string {
		if p.Path() == im.self.Path() {
			return ""
		}
		return im.use(p.Path(), p.Name())
	})
}

// block returns the import declaration, the standard library first.
func (im *imports) block() string {
	var std, other []string
	for p, name := range im.names {
		line := strconv.Quote(p)
		if path.Base(p) != name {
			line = name + " " + line
		}
		if first, _, _ := strings.Cut(p, "/"); strings.Contains(first, ".") {
			other = append(other, line)
		} else {
			std = append(std, line)
		}
	}
	byPath := func(lines []string) {
		sort.Slice(lines, func(i, j int) bool {
			return lines[i][strings.Index(lines[i], `"`):] < lines[j][strings.Index(lines[j], `"`):]
		})
	}
	byPath(std)
	byPath(other)
	groups := []string{strings.Join(std, "\n")}
	if len(std) == 0 {
		groups = nil
	}
	if len(other) > 0 {
		groups = append(groups, strings.Join(other, "\n"))
	}
	return fmt.Sprintf("import (\n%s\n)\n", strings.Join(groups, "\n\n"))
}
