// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// record is the file that lists every handler with its times, for the check of
// leases by intervals (I4). All processes share one wall clock.
type record struct {
	mu   sync.Mutex
	file *os.File
}

func openRecord(o options) (*record, error) {
	f, err := os.OpenFile(filepath.Join(o.dir, "handlers."+o.name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	return &record{file: f}, err
}

// handled writes one line: entity, generation, epoch, begin and end.
func (r *record) handled(e *entity, begin time.Time) {
	fence := e.Fence()
	r.mu.Lock()
	defer r.mu.Unlock()
	_, _ = fmt.Fprintf(r.file, "%d %d %d %d %d\n", e.ID(), fence.Generation, fence.Epoch, begin.UnixNano(), time.Now().UnixNano())
}

// Close closes the file.
func (r *record) Close() error { return r.file.Close() }
