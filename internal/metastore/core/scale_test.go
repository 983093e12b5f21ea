// SPDX-License-Identifier: MIT

package core

import (
	"bytes"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

func openedState(t require.TestingT, nodes ...string) (*State, uint64) {
	s := NewState()
	index := uint64(0)
	for i, n := range nodes {
		index++
		_, err := s.Apply(index, 1, EncodeEntry(OpenSession{Node: n, Incarnation: Incarnation{byte(i + 1)}, TTL: 5e9}))
		require.NoError(t, err)
	}
	return s, index
}

// fill claims n ids for session 1, 256 per entry, and returns the last index.
func fill(t require.TestingT, s *State, index uint64, n int) uint64 {
	for from := 0; from < n; from += 256 {
		c := ClaimBatch{Session: 1}
		for k := from; k < min(from+256, n); k++ {
			c.IDs = append(c.IDs, ID{Kind: "player", Key: int64(k)})
		}
		index++
		_, err := s.Apply(index, 1, EncodeEntry(c))
		require.NoError(t, err)
	}
	return index
}

// TestSnapshotIsStable writes while a snapshot is being read: the snapshot
// must not change (copy on write), and the writer must not notice it.
func TestSnapshotIsStable(t *testing.T) {
	s, index := openedState(t, "a", "b")
	index = fill(t, s, index, 5000)
	want := s.Hash()
	snap := s.Snapshot()
	done := make(chan []byte)
	go func() {
		var buf bytes.Buffer
		_, err := snap.WriteTo(&buf)
		if err != nil {
			buf.Reset()
		}
		done <- buf.Bytes()
	}()
	for k := range 2000 {
		index++
		_, err := s.Apply(index, 1, EncodeEntry(TransferBatch{Session: 1, To: 2, Items: []IDEpoch{
			{ID{Kind: "player", Key: int64(k)}, uint64(3 + k/256)},
		}}))
		require.NoError(t, err)
	}
	got, err := Restore(bytes.NewReader(<-done))
	require.NoError(t, err)
	require.Equal(t, want, got.Hash())
	require.NotEqual(t, want, s.Hash())
	require.Equal(t, s.Hash(), roundTrip(t, s).Hash())
}

// TestDeadClaimsAreSwept is R5: the close is one small entry, later entries
// delete, and the session record goes last.
func TestDeadClaimsAreSwept(t *testing.T) {
	s, index := openedState(t, "a", "b")
	index = fill(t, s, index, 20000)
	index++
	_, err := s.Apply(index, 1, EncodeEntry(CloseSession{1}))
	require.NoError(t, err)
	_, ok := s.LookupClaim(ID{Kind: "player", Key: 1})
	require.False(t, ok, "dead at once")
	require.Greater(t, s.ClaimCount(), 15000, "deleted later")
	for range 2 * s.totalShards() / sweepShards {
		index++
		_, err := s.Apply(index, 1, EncodeEntry(Noop{}))
		require.NoError(t, err)
	}
	require.Zero(t, s.ClaimCount())
	_, ok = s.Session(1)
	require.False(t, ok)
	require.Equal(t, NewState().actors.sum, s.actors.sum)
}

// TestDedupe is R6: a retried write is answered, not executed, also after a
// restore; answers are dropped when acknowledged.
func TestDedupe(t *testing.T) {
	s, index := openedState(t, "a")
	write := func(c KVWrite) Result {
		index++
		got, err := s.Apply(index, 1, EncodeEntry(c))
		require.NoError(t, err)
		return got.Results[0]
	}
	c := KVWrite{Session: 1, Req: 1, Mode: KVCAS, Key: "k", Value: []byte("1")}
	first := write(c)
	require.Equal(t, CodeOK, first.Code)
	s = roundTrip(t, s)
	require.Equal(t, first.Outcome, write(c).Outcome)
	c2 := KVWrite{Session: 1, Req: 2, AckBelow: 2, Mode: KVCAS, Key: "k", Version: first.Epoch}
	require.Equal(t, CodeOK, write(c2).Code)
	require.Equal(t, CodeStale, write(c).Code)
}

func TestWorkersKeepTheirMark(t *testing.T) {
	s, index := openedState(t, "a", "b")
	do := func(c Command) Result {
		index++
		got, err := s.Apply(index, 1, EncodeEntry(c))
		require.NoError(t, err)
		return got.Results[0]
	}
	a := do(AcquireWorker{1, "flake", 2})
	require.Equal(t, a.Value, do(AcquireWorker{1, "flake", 2}).Value, "idempotent")
	require.EqualValues(t, 900, do(MarkWorker{1, "flake", uint32(a.Value), a.Epoch, 900, false}).Mark)
	b := do(AcquireWorker{2, "flake", 1})
	require.Equal(t, CodeExhausted, b.Code)
	do(CloseSession{1})
	b = do(AcquireWorker{2, "flake", 1})
	require.Equal(t, CodeOK, b.Code)
	require.EqualValues(t, 900, b.Mark, "the mark outlives the session")
	require.Equal(t, CodeSessionDead, do(MarkWorker{1, "flake", 0, a.Epoch, 999, false}).Code)
}

// TestHashDivergenceHalts is R8.
func TestHashDivergenceHalts(t *testing.T) {
	s, index := openedState(t, "a")
	index = fill(t, s, index, 256*hashEvery)
	at, hash := s.LatestHash()
	require.NotZero(t, at)
	_, err := s.Apply(index+1, 1, EncodeEntry(Noop{at, hash}))
	require.NoError(t, err)
	_, err = s.Apply(index+2, 1, EncodeEntry(Noop{at, hash + 1}))
	require.ErrorIs(t, err, ErrDiverged)
}

func BenchmarkMillionClaims(b *testing.B) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	s, index := openedState(b, "a")
	index = fill(b, s, index, 1<<20)
	runtime.GC()
	runtime.ReadMemStats(&after)
	perClaim := float64(after.HeapAlloc-before.HeapAlloc) / (1 << 20)
	var buf bytes.Buffer
	b.Run("freeze", func(b *testing.B) {
		for b.Loop() {
			s.Snapshot()
		}
		b.ReportMetric(perClaim, "B/claim")
	})
	b.Run("write", func(b *testing.B) {
		for b.Loop() {
			buf.Reset()
			_, err := s.Snapshot().WriteTo(&buf)
			require.NoError(b, err)
		}
		b.ReportMetric(float64(buf.Len()), "bytes")
	})
	b.Run("restore", func(b *testing.B) {
		for b.Loop() {
			_, err := Restore(bytes.NewReader(buf.Bytes()))
			require.NoError(b, err)
		}
	})
	b.Run("lookup", func(b *testing.B) {
		for b.Loop() {
			s.LookupClaim(ID{Kind: "player", Key: 4711})
		}
	})
	b.Run("apply256", func(b *testing.B) {
		key := int64(1 << 30)
		for b.Loop() {
			c := ClaimBatch{Session: 1}
			for range 256 {
				key++
				c.IDs = append(c.IDs, ID{Kind: "player", Key: key})
			}
			index++
			_, err := s.Apply(index, 1, EncodeEntry(c))
			require.NoError(b, err)
		}
	})
}
