// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

const tour = `typed call:   hello, Ada (1)
call by name: hello, Ada (2)
wrong call:   call greeter/Ada.Greet: troupe: bad arguments: Greet takes 0 arguments, got 2
timer:        Ada was greeted 2 times
panic:        call greeter/Ada.Stumble: troupe: handler panicked: Stumble: stumbled (is ErrPanic: true)
restarted:    hello, Ada (1)
`

// The timer's delay costs nothing: in the bubble, time passes when everybody
// waits.
func TestTour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		require.NoError(t, run(context.Background(), &out, io.Discard))
		require.Equal(t, tour, out.String())
	})
}

func TestBellNeverBlocks(t *testing.T) {
	b := &Bell{rung: make(chan string, 1)}
	b.Ring("first")
	b.Ring("second")
	require.Equal(t, "first", <-b.rung)
}
