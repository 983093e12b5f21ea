// SPDX-License-Identifier: MIT

package gentest

import (
	"bytes"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/troupe-go/troupe/internal/wire/wiretest"
)

func TestAllPathsAgree(t *testing.T) {
	t.Run("Echo", func(t *testing.T) {
		wiretest.New(t, gameEcho.AppendArgs, gameEcho.ParseArgs).Test(t)
		wiretest.New(t, gameEcho.AppendReply, gameEcho.ParseReply).Test(t)
	})
	t.Run("EchoPtr", func(t *testing.T) {
		wiretest.New(t, gameEchoPtr.AppendArgs, gameEchoPtr.ParseArgs).Test(t)
		wiretest.New(t, gameEchoPtr.AppendReply, gameEchoPtr.ParseReply).Test(t)
	})
	t.Run("Cast", func(t *testing.T) {
		wiretest.New(t, gameCast.AppendArgs, gameCast.ParseArgs).Test(t)
		wiretest.New(t, gameCast.AppendReply, gameCast.ParseReply).Test(t)
	})
	t.Run("Say", func(t *testing.T) {
		wiretest.New(t, gameSay.AppendArgs, gameSay.ParseArgs).Test(t)
		wiretest.New(t, gameSay.AppendReply, gameSay.ParseReply).Test(t)
	})
	t.Run("Odd", func(t *testing.T) {
		wiretest.New(t, gameOdd.AppendArgs, gameOdd.ParseArgs).Test(t)
		wiretest.New(t, gameOdd.AppendReply, gameOdd.ParseReply).Test(t)
	})
	t.Run("Trees", func(t *testing.T) { wiretest.New(t, gameTrees.AppendArgs, gameTrees.ParseArgs).Test(t) })
	t.Run("Time", func(t *testing.T) { wiretest.New(t, worldTime.AppendReply, worldTime.ParseReply).Test(t) })
	t.Run("Hash", func(t *testing.T) { wiretest.New(t, hasherHash.AppendReply, hasherHash.ParseReply).Test(t) })
	t.Run("Work", func(t *testing.T) { wiretest.New(t, workerWork.AppendArgs, workerWork.ParseArgs).Test(t) })
	t.Run("Position", func(t *testing.T) {
		position(t).Test(t)
	})
	t.Run("Join", func(t *testing.T) { wiretest.New(t, chatJoin.AppendArgs, chatJoin.ParseArgs).Test(t) })
}

func TestDamagedInput(t *testing.T) {
	t.Run("Echo", func(t *testing.T) { wiretest.New(t, gameEcho.AppendArgs, gameEcho.ParseArgs).Mutate(t) })
	t.Run("Odd", func(t *testing.T) { wiretest.New(t, gameOdd.AppendArgs, gameOdd.ParseArgs).Mutate(t) })
	t.Run("Trees", func(t *testing.T) { wiretest.New(t, gameTrees.AppendArgs, gameTrees.ParseArgs).Mutate(t) })
}

// TestAllocationIsBounded: no input makes a decoder allocate more than the
// elements it describes, with room for the growth of slices and maps.
func TestAllocationIsBounded(t *testing.T) {
	const count = 10000
	inputs := wiretest.New(t, gameEcho.AppendReply, gameEcho.ParseReply).Seeds(rand.New(rand.NewPCG(9, 9)), 100, 1<<20)
	for _, repeated := range [][]byte{{0xda, 3, 0}, {0xe2, 3, 0}, {0xc2, 3, 0}, {0xba, 3, 0}, {0xda, 0x3e, 0}, {0xc2, 3, 0, 0xba, 3, 0}} {
		inputs = append(inputs, protowire.AppendBytes([]byte{0xa}, bytes.Repeat(repeated, count)))
	}
	const perByte = 80 // the largest element, 40 bytes for every 2 of input, with slack for append's growth
	for i, b := range inputs {
		var before, after runtime.MemStats
		out := new(gameEchoReply)
		runtime.ReadMemStats(&before)
		_ = gameEcho.ParseReply(b, out)
		runtime.ReadMemStats(&after)
		require.LessOrEqual(t, after.TotalAlloc-before.TotalAlloc, uint64(len(b)*perByte+16<<10), "input %d of %d bytes", i, len(b))
		runtime.KeepAlive(out)
	}
}
