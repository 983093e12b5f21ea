// SPDX-License-Identifier: MIT

package v1

import (
	"testing"

	"github.com/troupe-go/troupe/internal/wire/wiretest"
)

// FuzzDecoders feeds every decoder of the generated code.
func FuzzDecoders(f *testing.F) {
	wiretest.FuzzAll(f,
		wiretest.New(f, bankMove.AppendArgs, bankMove.ParseArgs),
		wiretest.New(f, bankMove.AppendReply, bankMove.ParseReply),
	)
}
