// SPDX-License-Identifier: MIT

package gentest

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/troupe-go/troupe/internal/wire/wiretest"
)

// A fuzz target per decoder of the generated code.

func FuzzEchoArgs(f *testing.F) {
	wiretest.New(f, gameEcho.AppendArgs, gameEcho.ParseArgs).Fuzz(f)
}

func FuzzEchoReply(f *testing.F) {
	wiretest.New(f, gameEcho.AppendReply, gameEcho.ParseReply).Fuzz(f)
}

func FuzzEchoPtrArgs(f *testing.F) {
	wiretest.New(f, gameEchoPtr.AppendArgs, gameEchoPtr.ParseArgs).Fuzz(f)
}

func FuzzEchoPtrReply(f *testing.F) {
	wiretest.New(f, gameEchoPtr.AppendReply, gameEchoPtr.ParseReply).Fuzz(f)
}

func FuzzCastArgs(f *testing.F) {
	wiretest.New(f, gameCast.AppendArgs, gameCast.ParseArgs).Fuzz(f)
}

func FuzzCastReply(f *testing.F) {
	wiretest.New(f, gameCast.AppendReply, gameCast.ParseReply).Fuzz(f)
}

func FuzzSayArgs(f *testing.F) {
	wiretest.New(f, gameSay.AppendArgs, gameSay.ParseArgs).Fuzz(f)
}

func FuzzSayReply(f *testing.F) {
	wiretest.New(f, gameSay.AppendReply, gameSay.ParseReply).Fuzz(f)
}

func FuzzPingArgs(f *testing.F) {
	wiretest.New(f, gamePing.AppendArgs, gamePing.ParseArgs).Fuzz(f)
}

func FuzzPingReply(f *testing.F) {
	wiretest.New(f, gamePing.AppendReply, gamePing.ParseReply).Fuzz(f)
}

func FuzzOddArgs(f *testing.F) {
	wiretest.New(f, gameOdd.AppendArgs, gameOdd.ParseArgs).Fuzz(f)
}

func FuzzOddReply(f *testing.F) {
	wiretest.New(f, gameOdd.AppendReply, gameOdd.ParseReply).Fuzz(f)
}

func FuzzTreesArgs(f *testing.F) {
	wiretest.New(f, gameTrees.AppendArgs, gameTrees.ParseArgs).Fuzz(f)
}

func FuzzTreesReply(f *testing.F) {
	wiretest.New(f, gameTrees.AppendReply, gameTrees.ParseReply).Fuzz(f)
}

func FuzzHashArgs(f *testing.F) {
	wiretest.New(f, hasherHash.AppendArgs, hasherHash.ParseArgs).Fuzz(f)
}

func FuzzHashReply(f *testing.F) {
	wiretest.New(f, hasherHash.AppendReply, hasherHash.ParseReply).Fuzz(f)
}

func FuzzJoinArgs(f *testing.F) {
	wiretest.New(f, chatJoin.AppendArgs, chatJoin.ParseArgs).Fuzz(f)
}

func FuzzJoinReply(f *testing.F) {
	wiretest.New(f, chatJoin.AppendReply, chatJoin.ParseReply).Fuzz(f)
}

func FuzzWorkArgs(f *testing.F) {
	wiretest.New(f, workerWork.AppendArgs, workerWork.ParseArgs).Fuzz(f)
}

func FuzzWorkReply(f *testing.F) {
	wiretest.New(f, workerWork.AppendReply, workerWork.ParseReply).Fuzz(f)
}

func FuzzTimeArgs(f *testing.F) {
	wiretest.New(f, worldTime.AppendArgs, worldTime.ParseArgs).Fuzz(f)
}

func FuzzTimeReply(f *testing.F) {
	wiretest.New(f, worldTime.AppendReply, worldTime.ParseReply).Fuzz(f)
}

func FuzzPosition(f *testing.F) { position(f).Fuzz(f) }

func position(t testing.TB) wiretest.Codec[Position] {
	return wiretest.New(t, func(b []byte, p *Position) []byte { return p.AppendWire(b) }, func(b []byte, p *Position) error { return p.ParseWire(b) })
}

// TestEveryDecoderIsFuzzed finds the decoders of the generated file that no
// target above names.
func TestEveryDecoderIsFuzzed(t *testing.T) {
	generated, err := os.ReadFile("gentest_troupe.go")
	require.NoError(t, err)
	targets, err := os.ReadFile("fuzz_test.go")
	require.NoError(t, err)
	methods := regexp.MustCompile(`(?m)^var (\w+) = troupe\.Method\[`).FindAllStringSubmatch(string(generated), -1)
	require.NotEmpty(t, methods)
	for _, m := range methods {
		for _, part := range []string{".ParseArgs)", ".ParseReply)"} {
			if !strings.Contains(string(targets), m[1]+part) {
				t.Errorf("no fuzz target for %s%s", m[1], part)
			}
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^func \(m \*(\w+)\) ParseWire\(`).FindAllStringSubmatch(string(generated), -1) {
		if !strings.Contains(string(targets), "func Fuzz"+m[1]+"(") {
			t.Errorf("no fuzz target for %s", m[1])
		}
	}
}
