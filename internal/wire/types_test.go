// SPDX-License-Identifier: MIT

package wire_test

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
)

type (
	color  uint8
	level  int16
	title  string
	secret []byte
	digest [4]byte
)

type inner1 struct {
	A int32
	B string
}

type Base struct{ Level level }

type tree struct {
	Value int
	Left  *tree
	Kids  []tree
	Named map[string]*tree
}

// everything has a field of every supported shape.
type everything struct {
	Bool   bool
	I8     int8
	I16    int16
	I32    int32
	I64    int64
	Int    int
	U8     uint8
	U16    uint16
	U32    uint32
	U64    uint64
	Uint   uint
	F32    float32
	F64    float64
	String string
	Bytes  []byte
	Digest digest
	Time   time.Time
	Dur    time.Duration
	Color  color
	Title  title
	Secret secret
	Inner  inner1
	Ptr    *inner1
	Proto  *durationpb.Duration
	Base

	ZigZag  int32  `troupe:"30,zigzag"`
	Fixed   int64  `troupe:"31,fixed"`
	Fixed32 uint32 `troupe:"32,fixed"`

	OptBool   *bool          `troupe:"40"`
	OptInt    *int           `troupe:"41"`
	OptString *string        `troupe:"42"`
	OptTime   *time.Time     `troupe:"43"`
	OptDur    *time.Duration `troupe:"44"`
	OptFloat  *float32       `troupe:"45"`
	OptDigest *digest        `troupe:"46"`

	Bools   []bool                 `troupe:"50"`
	Ints    []int32                `troupe:"51"`
	Zags    []int64                `troupe:"52,zigzag"`
	Fixeds  []uint64               `troupe:"53,fixed"`
	Floats  []float32              `troupe:"54"`
	Strings []string               `troupe:"55"`
	Blobs   [][]byte               `troupe:"56"`
	Times   []time.Time            `troupe:"57"`
	Durs    []time.Duration        `troupe:"58"`
	Inners  []inner1               `troupe:"59"`
	Ptrs    []*inner1              `troupe:"60"`
	Protos  []*durationpb.Duration `troupe:"61"`
	Colors  []color                `troupe:"62"`
	Digests []digest               `troupe:"63"`

	ArrInt    [3]int16   `troupe:"70"`
	ArrString [2]string  `troupe:"71"`
	ArrInner  [2]inner1  `troupe:"72"`
	ArrFloat  [2]float64 `troupe:"73"`

	MapIntString map[int32]string                `troupe:"1000"`
	MapStringInt map[string]int64                `troupe:"1001"`
	MapBool      map[bool]inner1                 `troupe:"1002"`
	MapPtr       map[uint16]*inner1              `troupe:"1003"`
	MapTime      map[title]time.Time             `troupe:"1004"`
	MapProto     map[string]*durationpb.Duration `troupe:"1005"`
	MapBytes     map[int64][]byte                `troupe:"1006"`
	MapFloat     map[uint64]float32              `troupe:"1007"`

	Tree    tree            `troupe:"100"`
	Dynamic *structpb.Value `troupe:"101"`
	Skipped chan int        `troupe:"-"`
	_       [0]func()
}
