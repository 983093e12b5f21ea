// SPDX-License-Identifier: MIT

package load

import (
	"fmt"
	"go/token"
	"go/types"
	"reflect"
	"sort"
	"strconv"
	"strings"

	"github.com/troupe-go/troupe/cmd/troupe/internal/model"
)

// maxMessages bounds the struct types of one package: a generic type that
// contains a larger instance of itself would have no end.
const maxMessages = 10000

// message describes the struct type t. It enters the table before its fields
// are known, so that a type may refer to itself.
func (s *scanner) message(t types.Type, st *types.Struct, path string, pos token.Position) (*model.Message, error) {
	t = types.Unalias(t)
	id := types.TypeString(t, nil)
	if m, ok := s.messages[id]; ok {
		return m, nil
	}
	if len(s.messages) >= maxMessages {
		return nil, s.fail(pos, path, t, "too many struct types; is a generic type instantiated with itself?")
	}
	m := &model.Message{Type: t, Pos: pos, Key: types.TypeString(t, types.RelativeTo(s.pkg.Types))}
	m.Name = s.messageName(t)
	s.messages[id] = m
	short, foreign := path, false
	if named, ok := types.Unalias(t).(*types.Named); ok {
		m.Pos = s.position(named.Obj().Pos())
		short = named.Obj().Name()
		if foreign = named.Obj().Pkg() != s.pkg.Types; foreign {
			short = path + ", " + types.TypeString(t, types.RelativeTo(s.pkg.Types))
		}
	}
	var failed error
	place := int32(0)
	for i := range st.NumFields() {
		v := st.Field(i)
		tag := reflect.StructTag(st.Tag(i)).Get("troupe")
		if tag == "-" || v.Name() == "_" {
			continue
		}
		place++
		at, where := s.position(v.Pos()), short+"."+v.Name()
		if foreign {
			at = pos // the user's line, not the other package's
		}
		if !v.Exported() {
			failed = s.fail(at, where, v.Type(), "unexported fields have no encoding; export the field or tag it `troupe:\"-\"`")
			continue
		}
		num, option, err := parseTag(tag, place)
		if err != nil {
			failed = s.fail(at, where, v.Type(), err.Error())
			continue
		}
		f, err := s.field(v.Type(), num, option, where, at)
		if err != nil {
			failed = err
			continue
		}
		f.Name = v.Name()
		m.Fields = append(m.Fields, f)
	}
	sort.SliceStable(m.Fields, func(i, j int) bool { return m.Fields[i].Num < m.Fields[j].Num })
	for i := 1; i < len(m.Fields); i++ {
		if a, b := m.Fields[i-1], m.Fields[i]; a.Num == b.Num {
			failed = s.fail(b.Pos, short, t, fmt.Sprintf("fields %s and %s have the same number %d", a.Name, b.Name, a.Num))
		}
	}
	return m, failed
}

// messageName returns a unique Go identifier part for t: "Receipt",
// "itemsSword".
func (s *scanner) messageName(t types.Type) string {
	text := types.TypeString(t, func(p *types.Package) string {
		if p == s.pkg.Types {
			return ""
		}
		return p.Name()
	})
	if _, ok := types.Unalias(t).(*types.Named); !ok {
		text = "Struct"
	}
	name := strings.Map(func(r rune) rune {
		if r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r > 127 {
			return r
		}
		return -1
	}, text)
	for base, n := name, 2; s.names[name]; n++ {
		name = base + strconv.Itoa(n)
	}
	s.names[name] = true
	return name
}

// maxNumber is the largest field number of protobuf.
const maxNumber = 1<<29 - 1

// parseTag reads `troupe:"3,fixed"`. A missing number is the field's place.
func parseTag(tag string, place int32) (num int32, option string, err error) {
	text, option, _ := strings.Cut(tag, ",")
	n := int(place)
	if text != "" {
		if n, err = strconv.Atoi(text); err != nil {
			return 0, "", fmt.Errorf("tag %q does not start with a field number", tag)
		}
	}
	if n < 1 || n > maxNumber || n >= 19000 && n <= 19999 {
		return 0, "", fmt.Errorf("field number %d is not between 1 and %d, or reserved by protobuf", n, maxNumber)
	}
	switch option {
	case "", "fixed", "zigzag":
		return int32(n), option, nil
	}
	return 0, "", fmt.Errorf("unknown option %q in tag; known are fixed and zigzag", option)
}
