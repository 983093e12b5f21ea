// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMoneyIsConserved(t *testing.T) {
	for name, o := range map[string]Options{
		"calm":         {Accounts: 50, Transfers: 2000, Tellers: 8, Initial: 100},
		"panics":       {Accounts: 50, Transfers: 2000, Tellers: 8, Initial: 100, Chaos: 0.1},
		"two accounts": {Accounts: 2, Transfers: 300, Tellers: 4, Initial: 10, Chaos: 0.2},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := run(context.Background(), o)
			require.NoError(t, err)
			require.EqualValues(t, o.Transfers, s.Outcomes[Done]+s.Outcomes[Refused]+s.Outcomes[Refunded])
			require.Equal(t, o.Chaos > 0, s.Panics > 0)
			require.Equal(t, o.Chaos > 0, s.Attempts > int64(o.Transfers))
		})
	}
}

// A canceled run reports what it could not finish instead of a clean audit.
func TestCanceledRun(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := run(ctx, Options{Accounts: 2, Transfers: 10, Tellers: 1, Initial: 10})
	require.ErrorIs(t, err, context.Canceled)
}

// The audit can fail, in each of its ways.
func TestAuditNotices(t *testing.T) {
	for name, tc := range map[string]struct {
		forge func(b *Books)
		want  string
	}{
		"made money":   {func(b *Books) { b.balances[0]++ }, "its entries say"},
		"overdrawn":    {func(b *Books) { b.balances[0] = -1 }, "overdrawn"},
		"half":         {func(b *Books) { half(b, Withdrawn) }, "want 20"},
		"unfinished":   {func(b *Books) { b.SaveOrder(1, Order{To: 1, Amount: 3}) }, "left in state ordered"},
		"wrongly done": {func(b *Books) { half(b, Done) }, "want 20"},
	} {
		b := NewBooks(2, 10)
		require.NoError(t, b.Audit(10), name)
		tc.forge(b)
		require.ErrorContains(t, b.Audit(10), tc.want, name)
	}
	b := NewBooks(2, 10)
	half(b, Done)
	require.Error(t, b.Book(Entry{Account: 0, Transfer: 1, Leg: Withdrawal, Amount: -3}, 4), "twice")
	require.NoError(t, b.Book(Entry{Account: 1, Transfer: 1, Leg: Deposit, Amount: 3}, 13))
	require.NoError(t, b.Audit(10))
}

// half books the first leg of transfer 1 only.
func half(b *Books, s State) {
	_ = b.Book(Entry{Account: 0, Transfer: 1, Leg: Withdrawal, Amount: -3}, b.balances[0]-3)
	b.SaveOrder(1, Order{From: 0, To: 1, Amount: 3, State: s})
}
