// SPDX-License-Identifier: MIT

package load

import (
	"errors"
	"go/token"
	"go/types"
	"slices"

	"github.com/troupe-go/troupe/cmd/troupe/internal/model"
)

// errReported says that the mistake is in scanner.errs already.
var errReported = errors.New("reported")

func (s *scanner) fail(pos token.Position, path string, t types.Type, reason string) error {
	text := types.TypeString(t, types.RelativeTo(s.pkg.Types))
	s.errs.add(pos, "%s: type %s: %s", path, text, reason)
	return errReported
}

// field describes a struct field, parameter or result of type t. It follows
// the same rules as the reflective codec of troupe's internal/wire.
func (s *scanner) field(t types.Type, num int32, option, path string, pos token.Position) (*model.Field, error) {
	f := &model.Field{Num: num, Type: t, Pos: pos}
	elem := t
	switch u := t.Underlying().(type) {
	case *types.Pointer:
		if !isProto(t) && !isMessageStruct(u.Elem()) {
			f.Shape, elem = model.Optional, u.Elem()
		}
	case *types.Slice:
		if !isByte(u.Elem()) {
			f.Shape, elem = model.List, u.Elem()
		}
	case *types.Array:
		if !isByte(u.Elem()) {
			f.Shape, elem, f.Len = model.Array, u.Elem(), u.Len()
		}
	case *types.Map:
		f.Shape, elem = model.Mapping, u.Elem()
		key, err := s.value(u.Key(), "", path+", key", pos)
		if err != nil {
			return nil, err
		}
		if key.Kind > model.String || key.Kind == model.Float {
			return nil, s.fail(pos, path, t, "map keys are integers, bool or strings")
		}
		f.Key = &key
	}
	var err error
	if f.Elem, err = s.value(elem, option, path, pos); err != nil {
		return nil, err
	}
	if k := f.Elem.Kind; f.Shape == model.Optional && (k == model.Bytes || k == model.Pointer || k == model.Proto) {
		return nil, s.fail(pos, path, t, "pointers to slices or pointers have no encoding")
	}
	return f, nil
}

// value describes a type that is neither a list nor a map.
func (s *scanner) value(t types.Type, option, path string, pos token.Position) (v model.Value, err error) {
	v = model.Value{Type: t}
	fail := func(reason string) (model.Value, error) { return v, s.fail(pos, path, t, reason) }
	if why := s.unnameable(t); why != "" {
		return fail(why)
	}
	switch {
	case isNamed(t, "time", "Time"):
		v.Kind = model.Time
	case isNamed(t, "time", "Duration"):
		v.Kind = model.Duration
	case isProto(t):
		v.Kind = model.Proto
	default:
		switch u := t.Underlying().(type) {
		case *types.Basic:
			if !basic(&v, u) {
				return fail("it has no encoding")
			}
		case *types.Slice:
			if !isByte(u.Elem()) {
				return fail("slices inside slices, maps or pointers have no encoding; wrap the inner one in a struct")
			}
			v.Kind = model.Bytes
		case *types.Array:
			if !isByte(u.Elem()) {
				return fail("arrays inside slices, maps or pointers have no encoding; wrap the inner one in a struct")
			}
			v.Kind, v.Len = model.ByteArray, u.Len()
		case *types.Struct:
			if isProto(types.NewPointer(t)) {
				return fail("proto messages are passed by pointer")
			}
			v.Kind = model.Struct
			v.Msg, err = s.message(t, u, path, pos)
		case *types.Pointer:
			st, ok := u.Elem().Underlying().(*types.Struct)
			if !ok || !isMessageStruct(u.Elem()) {
				return fail("pointers inside slices, maps or pointers must point to structs")
			}
			v.Kind = model.Pointer
			v.Msg, err = s.message(u.Elem(), st, path, pos)
		case *types.Map:
			return fail("maps inside slices, maps or pointers have no encoding; wrap the inner one in a struct")
		case *types.Interface:
			return fail("interfaces have no encoding; use a struct, or a pointer to a concrete proto message")
		case *types.Chan:
			return fail("channels have no encoding")
		case *types.Signature:
			return fail("functions have no encoding")
		default:
			return fail("it has no encoding")
		}
	}
	if err != nil {
		return v, err
	}
	return s.option(v, option, path, pos)
}

func (s *scanner) option(v model.Value, option, path string, pos token.Position) (model.Value, error) {
	switch {
	case option == "":
	case option == "zigzag" && v.Kind == model.Int:
		v.Kind = model.ZigZag
	case option == "fixed" && v.Kind == model.Int && v.Bits >= 32:
		v.Kind = model.FixedInt
	case option == "fixed" && v.Kind == model.Uint && v.Bits >= 32:
		v.Kind = model.FixedUint
	default:
		return v, s.fail(pos, path, v.Type, "option "+option+" does not apply: zigzag is for signed integers, fixed for those of 32 or 64 bits")
	}
	return v, nil
}

// basic fills v for a number, bool or string.
func basic(v *model.Value, b *types.Basic) bool {
	switch b.Kind() {
	case types.Bool:
		v.Kind = model.Bool
	case types.String:
		v.Kind = model.String
	case types.Int8, types.Int16, types.Int32, types.Int64, types.Int:
		v.Kind = model.Int
	case types.Uint8, types.Uint16, types.Uint32, types.Uint64, types.Uint:
		v.Kind = model.Uint
	case types.Float32, types.Float64:
		v.Kind = model.Float
	default:
		return false
	}
	switch b.Kind() {
	case types.Int8, types.Uint8:
		v.Bits = 8
	case types.Int16, types.Uint16:
		v.Bits = 16
	case types.Int32, types.Uint32, types.Float32:
		v.Bits = 32
	case types.Int64, types.Uint64, types.Int, types.Uint, types.Float64:
		v.Bits = 64
	}
	return true
}

// unnameable says why generated code could not write t, or returns "".
func (s *scanner) unnameable(t types.Type) string {
	if types.Unalias(t) == types.Typ[types.Invalid] {
		return "it cannot be resolved (a compile error in this package, or a name that is generated)"
	}
	named, ok := types.Unalias(t).(*types.Named)
	switch {
	case !ok || named.Obj().Pkg() == nil:
		return ""
	case named.Obj().Pkg() == s.pkg.Types:
		if slices.Contains(model.Locals, named.Obj().Name()) {
			return "generated code uses this name for a variable; rename the type"
		}
		return ""
	case !named.Obj().Exported():
		return "it is not exported by its package"
	}
	return ""
}

func isByte(t types.Type) bool {
	return types.Identical(types.Unalias(t), types.Typ[types.Uint8])
}

// isMessageStruct reports whether t is a struct that is a message by its fields.
func isMessageStruct(t types.Type) bool {
	_, ok := t.Underlying().(*types.Struct)
	return ok && !isNamed(t, "time", "Time")
}

// isProto reports whether t is a pointer to a generated proto message.
func isProto(t types.Type) bool {
	p, ok := types.Unalias(t).(*types.Pointer)
	if !ok {
		return false
	}
	set := types.NewMethodSet(p)
	for i := range set.Len() {
		fn, ok := set.At(i).Obj().(*types.Func)
		if !ok || fn.Name() != "ProtoReflect" {
			continue
		}
		results := fn.Signature().Results()
		return results.Len() == 1 && isNamed(results.At(0).Type(), "google.golang.org/protobuf/reflect/protoreflect", "Message")
	}
	return false
}
