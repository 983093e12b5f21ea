// SPDX-License-Identifier: MIT

package gentest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/troupe-go/troupe"
)

func startNode(t testing.TB) *troupe.Node {
	t.Helper()
	node, err := troupe.New(troupe.Config{})
	require.NoError(t, err)
	require.NoError(t, node.Register(
		troupe.Virtual[Game]("game"), troupe.Stub[Chat]("talk", troupe.Shards(4)),
		troupe.Singleton[World]("world"), troupe.Pool[Hasher]("hasher", troupe.Size(2)), troupe.Local[Worker]("worker"),
	))
	require.NoError(t, node.Start(context.Background()))
	t.Cleanup(func() { require.NoError(t, node.Stop(context.Background())) })
	return node
}

func TestGeneratedCallsReachTheHandlers(t *testing.T) {
	node, ctx := startNode(t), context.Background()
	game := GameOf(node, 42)
	damage, err := game.Cast(ctx, 7, "fire", Position{X: 1}, []Stats{{ID: 1}})
	require.NoError(t, err)
	require.Equal(t, int64(7), damage)
	require.NoError(t, game.SendCast(7, "fire", Position{}, nil))
	require.NoError(t, game.Say(ctx, "a", "b"))
	require.NoError(t, game.Ping(ctx))
	all, err := GameNamed(node, "x").Echo(ctx, Everything{Int: 3})
	require.NoError(t, err)
	require.Equal(t, 3, all.Int)

	n, err := ChatFor(node, 5).Join(ctx, "hall", []int64{1, 2}, nil)
	require.NoError(t, err)
	require.Equal(t, 2, n)
	_, err = ChatForName(node, "hall").Join(ctx, "hall", nil, nil)
	require.NoError(t, err)
	require.Equal(t, troupe.ID("talk", 3), ChatShard(node, 3).Ref())
	require.NoError(t, ChatAll(node).SendJoin("hall", nil, nil))

	_, _, err = WorldOf(node).Time(ctx)
	require.NoError(t, err)
	_, err = HasherAny(node).Hash(ctx, []byte("x"))
	require.NoError(t, err)
	_, err = HasherFor(node, 9).Hash(ctx, nil)
	require.NoError(t, err)
}

// TestByNameAgreesWithGenerated calls a generated handler by its name.
func TestByNameAgreesWithGenerated(t *testing.T) {
	node := startNode(t)
	var damage int64
	require.NoError(t, node.Call(context.Background(), troupe.ID("game", 1), "Cast", &damage, 9, "ice", Position{}, []Stats{}))
	require.Equal(t, int64(9), damage)
}

func TestDispatcherDescribesTheHandlers(t *testing.T) {
	methods := new(Game).TroupeMethods()
	numbers := make(map[int32]bool)
	for _, m := range methods {
		numbers[m.Info().Number] = true
	}
	require.Len(t, numbers, len(methods))
	echo := methods[0].Info()
	require.Equal(t, "Echo", echo.Name)
	require.Equal(t, troupe.AccessClient, echo.Access)
	require.Equal(t, 4096, echo.MaxBytes)
	require.Equal(t, []string{"all"}, echo.ArgNames)
}

// TestLocalSendAllocatesNothing is the promise of the envelopes.
func TestLocalSendAllocatesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("measures allocations")
	}
	node := startNode(t)
	world := GameOf(node, 1)
	require.NoError(t, world.Ping(context.Background()))
	hits := []Stats{{ID: 1}}
	allocs := testing.AllocsPerRun(1000, func() {
		if err := world.SendCast(1, "fire", Position{}, hits); err != nil {
			t.Error(err)
		}
	})
	require.Less(t, allocs, 0.5)
}
