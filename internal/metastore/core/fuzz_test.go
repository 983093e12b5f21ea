// SPDX-License-Identifier: MIT

package core

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// sampleCommands holds one of every command.
func sampleCommands() []Command {
	info := Info{Address: "10.0.0.1:7000", Roles: []string{"game"}, Kinds: []string{"player"}, Format: 1, Voter: true, Meta: []byte{1}}
	ids := []ID{{Kind: "player", Key: -5}, {Kind: "player", Name: "bob"}, {Kind: "guild", Key: 1 << 60}}
	items := []IDEpoch{{ids[0], 3}, {ids[1], 3}}
	return []Command{
		OpenSession{Node: "a", Incarnation: Incarnation{1}, TTL: 5e9, Info: info},
		InitCluster{ClusterID{9}},
		SetGeneration{0, 2},
		RenewBatch{[]Renewal{{1, 1, 77, 0}, {4, 1, 0, 0}}},
		ExpireSession{1, 1, 1},
		DrainSession{4},
		UpdateInfo{1, info},
		ClaimBatch{SpaceActor, 1, ids},
		ClaimBatch{SpaceSlot, 1, []ID{{Kind: "chat", Key: 3}}},
		ReleaseBatch{SpaceActor, 1, items},
		TransferBatch{SpaceActor, 1, 4, items},
		AcquireWorker{1, "flake", 1024},
		MarkWorker{1, "flake", 0, 1, 1234, false},
		AcquireLease{1, "boss", 1e9},
		RenewLease{1, "boss", 1, 1},
		ExpireLease{"boss", 1, 1, 1},
		ReleaseLease{1, "boss", 1},
		KVWrite{Session: 1, Req: 1, Key: "k", Value: []byte("v"), Ephemeral: true},
		SetActiveFormat{1},
		Noop{256, 42},
		CloseSession{1},
	}
}

func TestEntryRoundTrip(t *testing.T) {
	want := sampleCommands()
	got, err := DecodeEntry(EncodeEntry(want...))
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// TestUnknownCommandHalts is R7.
func TestUnknownCommandHalts(t *testing.T) {
	for name, entry := range map[string][]byte{
		"command": {FormatCurrent, 1, 200, 0},
		"format":  {FormatCurrent + 1, 0},
		"empty":   {},
		"tail":    append(EncodeEntry(Noop{}), 0),
	} {
		_, err := NewState().Apply(1, 1, entry)
		require.ErrorIs(t, err, ErrMalformed, name)
	}
}

func TestResultRoundTrip(t *testing.T) {
	want := []Result{
		{Outcome: Outcome{CodeOwned, 7, 3, "node"}, Index: 9, Value: 1, Mark: -4},
		{Index: 1, Items: []Outcome{{CodeOK, 1, 2, ""}, {CodeStale, 1, 2, "b"}}},
	}
	got, err := DecodeResults(AppendResults(nil, want))
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func FuzzRaftCommand(f *testing.F) {
	f.Add(EncodeEntry(sampleCommands()...))
	for _, c := range sampleCommands() {
		f.Add(EncodeEntry(c))
	}
	first := EncodeEntry(sampleCommands()[:1]...)
	f.Fuzz(func(t *testing.T, entry []byte) {
		a, b := NewState(), NewState()
		for i, e := range [][]byte{first, entry, entry} {
			_, errA := a.Apply(uint64(i)+1, 1, e)
			_, errB := b.Apply(uint64(i)+1, 1, e)
			require.Equal(t, errA == nil, errB == nil)
			if errA != nil {
				return
			}
			require.Equal(t, a.Hash(), b.Hash(), "same bytes, same hash")
		}
		require.Equal(t, a.Hash(), roundTrip(t, b).Hash())
	})
}

func FuzzSnapshotRestore(f *testing.F) {
	s := NewState()
	for i, c := range sampleCommands() {
		if c.Op() != OpCloseSession && c.Op() != OpExpireSession {
			_, err := s.Apply(uint64(i)+1, 1, EncodeEntry(c))
			require.NoError(f, err)
		}
	}
	var buf bytes.Buffer
	_, err := s.Snapshot().WriteTo(&buf)
	require.NoError(f, err)
	f.Add(buf.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Restore(bytes.NewReader(data))
		if err != nil {
			return
		}
		s.Sessions()
		s.ClaimsOf(1)
		_, _ = s.Apply(s.Applied()+1, 1, EncodeEntry(sampleCommands()...))
		roundTrip(t, s)
	})
}
