// SPDX-License-Identifier: MIT

package cases

import (
	"github.com/troupe-go/troupe/bench/compare"
)

// ownCases compare our own ways to do one thing with each other and with
// goroutine and channel. They need the main program's libraries.
func ownCases() []compare.Case {
	goroutine := func(b *compare.B) func(n int) { return goroutineCall(b, 1) }
	typed := func(b *compare.B) func(n int) { return troupeCall("member")(b, 1) }
	inline := func(b *compare.B) func(n int) { return troupeCall("inline")(b, 1) }
	return []compare.Case{
		{
			Name:  "call/inline",
			About: "as call/1, for a kind whose idle actors run on the caller's goroutine (Inline)",
			N:     50_000,
			Contenders: []compare.Contender{
				{Name: compare.Ours, New: inline},
				{Name: "goroutine", New: goroutine},
			},
		},
		{
			Name:  "call/virtual",
			About: "as call/1, to an active virtual actor; local is a spawned one",
			N:     50_000,
			Contenders: []compare.Contender{
				{Name: compare.Ours, New: troupeVirtual},
				{Name: "local", New: typed},
			},
		},
		{
			Name:  "callbyname",
			About: "as call/1, by the method's name and reflection; typed is the generated path",
			N:     50_000,
			Contenders: []compare.Contender{
				{Name: compare.Ours, New: troupeByName},
				{Name: "typed", New: typed},
				{Name: "goroutine", New: goroutine},
			},
		},
	}
}
