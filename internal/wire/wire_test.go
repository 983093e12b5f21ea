// SPDX-License-Identifier: MIT

package wire_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/troupe-go/troupe/internal/wire"
)

func codecFor(t testing.TB, v any) *wire.Codec {
	t.Helper()
	var cache wire.Cache
	codec, err := cache.For(reflect.TypeOf(v))
	require.NoError(t, err)
	return codec
}

func TestRoundTripOfSmallValues(t *testing.T) {
	now := time.Unix(5, 7).UTC()
	for name, v := range map[string]any{
		"zero":     everything{},
		"negative": everything{I8: -8, I16: -16, I32: -32, I64: -64, Int: -1, ZigZag: -2, Fixed: -3, F32: -1.5, Dur: -time.Second - 1},
		"time":     everything{Time: now, Times: []time.Time{{}, now}, MapTime: map[title]time.Time{"": now}},
		"lists":    everything{Ints: []int32{0, -1, 1 << 30}, Inners: []inner1{{}, {A: 1}}, ArrInt: [3]int16{0, 1}, Blobs: [][]byte{{1}, {2, 3}}},
		"maps":     everything{MapIntString: map[int32]string{0: "", -1: "x"}, MapBool: map[bool]inner1{true: {A: 1}}},
		"tree":     everything{Tree: tree{Left: &tree{Value: 3}, Kids: []tree{{Value: 1}, {}}}},
		"bare int": 42, "bare string": "hi", "bare time": now, "bare list": []string{"a", ""},
		"bare map": map[string]int{"a": 1}, "bare array": [2]int{0, 1}, "bare pointer": &inner1{A: 1},
	} {
		t.Run(name, func(t *testing.T) {
			codec := codecFor(t, v)
			b := codec.Append(nil, reflect.ValueOf(v))
			got := reflect.New(reflect.TypeOf(v)).Elem()
			require.NoError(t, codec.Parse(b, got))
			require.Equal(t, v, got.Interface())
		})
	}
}
