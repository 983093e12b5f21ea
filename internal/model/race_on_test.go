// SPDX-License-Identifier: MIT

//go:build race

package model

// raceEnabled says that the race detector is on. The searches have a single
// goroutine, so it only makes them ten times slower.
const raceEnabled = true
