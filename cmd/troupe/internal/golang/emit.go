// SPDX-License-Identifier: MIT

// Package golang prints the Go file of a package: references, method
// descriptions and codecs.
package golang

import (
	"bytes"
	_ "embed"
	"fmt"
	"go/format"
	"go/types"
	"slices"
	"strings"
	"text/template"

	"github.com/troupe-go/troupe/cmd/troupe/internal/load"
	"github.com/troupe-go/troupe/cmd/troupe/internal/model"
)

//go:embed kind.go.tmpl
var kindTemplate string

// File returns the formatted source for p.
func File(p *model.Package) ([]byte, error) {
	im := newImports(p.Types)
	// These come first, so that they keep their own names.
	var ctx, troupe string
	if len(p.Kinds) > 0 {
		ctx, troupe = im.use("context", "context"), im.use(model.TroupePath, "troupe")
	}
	var body bytes.Buffer
	tmpl, err := template.New("kind").Parse(kindTemplate)
	if err != nil {
		return nil, err
	}
	e := &emitter{im: im}
	for _, k := range p.Kinds {
		if err := tmpl.Execute(&body, newKindView(e, k, ctx, troupe)); err != nil {
			return nil, fmt.Errorf("kind %s: %w", k.Name, err)
		}
		for _, m := range k.Methods {
			e.topLevel(m.Args)
			e.topLevel(m.Reply)
		}
	}
	for _, m := range p.Messages {
		e.nested(m)
	}
	var file bytes.Buffer
	fmt.Fprintf(&file, "%s\n\npackage %s\n\n%s\n", load.Header, p.Name, im.block())
	file.Write(body.Bytes())
	file.Write(e.out.Bytes())
	formatted, err := format.Source(file.Bytes())
	if err != nil {
		return nil, fmt.Errorf("package %s: format generated code: %w\n%s", p.Path, err, file.Bytes())
	}
	return formatted, nil
}

// kindView is what the template sees of a kind.
type kindView struct {
	*model.Kind
	Lower   string // "player"
	Ctx     string // name of package context
	Troupe  string // name of package troupe
	Methods []*methodView
}

// methodView is what the template sees of a handler.
type methodView struct {
	*model.Method
	Var                  string // "playerBuy"
	Params               string // "item int32, count int32"
	Results              string // "(Receipt, error)"
	Literal              string // "Item: item, Count: count"
	Assign               string // "reply.R0, err"
	FromArgs             string // "args.Item, args.Count"
	Returns              string // "reply.R0, err"
	Comment, SendComment string
	ArgNames             string // "item", "count"
	AccessName           string // "AccessClient"
	ArgStruct            string
	ReplyStruct          string
}

func newKindView(e *emitter, k *model.Kind, ctx, troupe string) *kindView {
	v := &kindView{Kind: k, Lower: model.Lower(k.Type), Ctx: ctx, Troupe: troupe}
	for _, m := range k.Methods {
		v.Methods = append(v.Methods, newMethodView(e, v, m))
	}
	return v
}

// Broadcasts reports whether there is a reference to all actors of the kind.
func (k *kindView) Broadcasts() bool { return k.Form == model.Stub || k.Form == model.Pool }

// Numbered returns the methods in order of their numbers.
func (k *kindView) Numbered() []*methodView {
	sorted := slices.Clone(k.Methods)
	slices.SortFunc(sorted, func(a, b *methodView) int { return int(a.Number - b.Number) })
	return sorted
}

func newMethodView(e *emitter, k *kindView, m *model.Method) *methodView {
	v := &methodView{
		Method: m, Var: k.Lower + m.Name,
		AccessName:  "Access" + model.Upper(string(m.Access)),
		ArgStruct:   e.structBody(m.Args),
		ReplyStruct: e.structBody(m.Reply),
	}
	taken := map[string]bool{"r": true, "ctx": true, "reply": true, "err": true, k.Ctx: true, k.Troupe: true}
	for _, other := range k.Kind.Methods {
		taken[k.Lower+other.Name], taken[k.Lower+other.Name+"Args"] = true, true
	}
	var params, literal, from, assign, returns, results, names []string
	for i, f := range m.Args.Fields {
		name := f.Param
		if name == "" || name == "_" {
			name = fmt.Sprintf("a%d", i)
		}
		names = append(names, fmt.Sprintf("%q", name))
		for taken[name] || types.Universe.Lookup(name) != nil {
			name += "_"
		}
		taken[name] = true
		text, spread := e.im.typeName(f.Type), ""
		if m.Variadic && i == len(m.Args.Fields)-1 {
			text, spread = "..."+e.im.typeName(f.Elem.Type), "..."
			if f.Elem.Kind == model.Bytes && f.Shape == model.Single {
				text = "...byte"
			}
		}
		params = append(params, name+" "+text)
		literal = append(literal, f.Name+": "+name)
		from = append(from, "args."+f.Name+spread)
	}
	for _, f := range m.Reply.Fields {
		assign = append(assign, "reply."+f.Name)
		returns = append(returns, "reply."+f.Name)
		results = append(results, e.im.typeName(f.Type))
	}
	v.Params = strings.Join(params, ", ")
	v.Literal, v.FromArgs = strings.Join(literal, ", "), strings.Join(from, ", ")
	v.Assign, v.Returns = strings.Join(append(assign, "err"), ", "), strings.Join(append(returns, "err"), ", ")
	v.Results, v.ArgNames = "error", strings.Join(names, ", ")
	if len(results) > 0 {
		v.Results = "(" + strings.Join(append(results, "error"), ", ") + ")"
	}
	v.Comment = comment(fmt.Sprintf("%s calls the handler %s.%s and waits for its reply.", m.Name, k.Type, m.Name), m.Doc)
	v.SendComment = comment(fmt.Sprintf("Send%s sends to %s.%s without waiting.", m.Name, k.Type, m.Name), "")
	return v
}

func comment(first, rest string) string {
	text := first
	if rest != "" {
		text += "\n\n" + rest
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight("// "+line, " ")
	}
	return strings.Join(lines, "\n")
}

// structBody lists the fields of parameters or results.
func (e *emitter) structBody(m *model.Message) string {
	var b strings.Builder
	for _, f := range m.Fields {
		fmt.Fprintf(&b, "%s %s `troupe:\"%d\"`\n", f.Name, e.im.typeName(f.Type), f.Num)
	}
	return b.String()
}
