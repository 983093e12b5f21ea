// SPDX-License-Identifier: MIT

//go:build !race

package model

const raceEnabled = false
