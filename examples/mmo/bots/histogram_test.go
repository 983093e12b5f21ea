// SPDX-License-Identifier: MIT

package bots

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestHistogramQuantilesAreWithinFivePercent(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var h histogram
	var all []time.Duration
	for range 10000 {
		d := time.Duration(r.ExpFloat64()*float64(20*time.Millisecond)) + 50*time.Microsecond
		h.note(d)
		all = append(all, d)
	}
	slices.Sort(all)
	for _, q := range []float64{0.01, 0.5, 0.9, 0.99} {
		want := all[int(q*float64(len(all)))-1]
		got := h.quantile(q)
		require.InEpsilon(t, float64(want), float64(got), 0.06, "quantile %v", q)
	}
	require.Equal(t, all[len(all)-1], h.quantile(1))
}
