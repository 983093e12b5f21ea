// SPDX-License-Identifier: MIT

package load

import (
	"cmp"
	"go/ast"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"golang.org/x/tools/go/packages"

	"github.com/troupe-go/troupe/cmd/troupe/internal/model"
)

// scanner turns one loaded package into its model.
type scanner struct {
	pkg  *packages.Package
	fset *token.FileSet
	errs *Errors

	docs     map[token.Pos]*ast.CommentGroup // by position of the declared name
	messages map[string]*model.Message       // by types.Type string with full paths
	names    map[string]bool                 // of messages
}

func (s *scanner) scan() *model.Package {
	s.docs = declarationDocs(s.pkg.Syntax)
	s.messages = make(map[string]*model.Message)
	s.names = make(map[string]bool)
	p := &model.Package{
		Name: s.pkg.Name, Path: s.pkg.PkgPath, Types: s.pkg.Types,
		Dir: filepath.Dir(s.pkg.GoFiles[0]),
	}
	scope := s.pkg.Types.Scope()
	for _, name := range scope.Names() {
		obj, ok := scope.Lookup(name).(*types.TypeName)
		switch {
		case !ok || obj.IsAlias():
		case embedsActor(obj.Type()):
			if k := s.kind(obj); k != nil {
				p.Kinds = append(p.Kinds, k)
			}
		default:
			s.marked(obj)
		}
	}
	sort.Slice(p.Kinds, func(i, j int) bool { return p.Kinds[i].Name < p.Kinds[j].Name })
	for i := 1; i < len(p.Kinds); i++ {
		if a, b := p.Kinds[i-1], p.Kinds[i]; a.Name == b.Name {
			s.errs.add(b.Pos, "types %s and %s are both kind %q; name one with //troupe:kind", a.Type, b.Type, a.Name)
		}
	}
	for _, m := range s.messages {
		p.Messages = append(p.Messages, m)
	}
	sort.Slice(p.Messages, func(i, j int) bool { return p.Messages[i].Name < p.Messages[j].Name })
	return p
}

// declarationDocs maps the names of functions and types to their comments.
func declarationDocs(files []*ast.File) map[token.Pos]*ast.CommentGroup {
	docs := make(map[token.Pos]*ast.CommentGroup)
	for _, file := range files {
		for _, decl := range file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				docs[d.Name.Pos()] = d.Doc
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if t, ok := spec.(*ast.TypeSpec); ok {
						if docs[t.Name.Pos()] = t.Doc; t.Doc == nil {
							docs[t.Name.Pos()] = d.Doc
						}
					}
				}
			}
		}
	}
	return docs
}

// embedsActor reports whether t is a struct that embeds troupe.Actor.
func embedsActor(t types.Type) bool {
	st, ok := t.Underlying().(*types.Struct)
	if !ok {
		return false
	}
	for i := range st.NumFields() {
		f := st.Field(i)
		if named, ok := types.Unalias(f.Type()).(*types.Named); ok && f.Embedded() && isTroupe(named.Obj(), "Actor") {
			return true
		}
	}
	return false
}

func isTroupe(obj types.Object, name string) bool {
	return obj.Pkg() != nil && obj.Pkg().Path() == model.TroupePath && obj.Name() == name
}

func (s *scanner) position(pos token.Pos) token.Position { return s.fset.Position(pos) }

func (s *scanner) kind(obj *types.TypeName) *model.Kind {
	pos := s.position(obj.Pos())
	d, err := parseDirectives(s.docs[obj.Pos()], "kind", "ignore")
	if err != nil {
		s.errs.add(pos, "%s: %v", obj.Name(), err)
		return nil
	}
	named := obj.Type().(*types.Named)
	if d.ignore || hasMethod(named, "TroupeMethods") {
		return nil // described by hand, or no actor of its own
	}
	if named.TypeParams().Len() > 0 {
		s.errs.add(pos, "%s: generic actor types are not supported; declare a type for each instance, or mark it //troupe:ignore", obj.Name())
		return nil
	}
	k := &model.Kind{Name: d.kind, Type: obj.Name(), Form: d.form, Pos: pos}
	if k.Name == "" {
		k.Name = strings.ToLower(k.Type)
	}
	for _, fn := range s.exportedMethods(named) {
		if m := s.method(k, fn); m != nil {
			k.Methods = append(k.Methods, m)
		}
	}
	s.checkNames(k)
	return k
}

