// SPDX-License-Identifier: MIT

// Package gentest holds handlers with every supported type. Its tests compare
// the generated codecs with the reflective ones and with google.golang.org/protobuf.
package gentest

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/troupe-go/troupe"
)

//go:generate go run github.com/troupe-go/troupe/cmd/troupe gen -proto gentest.proto
//go:generate protoc --include_imports --descriptor_set_out=gentest.binpb gentest.proto

// Named types of every underlying kind.
type (
	Color  uint8
	Level  int16
	Title  string
	Secret []byte
	Digest [4]byte
	Speed  float32
	Flag   bool
	When   = time.Time
)

// Item is a small struct whose fields are out of order.
type Item struct {
	Price int64  `troupe:"2"`
	Name  string `troupe:"1"`
}

// Base is embedded.
type Base struct{ Level Level }

// Empty has no fields.
type Empty struct{}

// Tree refers to itself in every possible way.
type Tree struct {
	Value int
	Left  *Tree
	Kids  []Tree
	Named map[string]*Tree
	Byte  map[uint8]Tree
}

// Pair is generic; its instances are messages.
type Pair[A, B any] struct {
	First  A
	Second B
}

// Everything has a field of every supported shape.
type Everything struct {
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
	Digest Digest
	Time   time.Time
	Dur    time.Duration
	Color  Color
	Title  Title
	Secret Secret
	Speed  Speed
	Flag   Flag
	Item   Item
	Ptr    *Item
	Proto  *durationpb.Duration
	Base
	Ref   troupe.Ref
	Empty Empty

	ZigZag   int32  `troupe:"30,zigzag"`
	Fixed    int64  `troupe:"31,fixed"`
	Fixed32  uint32 `troupe:"32,fixed"`
	ZigZag64 int64  `troupe:"33,zigzag"`
	FixedInt int    `troupe:"34,fixed"`

	OptBool   *bool          `troupe:"40"`
	OptInt    *int           `troupe:"41"`
	OptString *string        `troupe:"42"`
	OptTime   *time.Time     `troupe:"43"`
	OptDur    *time.Duration `troupe:"44"`
	OptFloat  *float32       `troupe:"45"`
	OptDigest *Digest        `troupe:"46"`
	OptColor  *Color         `troupe:"47"`
	OptZig    *int64         `troupe:"48,zigzag"`

	Bools   []bool                 `troupe:"50"`
	Ints    []int32                `troupe:"51"`
	Zags    []int64                `troupe:"52,zigzag"`
	Fixeds  []uint64               `troupe:"53,fixed"`
	Floats  []float32              `troupe:"54"`
	Strings []string               `troupe:"55"`
	Blobs   [][]byte               `troupe:"56"`
	Times   []time.Time            `troupe:"57"`
	Durs    []time.Duration        `troupe:"58"`
	Items   []Item                 `troupe:"59"`
	Ptrs    []*Item                `troupe:"60"`
	Protos  []*durationpb.Duration `troupe:"61"`
	Colors  []Color                `troupe:"62"`
	Digests []Digest               `troupe:"63"`
	Titles  []Title                `troupe:"64"`
	Flags   []Flag                 `troupe:"65"`
	Doubles []float64              `troupe:"66"`

	ArrInt    [3]int16     `troupe:"70"`
	ArrString [2]string    `troupe:"71"`
	ArrItem   [2]Item      `troupe:"72"`
	ArrFloat  [2]float64   `troupe:"73"`
	ArrSpeed  [2]Speed     `troupe:"74"`
	ArrPtr    [2]*Item     `troupe:"75"`
	ArrTime   [2]time.Time `troupe:"76"`

	MapIntString map[int32]string                `troupe:"1000"`
	MapStringInt map[string]int64                `troupe:"1001"`
	MapBool      map[bool]Item                   `troupe:"1002"`
	MapPtr       map[uint16]*Item                `troupe:"1003"`
	MapTime      map[Title]time.Time             `troupe:"1004"`
	MapProto     map[string]*durationpb.Duration `troupe:"1005"`
	MapBytes     map[int64][]byte                `troupe:"1006"`
	MapFloat     map[uint64]float32              `troupe:"1007"`
	MapDigest    map[Level]Digest                `troupe:"1008"`
	MapDur       map[Flag]time.Duration          `troupe:"1009"`

	Tree    Tree                 `troupe:"100"`
	Dynamic *structpb.Value      `troupe:"101"`
	Pair    Pair[int32, string]  `troupe:"102"`
	Anon    struct{ X, Y int32 } `troupe:"103"`

	Skipped chan int `troupe:"-"`
	_       [0]func()
}

// Stats is what the benchmarks send: a typical game call.
type Stats struct {
	ID    int64
	Level int32
	Count int32
	Bound bool
}

// Position is a point of the world.
//
//troupe:message client
type Position struct{ X, Y, Z float32 }

// Game is a virtual actor with handlers of every shape.
type Game struct {
	troupe.Actor
	seen Everything //nolint:unused // an actor's own fields are not messages
}

// Echo returns its argument.
//
//troupe:client
//troupe:max 4096
func (g *Game) Echo(_ context.Context, all Everything) (Everything, error) { return all, nil }

// EchoPtr has a pointer argument and several results.
//
//troupe:client
func (g *Game) EchoPtr(_ context.Context, all *Everything, ok bool) (out *Everything, count int, err error) {
	return all, 1, nil
}

// Cast is the typical game call of the benchmarks.
//
//troupe:client
func (g *Game) Cast(_ context.Context, target int64, spell string, at Position, hits []Stats) (damage int64, err error) {
	return target, nil
}

// Say is variadic.
//
//troupe:system
func (g *Game) Say(_ context.Context, words ...string) error { return nil }

// Ping has neither arguments nor results. It uses its own reference: the
// generated variables must not depend on the code of handlers.
func (g *Game) Ping(ctx context.Context) error {
	if g.ID() <= 0 {
		return nil
	}
	return GameOf(g, g.ID()-1).Ping(ctx)
}

// Odd has parameter names that generated code uses itself.
//
//troupe:client
func (g *Game) Odd(ctx context.Context, r int, troupe string, _ int64, err Title, args []Title, string []byte) (reply Tree, _ error) {
	return reply, nil
}

// Trees is for fuzzing of nested input.
//
//troupe:client
func (g *Game) Trees(_ context.Context, tree Tree, byName map[string]Tree, list []*Tree) error {
	return nil
}

// String is not a handler.
//
//troupe:ignore
func (g *Game) String() string { return "game" }

// OnActivate is a hook, not a handler.
func (g *Game) OnActivate(context.Context) error { return nil }

// Chat is a stub.
//
//troupe:kind talk stub
type Chat struct{ troupe.Actor }

// Join takes several scalars.
func (c *Chat) Join(ctx context.Context, room Title, ids []int64, set map[int64]bool) (int, error) {
	return len(ids), nil
}

// World is a singleton.
//
//troupe:kind world singleton
type World struct{ troupe.Actor }

// Time has results only.
func (w *World) Time(context.Context) (now time.Time, since time.Duration, err error) { return }

// Hasher is a pool.
//
//troupe:kind hasher pool
type Hasher struct{ troupe.Actor }

// Hash has a named bytes result.
func (h *Hasher) Hash(_ context.Context, data []byte) (Digest, error) { return Digest{}, nil }

// Worker is spawned.
//
//troupe:kind worker local
type Worker struct{ troupe.Actor }

// Work has a proto message.
func (w *Worker) Work(_ context.Context, d *durationpb.Duration) error { return nil }
