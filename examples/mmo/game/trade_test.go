// SPDX-License-Identifier: MIT

package game

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAcknowledgedPurchaseSurvivesACrash(t *testing.T) {
	w := newWorld(t)
	id := w.hero("Ann")
	receipt, err := PlayerOf(w.node, id).Buy(t.Context(), 1, 2, 77)
	require.NoError(t, err)
	require.Equal(t, int64(startGold-24), receipt.Gold)

	w.crash()
	w.start()
	self := w.sheet(id)
	require.Equal(t, receipt.Gold, self.Gold)
	require.Equal(t, int32(2), count(self.Bag, 1))
}

func TestSameNumberBuysOnce(t *testing.T) {
	w := newWorld(t)
	id := w.hero("Ann")
	first, err := PlayerOf(w.node, id).Buy(t.Context(), 1, 1, 5)
	require.NoError(t, err)
	again, err := PlayerOf(w.node, id).Buy(t.Context(), 1, 1, 5)
	require.NoError(t, err)
	require.Equal(t, first, again)

	w.crash()
	w.start()
	after, err := PlayerOf(w.node, id).Buy(t.Context(), 1, 1, 5)
	require.NoError(t, err)
	require.Equal(t, first, after)
	require.Equal(t, int32(1), count(w.sheet(id).Bag, 1))
}

func TestShopRefuses(t *testing.T) {
	w := newWorld(t)
	player := PlayerOf(w.node, w.hero("Ann"))
	for name, c := range map[string]struct {
		item, count int32
		want        error
	}{
		"unknown item":      {99, 1, ErrNoItem},
		"not for sale":      {6, 1, ErrNoItem},
		"none":              {1, 0, ErrCount},
		"less than none":    {1, -5, ErrCount},
		"too many":          {1, 1 << 30, ErrCount},
		"more than we have": {5, 3, ErrPoor},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := player.Buy(t.Context(), c.item, c.count, 1)
			require.ErrorIs(t, err, c.want)
		})
	}
	self, err := player.Sheet(t.Context())
	require.NoError(t, err)
	require.Equal(t, int64(startGold), self.Gold)
}

func TestNamesAreUnique(t *testing.T) {
	w := newWorld(t)
	const rivals = 8
	var wg sync.WaitGroup
	ids := make([]int64, rivals)
	errs := make([]error, rivals)
	for i := range rivals {
		wg.Add(1)
		go func() {
			defer wg.Done()
			name := []string{"Robin", "ROBIN", "robin", " Robin "}[i%4]
			ids[i], errs[i] = ReserveName(t.Context(), w.node, name, string(rune('a'+i)))
		}()
	}
	wg.Wait()
	winners := 0
	for i := range rivals {
		if errs[i] == nil {
			winners++
			require.NotZero(t, ids[i])
		} else {
			require.ErrorIs(t, errs[i], ErrSecret)
		}
	}
	require.Equal(t, 1, winners)

	w.crash()
	w.start()
	_, err := ReserveName(t.Context(), w.node, "robin", "somebody new")
	require.ErrorIs(t, err, ErrSecret, "the reservation is durable")
	for _, bad := range []string{"", "ab", "seventeen-letters", "a b c", "naïve", "<b>x</b>"} {
		_, err := ReserveName(t.Context(), w.node, bad, "s")
		require.ErrorIs(t, err, ErrName, "%q", bad)
	}
}
