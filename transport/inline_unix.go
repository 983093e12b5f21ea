// SPDX-License-Identifier: MIT

//go:build unix

package transport

import (
	"fmt"
	"net"
	"syscall"
)

// rawWriter makes single writes that do not block. Only the goroutine that has
// the right to write (T3) may use it.
type rawWriter struct {
	rc  syscall.RawConn
	try func(fd uintptr) bool // write, bound once so that a call allocates nothing
	b   []byte
	n   int
	err error
}

// newRawWriter returns nil for connections without a file descriptor.
func newRawWriter(nc net.Conn) *rawWriter {
	t, ok := nc.(*net.TCPConn)
	if !ok {
		return nil
	}
	rc, err := t.SyscallConn()
	if err != nil {
		return nil
	}
	w := &rawWriter{rc: rc}
	w.try = w.write
	return w
}

func (w *rawWriter) write(fd uintptr) bool {
	for {
		w.n, w.err = syscall.Write(int(fd), w.b)
		if w.err != syscall.EINTR { //nolint:errorlint // an errno is never wrapped; this runs for every write
			return true // also when the kernel's buffer is full: do not wait
		}
	}
}

// tryWrite writes what fits without waiting. A full buffer is not an error.
func (w *rawWriter) tryWrite(b []byte) (n int, err error) {
	w.b, w.n, w.err = b, 0, nil
	err = w.rc.Write(w.try)
	w.b = nil
	if err == nil && w.err != nil && w.err != syscall.EAGAIN { //nolint:errorlint // as above
		err = w.err
	}
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrConnLost, err)
	}
	return max(w.n, 0), err
}
