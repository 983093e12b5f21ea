// SPDX-License-Identifier: MIT

//go:build unix

package gate

import "syscall"

func limitFiles(n uint64) error {
	limit := syscall.Rlimit{Cur: n, Max: n}
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
}
