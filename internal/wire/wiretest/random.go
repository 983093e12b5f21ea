// SPDX-License-Identifier: MIT

package wiretest

import (
	"math"
	"math/rand/v2"
	"reflect"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
)

// Fill sets v, which must be settable, to a random value. Edge values are
// frequent; about a third of everything is absent.
func Fill(r *rand.Rand, v reflect.Value) { fill(r, v, 0) }

const maxDepth = 5

func fill(r *rand.Rand, v reflect.Value, depth int) {
	if r.IntN(3) == 0 || depth > maxDepth {
		return
	}
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(pick(r, time.Time{}, time.Unix(0, 0), time.Unix(-5, 999999999), time.Unix(r.Int64N(1e10), r.Int64N(1e9)))))
		return
	case *durationpb.Duration:
		v.Set(reflect.ValueOf(pick(r, &durationpb.Duration{}, &durationpb.Duration{Seconds: r.Int64(), Nanos: -1})))
		return
	case *structpb.Value:
		v.Set(reflect.ValueOf(pick(r, structpb.NewNullValue(), structpb.NewStringValue("x"), structpb.NewListValue(&structpb.ListValue{}))))
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(pick(r, 1, -1, 127, 128, math.MinInt64, math.MaxInt64, int64(r.Uint64())))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(pick(r, 1, 127, 128, math.MaxUint64, r.Uint64()))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(pick(r, 1, -1.5, math.Copysign(0, -1), math.Inf(1), math.NaN(), r.NormFloat64()))
	case reflect.String:
		v.SetString(pick(r, "", "a", "añb日", string(make([]byte, r.IntN(300)))))
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && f.Tag.Get("troupe") != "-" {
				fill(r, v.Field(i), depth+1)
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(r, v.Elem(), depth+1)
	case reflect.Slice:
		n := pick(r, 0, 1, 3, 20)
		if depth > 2 {
			n = min(n, 2)
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			fill(r, v.Index(i), depth+1)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range r.IntN(4) {
			key, elem := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(r, key, depth+1)
			fill(r, elem, depth+1)
			v.SetMapIndex(key, elem)
		}
	}
}

func pick[T any](r *rand.Rand, options ...T) T { return options[r.IntN(len(options))] }
