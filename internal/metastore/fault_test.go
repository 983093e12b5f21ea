// SPDX-License-Identifier: MIT

package metastore

import (
	"bytes"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"github.com/troupe-go/troupe/internal/metastore/core"
)

// faultStore hangs or fails the log writes of one node.
type faultStore struct {
	logStore
	mu   sync.Mutex
	err  error
	hang chan struct{} // non-nil: writes wait until it is closed
}

func (f *faultStore) StoreLogs(l []*raft.Log) error {
	f.mu.Lock()
	err, hang := f.err, f.hang
	f.mu.Unlock()
	if hang != nil {
		<-hang
	}
	if err != nil {
		return err
	}
	return f.logStore.StoreLogs(l)
}

// faultyCluster is a cluster whose stores can be broken.
func faultyCluster(t *testing.T) (*cluster, map[string]*faultStore, map[string]chan error) {
	c := &cluster{t: t, net: newMemNet(), nodes: map[string]*Node{}}
	t.Cleanup(c.close)
	stores, fatal := map[string]*faultStore{}, map[string]chan error{}
	b := &Bootstrap{Cluster: testCluster, Servers: []Server{{"n1", "n1"}, {"n2", "n2"}, {"n3", "n3"}}}
	for _, s := range b.Servers {
		f, ch := &faultStore{}, make(chan error, 1)
		stores[s.ID], fatal[s.ID] = f, ch
		c.open(Config{
			ID: s.ID, Voter: true, Bootstrap: b, OnFatal: func(err error) { ch <- err },
			wrapStore: func(s logStore) logStore { f.logStore = s; return f },
		})
	}
	c.ready()
	return c, stores, fatal
}

// TestDiskHang: a leader whose disk hangs must lose leadership, which raft
// alone does not see to.
func TestDiskHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, stores, fatal := faultyCluster(t)
		lead := c.leader("")
		sessions := map[string]*Session{}
		for name := range c.nodes {
			sessions[name] = c.open1(name)
		}
		hang := make(chan struct{})
		stores[lead].mu.Lock()
		stores[lead].hang = hang
		stores[lead].mu.Unlock()
		start := time.Now()
		next := c.leader(lead)
		away := time.Since(start)
		err := <-fatal[lead]
		require.ErrorIs(t, err, ErrStalled)
		t.Log("disk hang: other leader after", away)
		require.LessOrEqual(t, away, 5*time.Second)
		for name, s := range sessions {
			if name != lead {
				require.Equal(t, core.GateLive, s.Gate(), "no ownership lost")
				require.NoError(t, c.claim(s, int64(len(name))).Err)
				break
			}
		}
		require.NotEqual(t, lead, next)
		_, err = sessions[lead].Claim(t.Context(), id(99))
		require.ErrorIs(t, err, ErrClosed)
		close(hang)
		c.stop(lead)
		c.sameHash()
	})
}

// TestDiskError: the first failed write is fatal, never retried.
func TestDiskError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, stores, fatal := faultyCluster(t)
		for _, victim := range []string{c.leader("")} {
			broken := errors.New("input/output error")
			stores[victim].mu.Lock()
			stores[victim].err = broken
			stores[victim].mu.Unlock()
			var err error
			select {
			case err = <-fatal[victim]:
			case <-time.After(time.Minute):
				t.Fatal("the node goes on after a failed write")
			}
			require.ErrorIs(t, err, ErrStore)
			require.ErrorIs(t, err, broken)
			require.ErrorIs(t, c.nodes[victim].Status().Err, ErrStore)
			next := c.leader(victim)
			require.NoError(t, c.claim(c.open1(next), 1).Err)
			c.stop(victim)
		}
		c.sameHash()
	})
}

// TestUnknownEntryHalts is R7: an entry from a newer version stops the node.
func TestUnknownEntryHalts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, fatal := faultyCluster(t)
		lead := c.leader("")
		c.nodes[lead].packer.submit([]byte{250, 0}, 1)
		require.ErrorIs(t, <-fatal[lead], ErrHalted)
		require.ErrorIs(t, c.nodes[lead].Status().Err, ErrHalted)
	})
}

