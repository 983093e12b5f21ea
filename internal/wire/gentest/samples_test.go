// SPDX-License-Identifier: MIT

package gentest

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/troupe-go/troupe/internal/wire/wiretest"
)

// TestWriteSamples writes encodings of gameEchoArgs, each behind its length in
// four bytes, for the tests of clients in other languages.
func TestWriteSamples(t *testing.T) {
	name := os.Getenv("TROUPE_SAMPLES")
	if name == "" {
		t.Skip("TROUPE_SAMPLES names no file")
	}
	r := rand.New(rand.NewPCG(7, 8))
	var out []byte
	for range 300 {
		args := new(gameEchoArgs)
		wiretest.Fill(r, reflect.ValueOf(args).Elem())
		coarse(reflect.ValueOf(args).Elem())
		b := gameEchoAppendArgs(nil, args)
		out = append(binary.BigEndian.AppendUint32(out, uint32(len(b))), b...)
	}
	require.NoError(t, os.WriteFile(name, out, 0o600))
}

// coarse rounds times and durations to what a Date of JavaScript can hold, and
// replaces NaNs, which have many encodings.
func coarse(v reflect.Value) {
	switch x := v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(x.Truncate(time.Millisecond)))
		return
	case time.Duration:
		v.SetInt(int64((x % (1000 * time.Hour)).Truncate(time.Millisecond)))
		return
	}
	switch v.Kind() {
	case reflect.Float32, reflect.Float64:
		if f := v.Float(); f != f {
			v.SetFloat(2.5)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && f.Tag.Get("troupe") != "-" && f.Type.Kind() != reflect.Chan {
				coarse(v.Field(i))
			}
		}
	case reflect.Pointer:
		if !v.IsNil() && !v.Type().Implements(reflect.TypeFor[interface{ ProtoMessage() }]()) {
			coarse(v.Elem())
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			coarse(v.Index(i))
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			elem := reflect.New(v.Type().Elem()).Elem()
			elem.Set(v.MapIndex(key))
			coarse(elem)
			v.SetMapIndex(key, elem)
		}
	}
}
