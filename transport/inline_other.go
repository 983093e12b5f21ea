// SPDX-License-Identifier: MIT

//go:build !unix

package transport

import "net"

// rawWriter does not exist here: the writer goroutine writes.
type rawWriter struct{}

func newRawWriter(net.Conn) *rawWriter { return nil }

func (w *rawWriter) tryWrite([]byte) (int, error) { return 0, nil }
