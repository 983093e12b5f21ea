// SPDX-License-Identifier: MIT

package troupe_test

import (
	"fmt"
	"time"

	"github.com/troupe-go/troupe"
)

// What does a cron specification mean when clocks change? A time that is
// skipped fires at the end of the gap, a time that comes twice fires once.
// Actor.Cron runs a function on an actor's turn by such a schedule.
func ExampleParseCron() {
	reset, err := troupe.ParseCron("CRON_TZ=Europe/Berlin 30 2 * * *", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	at := time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC)
	for range 2 { // in the night to 29 March, clocks skip 02:30
		at, _ = reset.Next(at)
		fmt.Println(at)
	}
	_, err = troupe.ParseCron("0 25 * * *", nil)
	fmt.Println(err)
	// Output:
	// 2026-03-29 03:00:00 +0200 CEST
	// 2026-03-30 02:30:00 +0200 CEST
	// troupe: bad cron specification "0 25 * * *": column 3: hour: 25 is not in 0-23
}
