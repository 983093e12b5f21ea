// SPDX-License-Identifier: MIT

//go:build !linux

package transport

import "syscall"

// control does nothing: the system's defaults apply.
func (t *TCP) control(_, _ string, _ syscall.RawConn) error { return nil }
