// SPDX-License-Identifier: MIT

package load

import (
	"fmt"
	"go/ast"
	"slices"
	"strconv"
	"strings"

	"github.com/troupe-go/troupe/cmd/troupe/internal/model"
)

// directives are the //troupe: lines of one declaration.
type directives struct {
	kind    string
	form    model.Form
	access  model.Access
	max     int
	ignore  bool
	message bool
	doc     string // the comment without them
}

func parseDirectives(group *ast.CommentGroup, allowed ...string) (d directives, err error) {
	d.form, d.access = model.Virtual, model.Server
	if group == nil {
		return d, nil
	}
	d.doc = strings.TrimSpace(group.Text())
	for _, c := range group.List {
		line, ok := strings.CutPrefix(c.Text, "//troupe:")
		if !ok {
			continue
		}
		words := strings.Fields(line)
		if len(words) == 0 || !slices.Contains(allowed, words[0]) {
			return d, fmt.Errorf("unknown directive //troupe:%s here; known are %s", line, strings.Join(allowed, ", "))
		}
		if err := d.apply(words[0], words[1:]); err != nil {
			return d, err
		}
	}
	return d, nil
}

func (d *directives) apply(name string, args []string) (err error) {
	switch name {
	case "ignore":
		d.ignore = true
	case "message":
		d.message = true
		if len(args) == 1 && args[0] == "client" {
			d.access = model.Client
		} else if len(args) > 0 {
			return fmt.Errorf("//troupe:message takes nothing, or the word client")
		}
	case "client", "system":
		if d.access != model.Server {
			return fmt.Errorf("//troupe:%s after //troupe:%s", name, d.access)
		}
		d.access = model.Access(name)
	case "max":
		if len(args) > 0 {
			d.max, err = strconv.Atoi(args[0])
		}
		if err != nil || d.max <= 0 {
			return fmt.Errorf("//troupe:max needs a positive number of bytes")
		}
	case "kind":
		if len(args) == 0 || len(args) > 2 {
			return fmt.Errorf("//troupe:kind needs a name, and perhaps a form: virtual, stub, singleton, pool or local")
		}
		d.kind = args[0]
		if len(args) == 2 {
			d.form = model.Form(args[1])
		}
		switch d.form {
		case model.Virtual, model.Stub, model.Singleton, model.Pool, model.Local:
		default:
			return fmt.Errorf("unknown form %q in //troupe:kind; known are virtual, stub, singleton, pool and local", d.form)
		}
	}
	return nil
}
