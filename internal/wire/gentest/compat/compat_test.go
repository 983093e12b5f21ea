// SPDX-License-Identifier: MIT

// Package compat runs old and new generated code of one kind in one process.
package compat

import (
	"context"
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/troupe-go/troupe"
	v1 "github.com/troupe-go/troupe/internal/wire/gentest/compat/v1"
	v2 "github.com/troupe-go/troupe/internal/wire/gentest/compat/v2"
)

// start returns a node with one of the two versions of the kind.
func start(t *testing.T, kind troupe.Kind) *troupe.Node {
	t.Helper()
	node, err := troupe.New(troupe.Config{})
	require.NoError(t, err)
	require.NoError(t, node.Register(kind))
	require.NoError(t, node.Start(context.Background()))
	t.Cleanup(func() { require.NoError(t, node.Stop(context.Background())) })
	return node
}

// move is the number of Move in both locks.
func move(t *testing.T, methods []troupe.AnyMethod) int32 {
	t.Helper()
	for _, m := range methods {
		if m.Info().Name == "Move" {
			return m.Info().Number
		}
	}
	t.Fatal("no method Move")
	return 0
}

// TestOldAndNewCodeUnderstandEachOther encodes with one version and calls a
// node with the other.
func TestOldAndNewCodeUnderstandEachOther(t *testing.T) {
	number := move(t, new(v1.Bank).TroupeMethods())
	require.Equal(t, number, move(t, new(v2.Bank).TroupeMethods()), "the lock keeps numbers")
	old, now := start(t, troupe.Virtual[v1.Bank]("bank")), start(t, troupe.Virtual[v2.Bank]("bank"))
	ctx, ref := context.Background(), troupe.ID("bank", 1)

	// Old caller, new handler: what the caller does not know is zero.
	args := v1.EncodeMove(v1.Transfer{To: 7, Amount: 100}, []string{"a"})
	reply, err := now.CallEncoded(ctx, ref, number, args, troupe.AccessServer)
	require.NoError(t, err)
	done, err := v1.DecodeMove(reply)
	require.NoError(t, err, "the reply has fields that old code does not know")
	require.Equal(t, v1.Transfer{To: 7, Amount: 100}, done)

	// New caller, old handler: what the handler does not know is skipped.
	args = v2.EncodeMove(v2.Transfer{Receiver: 7, Amount: 100, Note: "rent", Parts: []v2.Part{{Amount: 60}, {Amount: 40}}}, []string{"a"}, true)
	reply, err = old.CallEncoded(ctx, ref, number, args, troupe.AccessServer)
	require.NoError(t, err)
	back, fee, err := v2.DecodeMove(reply)
	require.NoError(t, err)
	require.Equal(t, v2.Transfer{Receiver: 7, Amount: 100}, back)
	require.Zero(t, fee)
}

// TestLocksAreAppended: v2's lock has everything of v1's.
func TestLocksAreAppended(t *testing.T) {
	type lock struct {
		Kinds map[string]struct {
			Methods map[string]struct{ Number int32 }
		}
	}
	read := func(name string) (l lock) {
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(data, &l))
		return l
	}
	old, now := read("v1/troupe.lock.json"), read("v2/troupe.lock.json")
	for name, m := range old.Kinds["bank"].Methods {
		require.Equal(t, m, now.Kinds["bank"].Methods[name])
	}
	require.Equal(t, int32(2), now.Kinds["bank"].Methods["Audit"].Number, "a new method gets a new number, wherever it is in the source")
}
