// SPDX-License-Identifier: MIT

package troupe_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/troupe-go/troupe"
)

// How do I make unique numbers without asking anybody? An id is the time, a
// worker number that no other generator has, and a counter. When the clock
// steps back too far, there is an error instead of a duplicate.
func ExampleSnowflakes() {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	ids, err := troupe.NewSnowflakes(troupe.SnowflakeConfig{
		Worker: 7,
		Clock:  func() time.Time { return now },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	id, err := ids.Next()
	parts, _ := ids.Decompose(id)
	fmt.Println(id, err, parts.Time.UTC(), parts.Worker, parts.Sequence)

	many := make([]int64, 3) // for little more than the cost of one
	fmt.Println(ids.NextN(many), many[2]-id)

	now = now.Add(-time.Hour)
	_, err = ids.Next()
	fmt.Println(errors.Is(err, troupe.ErrClockBackwards), err)
	// Output:
	// 2006515713438674944 <nil> 2026-01-01 00:00:00 +0000 UTC 7 0
	// <nil> 3
	// true troupe: clock stepped backwards: 1h0m0s behind, at most 1s tolerated
}
