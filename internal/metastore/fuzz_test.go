// SPDX-License-Identifier: MIT

package metastore

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/troupe-go/troupe/internal/metastore/core"
)

// FuzzHandle: no request of a peer panics or halts a node.
func FuzzHandle(f *testing.F) {
	n, err := Open(Config{
		ID: "n1", Voter: true, ElectionTimeout: 50 * time.Millisecond,
		Bootstrap: &Bootstrap{Cluster: testCluster, Servers: []Server{{ID: "n1"}}},
	})
	require.NoError(f, err)
	f.Cleanup(func() { _ = n.Close() })
	ctx, cancel := context.WithTimeout(f.Context(), 20*time.Second)
	defer cancel()
	require.NoError(f, n.WaitReady(ctx))
	add := func(op byte, payload ...byte) {
		f.Add(append(append([]byte{op}, testCluster[:]...), payload...))
	}
	add(opStatus)
	add(opFeed, 0, 0)
	add(opSnapshot, 0, 0)
	add(opRenew, 1, 1, 1, 1)
	add(opMember, memberCheck, 1, 'x', 0)
	add(opPropose, core.AppendCommand([]byte{1}, core.ClaimBatch{Session: 1, IDs: []core.ID{id(1)}})...)
	add(opPropose, core.AppendCommand([]byte{1}, core.KVWrite{Key: "k", Value: []byte("v")})...)
	f.Fuzz(func(t *testing.T, req []byte) {
		if len(req) > rpcHeader && req[0] == opMember && req[rpcHeader] != memberCheck {
			return // would really change the voters of the only node
		}
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		require.NotEmpty(t, n.Handle(ctx, Peer{Node: "n2"}, req))
		require.NoError(t, n.Status().Err)
	})
}