// TestPeersAreVetted: what a peer sends never reaches the log unless it
// decodes, and never acts for a session of another node.
func TestPeersAreVetted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3)
		c.ready()
		a, b := c.open1("n1"), c.open1("n2")
		g := c.claim(a, 1)
		lead := c.nodes[c.leader("")]
		require.NoError(t, lead.WaitApplied(t.Context(), g.Epoch))
		ask := func(from string, op byte, payload []byte, cluster core.ClusterID) byte {
			req := append([]byte{op}, cluster[:]...)
			return lead.Handle(t.Context(), Peer{Node: from}, append(req, payload...))[0]
		}
		propose := func(from string, cmd core.Command) byte {
			return ask(from, opPropose, core.AppendCommand([]byte{1}, cmd), testCluster)
		}
		before := lead.Applied()
		steal := core.TransferBatch{Session: a.Epoch(), To: b.Epoch(), Items: []core.IDEpoch{{ID: id(1), Epoch: g.Epoch}}}
		require.EqualValues(t, statusRefused, propose("n2", steal))
		require.EqualValues(t, statusRefused, propose("n2", core.CloseSession{Session: a.Epoch()}))
		require.EqualValues(t, statusRefused, propose("n2", core.OpenSession{Node: "n1"}))
		require.EqualValues(t, statusRefused, propose("n2", core.ExpireSession{Session: a.Epoch()}))
		require.EqualValues(t, statusRefused, ask("n2", opPropose, []byte{1, 250, 0}, testCluster))
		require.EqualValues(t, statusRefused, ask("n2", opRenew, []byte{byte(a.Epoch()), 9, 9, 9}, testCluster))
		require.EqualValues(t, statusWrongCluster, ask("n2", opFeed, []byte{0, 0}, core.ClusterID{66}))
		require.EqualValues(t, statusRefused, ask("n2", 99, nil, testCluster))
		require.EqualValues(t, statusOK, propose("n1", steal))
		require.Less(t, lead.Applied(), before+3, "only the last one, and a renewal")
	})
}

// TestRaftStreamPreamble: bytes without the cluster's preamble never reach
// Raft.
func TestRaftStreamPreamble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3)
		c.ready()
		lead := c.nodes[c.leader("")]
		term := lead.raft.CurrentTerm()
		stranger := c.net.stream("stranger")
		for _, preamble := range [][]byte{
			bytes.Repeat([]byte{0}, 64), append([]byte(preambleMagic), bytes.Repeat([]byte{7}, 64)...),
		} {
			conn, err := stranger.Dial(t.Context(), lead.cfg.ID)
			require.NoError(t, err)
			_, _ = conn.Write(preamble) // fails part way: the other end closes
			_, err = conn.Read(make([]byte, 1))
			require.Error(t, err)
			_ = conn.Close()
		}
		time.Sleep(5 * time.Second)
		require.Equal(t, term, lead.raft.CurrentTerm())
	})
}

// TestUserLease: a lease with its own TTL ends without renewals, although its
// session lives.
func TestUserLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3)
		c.ready()
		a, b := c.open1("n1"), c.open1("n2")
		epoch, err := a.AcquireLease(t.Context(), "boss", 2*time.Second)
		require.NoError(t, err)
		for seq := range uint64(5) {
			time.Sleep(time.Second)
			require.NoError(t, a.RenewLease(t.Context(), "boss", epoch, seq+1))
		}
		_, err = b.AcquireLease(t.Context(), "boss", 0)
		require.ErrorIs(t, err, ErrOwned)
		time.Sleep(2500 * time.Millisecond)
		next, err := b.AcquireLease(t.Context(), "boss", 0)
		require.NoError(t, err)
		require.Greater(t, next, epoch)
		require.ErrorIs(t, a.RenewLease(t.Context(), "boss", epoch, 99), ErrStale)
		time.Sleep(time.Minute)
		owner, ok := c.nodes["n1"].LookupLease("boss")
		require.True(t, ok, "lives with its session")
		require.Equal(t, "n2", owner.Node)
	})
}

func TestKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3)
		c.ready()
		a, b := c.open1("n1"), c.open1("n2")
		v1, err := a.CompareAndSet(t.Context(), "k", 0, []byte("1"))
		require.NoError(t, err)
		_, err = b.CompareAndSet(t.Context(), "k", 0, []byte("2"))
		require.ErrorIs(t, err, ErrConflict)
		v2, err := b.CompareAndSet(t.Context(), "k", v1, []byte("2"))
		require.NoError(t, err)
		e, err := b.Put(t.Context(), "topic/x/n2", nil, true)
		require.NoError(t, err)
		n := c.nodes["n3"]
		require.NoError(t, n.WaitApplied(t.Context(), e))
		kv, ok := n.Get("k")
		require.True(t, ok)
		require.Equal(t, core.KV{Key: "k", Value: []byte("2"), Version: v2}, kv)
		require.Len(t, n.List("topic/"), 1)
		require.NoError(t, b.Close(t.Context()))
		require.NoError(t, a.Delete(t.Context(), "k", 0))
		require.ErrorIs(t, a.Delete(t.Context(), "k", 0), ErrAbsent)
		c.sameHash()
		require.Empty(t, n.List(""), "ephemeral keys die with their session")
	})
}

func TestSlotsAndWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3)
		c.ready()
		a, b := c.open1("n1"), c.open1("n2")
		slots, err := a.ClaimSlots(t.Context(), "chat", 0, 1, 2)
		require.NoError(t, err)
		for _, g := range slots {
			require.NoError(t, g.Err)
		}
		moved, err := a.MoveSlot(t.Context(), "chat", 1, slots[1].Epoch, b.Epoch())
		require.NoError(t, err)
		require.Greater(t, moved, slots[1].Epoch, "I1")
		_, err = a.MoveSlot(t.Context(), "chat", 1, slots[1].Epoch, a.Epoch())
		require.ErrorIs(t, err, ErrStale)
		require.NoError(t, a.ReleaseSlot(t.Context(), "chat", 2, slots[2].Epoch))
		require.NoError(t, a.ReleaseSlot(t.Context(), "chat", 2, slots[2].Epoch), "again")
		c.sameHash()
		require.Equal(t, []core.Slot{
			{Shard: 0, Owner: core.Owner{Node: "n1", Session: a.Epoch(), Epoch: slots[0].Epoch}},
			{Shard: 1, Owner: core.Owner{Node: "n2", Session: b.Epoch(), Epoch: moved}},
		}, c.nodes["n3"].Slots("chat"))

		w, err := a.AcquireWorker(t.Context(), "flake", 1)
		require.NoError(t, err)
		w, err = a.MarkWorker(t.Context(), w, 5000, false)
		require.NoError(t, err)
		_, err = b.AcquireWorker(t.Context(), "flake", 1)
		require.ErrorIs(t, err, ErrRefused)
		_, err = a.MarkWorker(t.Context(), w, 6000, true)
		require.NoError(t, err)
		w, err = b.AcquireWorker(t.Context(), "flake", 1)
		require.NoError(t, err)
		require.EqualValues(t, 6000, w.Mark)

		require.NoError(t, a.Drain(t.Context()))
		_, err = a.ClaimSlots(t.Context(), "chat", 3)
		require.NoError(t, err)
		got := c.claim(a, 1)
		require.ErrorIs(t, got.Err, ErrDraining)
		require.Equal(t, core.GateLive, a.Gate(), "what it owns stays")
	})
}

// TestSecondProcess: another process of the same name, without the secret of
// the first, waits for the first one's lease to end.
func TestSecondProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3)
		first := c.open(Config{ID: "f1", Seeds: []string{"n1", "n2", "n3"}})
		c.ready()
		s, err := first.OpenSession(t.Context(), core.Info{})
		require.NoError(t, err)
		require.NoError(t, c.claim(s, 1).Err)
		require.NoError(t, first.Close())
		start := time.Now()
		second := c.open(Config{ID: "f1", Seeds: []string{"n1", "n2", "n3"}})
		s, err = second.OpenSession(t.Context(), core.Info{})
		require.NoError(t, err)
		require.NoError(t, c.claim(s, 1).Err)
		away := time.Since(start)
		require.Greater(t, away, 3*time.Second)
		require.Less(t, away, 6*time.Second)
	})
}

// TestRestartAll stops all voters, one by one and then together, and starts
// them on what they kept: nothing committed is lost, and each takes its own
// session over at once.
func TestRestartAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{t: t, net: newMemNet(), nodes: map[string]*Node{}}
		t.Cleanup(c.close)
		b := &Bootstrap{Cluster: testCluster, Servers: []Server{{"n1", "n1"}, {"n2", "n2"}, {"n3", "n3"}}}
		kept := map[string]*Memory{}
		start := func(name string) {
			if kept[name] == nil {
				kept[name] = NewMemory()
			}
			c.open(Config{ID: name, Voter: true, Bootstrap: b, Memory: kept[name], SnapshotEvery: 16, TrailingLogs: 4})
		}
		names := []string{"n1", "n2", "n3"}
		for _, name := range names {
			start(name)
		}
		c.ready()
		last := map[string]uint64{}
		for k, name := range names {
			g := c.claim(c.open1(name), int64(k))
			require.NoError(t, g.Err)
			last[name] = g.Epoch
		}
		again := func() {
			c.ready()
			began := time.Now()
			for k, name := range names {
				g := c.claim(c.open1(name), int64(k))
				require.NoError(t, g.Err)
				require.Greater(t, g.Epoch, last[name], "I1")
				last[name] = g.Epoch
			}
			require.Less(t, time.Since(began), 4*time.Second, "no TTL to wait for")
		}
		for _, name := range names {
			c.stop(name)
			start(name)
			again()
		}
		for _, name := range names {
			c.stop(name)
		}
		time.Sleep(time.Minute)
		for _, name := range names {
			start(name)
		}
		again()
		c.sameHash()
	})
}
