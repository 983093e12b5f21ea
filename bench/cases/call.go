// SPDX-License-Identifier: MIT

package cases

import (
	"sync"

	"github.com/troupe-go/troupe/bench/compare"
)

// Ask and Answer are the messages of call/* for libraries that send Go values.
// The answer is the question plus one.
type (
	Ask    struct{ Value int64 }
	Answer struct{ Value int64 }
)

// callCases measure requests with a reply from plain goroutines to one actor. The
// libraries give up waiting after a time-out; goroutine and channel cannot, which
// makes it the stricter baseline.
func callCases(linked []Library) []compare.Case {
	var out []compare.Case
	for _, s := range []struct {
		name, about string
		callers     int
	}{
		{"call/1", "request and reply, 1 caller, 1 actor", 1},
		{"call/16", "request and reply, 16 callers, 1 actor", 16},
	} {
		c := compare.Case{Name: s.name, About: s.about, N: 50_000}
		add(&c, "call", linked, func(lib Library) func(b *compare.B) func(n int) {
			if lib.Call == nil {
				return nil
			}
			return func(b *compare.B) func(n int) { return lib.Call(b, s.callers) }
		})
		out = append(out, c)
	}
	return out
}

// CallAll is the work of call/* around a contender's call, which sends value and
// returns the answer.
func CallAll(callers int, call func(value int64) int64) func(n int) {
	return func(n int) {
		var wg sync.WaitGroup
		for i := range callers {
			wg.Go(func() {
				for v := range int64(Share(n, callers, i)) {
					if got := call(v); got != v+1 {
						compare.Check("answer", got, v+1)
					}
				}
			})
		}
		wg.Wait()
	}
}

// pingPongCases measure two actors that answer each other's one-way messages:
// an operation is there and back.
func pingPongCases(linked []Library) []compare.Case {
	c := compare.Case{Name: "pingpong", About: "two actors send one message back and forth; an operation is a round trip", N: 100_000}
	add(&c, "pingpong", linked, func(lib Library) func(b *compare.B) func(n int) {
		if lib.PingPong == nil {
			return nil
		}
		return lib.PingPong
	})
	return []compare.Case{c}
}

// Ball is the message of pingpong for libraries that send Go values. One ball
// goes back and forth, so its sending allocates nothing by itself.
type Ball struct {
	Left int // round trips to go
	Back any // the library's address of the actor that counts
}
