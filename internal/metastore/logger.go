// SPDX-License-Identifier: MIT

package metastore

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"
)

// logBridge takes raft's log lines and hands them to slog from a goroutine of
// its own. Raft's goroutines never wait for a log writer: when the buffer is
// full the line is dropped and counted.
type logBridge struct {
	lines   chan logLine
	dropped atomic.Uint64
	to      *slog.Logger
}

type logLine struct {
	level slog.Level
	msg   string
	args  []any
}

func newLogBridge(to *slog.Logger) *logBridge {
	return &logBridge{lines: make(chan logLine, 256), to: to}
}

// hclogger returns the logger to give to raft.
func (b *logBridge) hclogger() hclog.Logger {
	l := hclog.NewInterceptLogger(&hclog.LoggerOptions{Name: "raft", Output: io.Discard, Level: hclog.Off})
	l.RegisterSink(b)
	return l
}

// Accept implements hclog.SinkAdapter.
func (b *logBridge) Accept(_ string, level hclog.Level, msg string, args ...any) {
	l := slogLevel(level)
	if !b.to.Enabled(context.Background(), l) {
		return
	}
	for i, a := range args { // raft may change what it passed once we return
		switch a.(type) {
		case string, int, int64, uint64, bool:
		default:
			args[i] = fmt.Sprint(a)
		}
	}
	select {
	case b.lines <- logLine{l, msg, args}:
	default:
		b.dropped.Add(1)
	}
}

func slogLevel(l hclog.Level) slog.Level {
	switch {
	case l >= hclog.Error:
		return slog.LevelError
	case l == hclog.Warn:
		return slog.LevelWarn
	case l == hclog.Info:
		return slog.LevelInfo
	}
	return slog.LevelDebug
}

func (b *logBridge) runLog(ctx context.Context) {
	for {
		select {
		case l := <-b.lines:
			if n := b.dropped.Swap(0); n > 0 {
				b.to.Warn("raft log lines dropped", "count", n)
			}
			b.to.Log(ctx, l.level, l.msg, l.args...)
		case <-ctx.Done():
			return
		}
	}
}