// marked describes obj as a message if it has the directive.
func (s *scanner) marked(obj *types.TypeName) {
	pos := s.position(obj.Pos())
	d, err := parseDirectives(s.docs[obj.Pos()], "message", "ignore")
	if err != nil {
		s.errs.add(pos, "%s: %v", obj.Name(), err)
		return
	}
	if !d.message {
		return
	}
	named := obj.Type().(*types.Named)
	st, ok := named.Underlying().(*types.Struct)
	switch {
	case !ok:
		s.errs.add(pos, "%s: //troupe:message is for structs", obj.Name())
		return
	case named.TypeParams().Len() > 0:
		s.errs.add(pos, "%s: generic messages are not supported", obj.Name())
		return
	case hasMethod(named, "AppendWire") || hasMethod(named, "ParseWire"):
		s.errs.add(pos, "%s: duplicate name: AppendWire and ParseWire would be generated", obj.Name())
		return
	}
	if m, err := s.message(named, st, obj.Name(), pos); err == nil {
		m.Marked, m.Client = true, d.access == model.Client
	}
}

func hasMethod(named *types.Named, name string) bool {
	for i := range named.NumMethods() {
		if named.Method(i).Name() == name {
			return true
		}
	}
	return false
}

// exportedMethods returns the methods that *T has by itself or from embedded
// types other than troupe's, in order of the source: by package, name of the
// file and place in it. Positions in the file set alone would not do, since
// packages.Load parses files in parallel.
func (s *scanner) exportedMethods(named *types.Named) []*types.Func {
	set := types.NewMethodSet(types.NewPointer(named))
	var fns []*types.Func
	for i := range set.Len() {
		fn := set.At(i).Obj().(*types.Func)
		if fn.Exported() && fn.Pkg().Path() != model.TroupePath && !lifecycle[fn.Name()] {
			fns = append(fns, fn)
		}
	}
	slices.SortStableFunc(fns, func(a, b *types.Func) int {
		at, bt := s.position(a.Pos()), s.position(b.Pos())
		return cmp.Or(
			cmp.Compare(a.Pkg().Path(), b.Pkg().Path()),
			cmp.Compare(filepath.Base(at.Filename), filepath.Base(bt.Filename)),
			cmp.Compare(at.Offset, bt.Offset),
		)
	})
	return fns
}

// lifecycle names the methods that the library calls itself.
var lifecycle = map[string]bool{
	"OnActivate": true, "OnDeactivate": true, "OnTerminated": true,
	"SizeBytes": true, "StateBytes": true, "TroupeMethods": true,
}

// reserved names the members of every generated reference.
var reserved = map[string]bool{"Handle": true, "Ref": true, "With": true}

// checkNames reports handlers whose generated methods would collide.
func (s *scanner) checkNames(k *model.Kind) {
	taken := make(map[string]bool)
	for _, m := range k.Methods {
		taken[m.Name] = true
	}
	for _, m := range k.Methods {
		switch {
		case reserved[m.Name] || reserved["Send"+m.Name]:
			s.errs.add(m.Pos, "%s.%s: the name is used by the generated reference; rename the method", k.Type, m.Name)
		case taken["Send"+m.Name]:
			s.errs.add(m.Pos, "%s.%s: duplicate name Send%s: it is the one-way form of %s and a handler; rename one", k.Type, m.Name, m.Name, m.Name)
		}
	}
	for _, name := range generatedNames(k) {
		if obj := s.pkg.Types.Scope().Lookup(name); obj != nil {
			s.errs.add(s.position(obj.Pos()), "duplicate name %s: it would be generated for kind %q", name, k.Name)
		}
	}
}

// generatedNames lists the package-level names of k, without its messages'.
func generatedNames(k *model.Kind) []string {
	lower := model.Lower(k.Type)
	names := []string{k.Type + "Ref", k.Type + "At", lower + "Methods", lower + "Handlers"}
	switch k.Form {
	case model.Virtual:
		names = append(names, k.Type+"Of", k.Type+"Named")
	case model.Stub:
		names = append(names, k.Type+"For", k.Type+"ForName", k.Type+"Shard", k.Type+"All", k.Type+"Broadcast")
	case model.Singleton:
		names = append(names, k.Type+"Of")
	case model.Pool:
		names = append(names, k.Type+"For", k.Type+"ForName", k.Type+"Any", k.Type+"All", k.Type+"Broadcast")
	}
	for _, m := range k.Methods {
		names = append(names, lower+m.Name, lower+m.Name+"Args", lower+m.Name+"Reply", lower+"Invoke"+m.Name)
	}
	return names
}
