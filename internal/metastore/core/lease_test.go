// SPDX-License-Identifier: MIT

package core

import (
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	ms  = int64(1e6)
	sec = int64(1e9)
)

func TestHolderCountsFromTheRequest(t *testing.T) {
	h := NewHolder(Timing{})
	require.Equal(t, GateFenced, h.Gate(0))
	h.Step(Opened{Session: 9, TTL: 5 * sec, T0: 10 * sec}, 11*sec)
	require.Equal(t, 10*sec+4950*ms-100*ms, h.Deadline())
	var r *Renewal
	now := 11 * sec
	for r == nil {
		now += 50 * ms
		r = h.Step(HolderTick{Nonce: 5}, now).Renew
	}
	require.Equal(t, Renewal{Session: 9, Seq: 1, Nonce: 5}, *r)
	sent := now
	h.Step(RenewFailed{1}, now+100*ms)
	var again *Renewal
	for again == nil {
		now += 50 * ms
		again = h.Step(HolderTick{Nonce: 6}, now).Renew
	}
	require.Equal(t, *r, *again, "a retry is the same renewal")
	h.Step(Renewed{Seq: 1}, now+200*ms)
	require.Equal(t, sent+4850*ms, h.Deadline(), "counted from the first attempt")
}

func TestHolderPauseHoldsUntilANewRenewal(t *testing.T) {
	h := NewHolder(Timing{})
	h.Step(Opened{Session: 9, TTL: 5 * sec}, 0)
	now := 1250 * ms
	for at := 50 * ms; at < now; at += 50 * ms {
		h.Step(HolderTick{}, at)
	}
	r := h.Step(HolderTick{Nonce: 1}, now).Renew
	require.NotNil(t, r)
	require.Equal(t, GateLive, h.Gate(now))
	now += 2 * sec // SIGSTOP, shorter than what is left of the lease
	require.Equal(t, GateHold, h.Gate(now), "before the first tick, too")
	require.Nil(t, h.Step(HolderTick{}, now).Renew, "one is in flight")
	h.Step(Renewed{Seq: 1}, now)
	require.Equal(t, GateHold, h.Gate(now), "sent before the pause: proves nothing")
	r = h.Step(HolderTick{}, now+50*ms).Renew
	require.NotNil(t, r)
	h.Step(Renewed{Seq: 2}, now+60*ms)
	require.Equal(t, GateLive, h.Gate(now+60*ms))
}

func TestHolderFencesOnceAndForAll(t *testing.T) {
	for name, last := range map[string]HolderEvent{
		"deadline": HolderTick{}, "late answer": Renewed{Seq: 1},
	} {
		h := NewHolder(Timing{})
		h.Step(Opened{Session: 9, TTL: 2 * sec}, 0)
		require.NotNil(t, h.Step(HolderTick{}, 500*ms).Renew)
		require.True(t, h.Step(last, 3*sec).Fence, name)
		require.False(t, h.Step(Renewed{Seq: 1}, 3*sec).Fence, name)
		require.Equal(t, GateFenced, h.Gate(0), name)
	}
	for _, code := range []Code{CodeSessionDead, CodeConflict} {
		h := NewHolder(Timing{})
		h.Step(Opened{Session: 9, TTL: 2 * sec}, 0)
		require.NotNil(t, h.Step(HolderTick{}, 500*ms).Renew)
		require.True(t, h.Step(Renewed{Seq: 1, Code: code}, 600*ms).Fence, code.String())
	}
}

func TestGrantorGrace(t *testing.T) {
	g := NewGrantor(Timing{})
	require.True(t, g.Step(Led{Term: 3}, 0).Barrier)
	all := []Touch{{Session: 4, Seq: 7, TTL: 5 * sec}, {Lease: "l", Epoch: 9, Seq: 1, TTL: 2 * sec}}
	g.Step(BarrierApplied{Term: 2, All: all}, sec)
	require.False(t, g.Granting(), "a barrier of an earlier term")
	require.Empty(t, g.Step(GrantorTick{}, 100*sec).Expire)
	g.Step(BarrierApplied{Term: 3, All: all}, 100*sec)
	require.Empty(t, g.Step(GrantorTick{}, 102*sec).Expire)
	require.Equal(t, []Command{ExpireLease{"l", 9, 1, 3}}, g.Step(GrantorTick{}, 102020*ms).Expire)
	g.Step(Touched{[]Touch{{Lease: "l", Epoch: 9, Gone: true}}}, 102100*ms)
	require.Empty(t, g.Step(GrantorTick{}, 105049*ms).Expire)
	require.Equal(t, []Command{ExpireSession{4, 7, 3}}, g.Step(GrantorTick{}, 105050*ms).Expire)
	require.Empty(t, g.Step(GrantorTick{}, 105100*ms).Expire)
	require.Len(t, g.Step(GrantorTick{}, 105600*ms).Expire, 1, "proposed again")
	g.Step(Touched{[]Touch{{Session: 4, Seq: 8, TTL: 5 * sec}}}, 106*sec)
	require.Empty(t, g.Step(GrantorTick{}, 111*sec).Expire)
	g.Step(Deposed{}, 111*sec)
	require.Empty(t, g.Step(GrantorTick{}, 200*sec).Expire)
}

func TestGrantorCapsBlindRenewals(t *testing.T) {
	g := NewGrantor(Timing{})
	g.Step(Led{Term: 1}, 0)
	for seq, want := range []bool{0: true, 1: true, 2: true, 3: true, 4: false, 5: false} {
		r := Renewal{Session: 1, Seq: uint64(seq), Ack: 0}
		require.Equal(t, want, g.Step(RenewArrived{r}, 0).Admit, "seq %d", seq)
	}
	require.True(t, g.Step(RenewArrived{Renewal{Session: 1, Seq: 6, Ack: 5}}, 0).Admit)
}

func TestGrantorWatchdog(t *testing.T) {
	g := NewGrantor(Timing{})
	g.Step(Led{Term: 1}, 0)
	require.Equal(t, GrantorEffects{}, g.Step(GrantorTick{}, 900*ms))
	require.True(t, g.Step(GrantorTick{}, 1000*ms).Noop)
	require.False(t, g.Step(GrantorTick{}, 1100*ms).Noop)
	g.Step(Committed{}, 1200*ms)
	require.False(t, g.Step(GrantorTick{}, 3100*ms).StepDown)
	require.True(t, g.Step(GrantorTick{}, 3200*ms).StepDown)
	require.Equal(t, GrantorEffects{Noop: true, Mute: true}, g.Step(GrantorTick{}, 4200*ms))
	require.Equal(t, GrantorEffects{}, g.Step(GrantorTick{}, 4300*ms))
	require.True(t, g.Step(GrantorTick{}, 5200*ms).GiveUp)
}
