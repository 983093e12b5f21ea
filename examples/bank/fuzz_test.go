// SPDX-License-Identifier: MIT

package main

import (
	"testing"

	"github.com/troupe-go/troupe/internal/wire/wiretest"
)

// FuzzDecoders feeds every decoder of the generated code.
func FuzzDecoders(f *testing.F) {
	wiretest.FuzzAll(f,
		wiretest.New(f, accountWithdraw.AppendArgs, accountWithdraw.ParseArgs),
		wiretest.New(f, accountWithdraw.AppendReply, accountWithdraw.ParseReply),
		wiretest.New(f, accountDeposit.AppendArgs, accountDeposit.ParseArgs),
		wiretest.New(f, accountDeposit.AppendReply, accountDeposit.ParseReply),
		wiretest.New(f, accountRefund.AppendArgs, accountRefund.ParseArgs),
		wiretest.New(f, accountRefund.AppendReply, accountRefund.ParseReply),
		wiretest.New(f, accountBalance.AppendArgs, accountBalance.ParseArgs),
		wiretest.New(f, accountBalance.AppendReply, accountBalance.ParseReply),
		wiretest.New(f, transferRun.AppendArgs, transferRun.ParseArgs),
		wiretest.New(f, transferRun.AppendReply, transferRun.ParseReply),
	)
}
