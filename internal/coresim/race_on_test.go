// SPDX-License-Identifier: MIT

//go:build race

package coresim

// raceEnabled says that the race detector is on. There is one goroutine here,
// so it only makes the runs slower.
const raceEnabled = true
