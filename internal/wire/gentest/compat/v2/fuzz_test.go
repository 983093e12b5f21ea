// SPDX-License-Identifier: MIT

package v2

import (
	"testing"

	"github.com/troupe-go/troupe/internal/wire/wiretest"
)

// FuzzDecoders feeds every decoder of the generated code.
func FuzzDecoders(f *testing.F) {
	wiretest.FuzzAll(f,
		wiretest.New(f, bankAudit.AppendArgs, bankAudit.ParseArgs),
		wiretest.New(f, bankAudit.AppendReply, bankAudit.ParseReply),
		wiretest.New(f, bankMove.AppendArgs, bankMove.ParseArgs),
		wiretest.New(f, bankMove.AppendReply, bankMove.ParseReply),
	)
}
