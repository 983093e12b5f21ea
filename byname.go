// SPDX-License-Identifier: MIT

package troupe

import (
	"fmt"
	"math"
	"reflect"
)

// Results collects the pointers of a by-name call with several results:
// node.Call(ctx, ref, "Stat", troupe.Results(&hp, &mp)).
func Results(pointers ...any) any { return resultList(pointers) }

type resultList []any

// assignArgs sets the fields of dst, an argument struct, from by-name
// arguments. Numbers convert when the value survives exactly; everything else
// must be assignable. The error names the first argument that does not fit.
func assignArgs(method string, dst reflect.Value, args []any) error {
	if len(args) != dst.NumField() {
		return fmt.Errorf("%w: %s takes %d arguments, got %d", ErrBadArguments, method, dst.NumField(), len(args))
	}
	for i, arg := range args {
		if err := assign(dst.Field(i), arg); err != nil {
			return fmt.Errorf("%w: %s: argument %d: %w", ErrBadArguments, method, i+1, err)
		}
	}
	return nil
}

// assignResults copies the fields of src, a result struct, to the caller's
// pointers. A nil results discards them.
func assignResults(method string, src reflect.Value, results any) error {
	if results == nil {
		return nil
	}
	list, ok := results.(resultList)
	if !ok {
		if src.NumField() == 1 {
			return assignResult(method, 0, src.Field(0), results)
		}
		list = resultList{results}
	}
	if len(list) != src.NumField() {
		return fmt.Errorf("%w: %s returns %d results, got pointers for %d", ErrBadArguments, method, src.NumField(), len(list))
	}
	for i, p := range list {
		if err := assignResult(method, i, src.Field(i), p); err != nil {
			return err
		}
	}
	return nil
}

func assignResult(method string, i int, src reflect.Value, pointer any) error {
	p := reflect.ValueOf(pointer)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return fmt.Errorf("%w: %s: result %d: want a pointer, got %T", ErrBadArguments, method, i+1, pointer)
	}
	if src.Type().AssignableTo(p.Type().Elem()) {
		p.Elem().Set(src)
		return nil
	}
	if err := convert(p.Elem(), src); err != nil {
		return fmt.Errorf("%w: %s: result %d: %w", ErrBadArguments, method, i+1, err)
	}
	return nil
}

// checkResults finds out before the call whether the results can fit, so that
// a wrong pointer costs nothing. Only the value of a number is checked later.
func checkResults(m AnyMethod, results any) error {
	if results == nil {
		return nil
	}
	name, t := m.Info().Name, m.ReplyType()
	list, ok := results.(resultList)
	if !ok {
		if t.NumField() != 1 {
			return fmt.Errorf("%w: %s returns %d results, got a pointer for 1", ErrBadArguments, name, t.NumField())
		}
		return checkResult(name, 0, t.Field(0).Type, results)
	}
	if len(list) != t.NumField() {
		return fmt.Errorf("%w: %s returns %d results, got pointers for %d", ErrBadArguments, name, t.NumField(), len(list))
	}
	for i, p := range list {
		if err := checkResult(name, i, t.Field(i).Type, p); err != nil {
			return err
		}
	}
	return nil
}

func checkResult(method string, i int, src reflect.Type, pointer any) error {
	p := reflect.ValueOf(pointer)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return fmt.Errorf("%w: %s: result %d: want a pointer, got %T", ErrBadArguments, method, i+1, pointer)
	}
	dst := p.Type().Elem()
	if src.AssignableTo(dst) || isNumber(src.Kind()) && isNumber(dst.Kind()) ||
		src.Kind() == reflect.String && dst.Kind() == reflect.String {
		return nil
	}
	return fmt.Errorf("%w: %s: result %d: want *%s, got %T", ErrBadArguments, method, i+1, src, pointer)
}

func assign(dst reflect.Value, arg any) error {
	if arg == nil {
		switch dst.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			dst.SetZero()
			return nil
		}
		return fmt.Errorf("want %s, got nil", dst.Type())
	}
	src := reflect.ValueOf(arg)
	if src.Type().AssignableTo(dst.Type()) {
		dst.Set(src)
		return nil
	}
	return convert(dst, src)
}

// convert sets dst to src if both are numbers, or both are strings, and the
// value survives exactly.
func convert(dst, src reflect.Value) error {
	misfit := fmt.Errorf("want %s, got %s", dst.Type(), src.Type())
	if dst.Kind() == reflect.String && src.Kind() == reflect.String {
		dst.SetString(src.String())
		return nil
	}
	if !isNumber(dst.Kind()) || !isNumber(src.Kind()) {
		return misfit
	}
	if !fits(dst, src) {
		return fmt.Errorf("%v does not fit into %s", src, dst.Type())
	}
	dst.Set(src.Convert(dst.Type()))
	return nil
}

func isNumber(k reflect.Kind) bool {
	return k >= reflect.Int && k <= reflect.Float64 && k != reflect.Uintptr
}

func fits(dst, src reflect.Value) bool {
	switch {
	case src.CanInt():
		v := src.Int()
		switch {
		case dst.CanInt():
			return !dst.OverflowInt(v)
		case dst.CanUint():
			return v >= 0 && !dst.OverflowUint(uint64(v))
		}
		return int64(float64(v)) == v && v != math.MaxInt64 && exactFloat(dst, float64(v))
	case src.CanUint():
		v := src.Uint()
		switch {
		case dst.CanInt():
			return v <= math.MaxInt64 && !dst.OverflowInt(int64(v))
		case dst.CanUint():
			return !dst.OverflowUint(v)
		}
		return v < 1<<63 && uint64(float64(v)) == v && exactFloat(dst, float64(v))
	}
	v := src.Float()
	switch {
	case dst.CanInt():
		return v == math.Trunc(v) && v >= -(1<<63) && v < 1<<63 && !dst.OverflowInt(int64(v))
	case dst.CanUint():
		return v == math.Trunc(v) && v >= 0 && v < 1<<64 && !dst.OverflowUint(uint64(v))
	}
	return exactFloat(dst, v)
}

func exactFloat(dst reflect.Value, v float64) bool {
	return dst.Kind() == reflect.Float64 || math.IsNaN(v) || float64(float32(v)) == v
}
