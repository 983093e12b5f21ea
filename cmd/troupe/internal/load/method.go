// SPDX-License-Identifier: MIT

package load

import (
	"fmt"
	"go/token"
	"go/types"

	"github.com/troupe-go/troupe/cmd/troupe/internal/model"
)

// method describes a handler, or returns nil and reports why fn is none.
func (s *scanner) method(k *model.Kind, fn *types.Func) *model.Method {
	pos := s.position(fn.Pos())
	d, err := parseDirectives(s.docs[fn.Pos()], "client", "system", "max", "ignore")
	if err != nil {
		s.errs.add(pos, "%s.%s: %v", k.Type, fn.Name(), err)
		return nil
	}
	if d.ignore {
		return nil
	}
	sig := fn.Signature()
	if why := notHandler(sig); why != "" {
		s.errs.add(pos, "%s.%s: %s; handlers are func(ctx context.Context, args...) (results..., error). Unexport it or mark it //troupe:ignore if it is none",
			k.Type, fn.Name(), why)
		return nil
	}
	lower := model.Lower(k.Type) + fn.Name()
	m := &model.Method{
		Name: fn.Name(), Access: d.access, MaxBytes: d.max, Variadic: sig.Variadic(),
		Doc: d.doc, Pos: pos,
	}
	where := k.Type + "." + fn.Name()
	m.Args = s.tuple(lower+"Args", where, sig.Params(), 1, sig.Params().Len(), "A", pos)
	m.Reply = s.tuple(lower+"Reply", where, sig.Results(), 0, sig.Results().Len()-1, "R", pos)
	return m
}

func notHandler(sig *types.Signature) string {
	params, results := sig.Params(), sig.Results()
	switch {
	case params.Len() == 0 || !isNamed(params.At(0).Type(), "context", "Context"):
		return "the first parameter is not a context.Context"
	case results.Len() == 0 || !types.Identical(results.At(results.Len()-1).Type(), types.Universe.Lookup("error").Type()):
		return "the last result is not an error"
	case sig.TypeParams().Len() > 0 || sig.RecvTypeParams().Len() > 0:
		return "generic handlers are not supported"
	}
	return ""
}

func isNamed(t types.Type, path, name string) bool {
	named, ok := types.Unalias(t).(*types.Named)
	return ok && named.Obj().Pkg() != nil && named.Obj().Pkg().Path() == path && named.Obj().Name() == name
}

// tuple describes the parameters or results from..to as a message.
func (s *scanner) tuple(name, where string, vars *types.Tuple, from, to int, prefix string, pos token.Position) *model.Message {
	m := &model.Message{Name: name, Key: name, Pos: pos}
	taken := make(map[string]bool)
	for i := from; i < to; i++ {
		v := vars.At(i)
		field := model.Upper(v.Name())
		if v.Name() == "" || v.Name() == "_" || taken[field] || !token.IsExported(field) {
			field = fmt.Sprintf("%s%d", prefix, i-from)
		}
		taken[field] = true
		at := s.position(v.Pos())
		if !at.IsValid() {
			at = pos
		}
		label := v.Name()
		if label == "" || label == "_" {
			label = fmt.Sprintf("number %d", i-from+1)
		}
		what := "parameter "
		if prefix == "R" {
			what = "result "
		}
		f, err := s.field(v.Type(), int32(i-from+1), "", where+", "+what+label, at)
		if err != nil {
			continue
		}
		f.Name, f.Param = field, v.Name()
		m.Fields = append(m.Fields, f)
	}
	return m
}
