// SPDX-License-Identifier: MIT

package troupe

import (
	"fmt"
	"log/slog"
	"time"
)

// Defaults of Config and of the kind options.
const (
	DefaultCallTimeout     = 5 * time.Second
	DefaultStopTimeout     = 30 * time.Second
	DefaultHookTimeout     = 10 * time.Second
	DefaultMaxMessageBytes = 1 << 20
	DefaultWheelTick       = 10 * time.Millisecond
	DefaultMailboxLimit    = 64 << 10
	DefaultMailboxBytes    = 64 << 20
	DefaultMaxParked       = 256
)

// Config configures a Node. The zero Config is one node, in memory: no disk,
// no port, no cluster.
type Config struct {
	// Name identifies the node; it appears in Refs of local actors and in
	// logs. Letters, digits, '-', '_' and '.'. Defaults to "node".
	Name string
	// Logger receives what happens outside of any call: panics with their
	// stacks, restarts, dead letters at debug level. Defaults to
	// slog.Default() as it is when New runs.
	Logger *slog.Logger
	// Metrics receives counters and samples; see Metrics. Defaults to none,
	// which costs nothing.
	Metrics Metrics
	// DeadLetter, when set, is told about every message that no handler took,
	// with the reason. It is called on the goroutine that found out, must not
	// block, and may be called concurrently.
	DeadLetter func(DeadLetter)
	// CallTimeout bounds calls whose context has no deadline. Defaults to
	// DefaultCallTimeout, 5 s.
	CallTimeout time.Duration
	// HookTimeout bounds the context of OnActivate and OnDeactivate. Defaults
	// to DefaultHookTimeout, 10 s.
	HookTimeout time.Duration
	// MaxMessageBytes caps the encoded arguments or results of one message.
	// Defaults to DefaultMaxMessageBytes, 1 MiB.
	MaxMessageBytes int
	// WheelTick is the resolution of timers, from 1 ms to 1 s. Defaults to
	// DefaultWheelTick, 10 ms.
	WheelTick time.Duration
	// MaxParked is how many worker goroutines without work are kept for the
	// next message; the rest exit. Defaults to DefaultMaxParked, 256.
	MaxParked int

	// Cluster joins the node to others. Nil: a node by itself.
	Cluster *ClusterConfig
}

// withDefaults fills zero fields and checks the others.
func (c Config) withDefaults() (Config, error) {
	if c.Name == "" {
		c.Name = "node"
	}
	for _, r := range c.Name {
		ok := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.'
		if !ok {
			return c, fmt.Errorf("%w: Config.Name %q: only letters, digits, '-', '_' and '.'", ErrBadConfig, c.Name)
		}
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Metrics == nil {
		c.Metrics = noMetrics{}
	}
	for _, d := range []struct {
		name  string
		value *time.Duration
		def   time.Duration
	}{
		{"CallTimeout", &c.CallTimeout, DefaultCallTimeout},
		{"HookTimeout", &c.HookTimeout, DefaultHookTimeout},
		{"WheelTick", &c.WheelTick, DefaultWheelTick},
	} {
		if *d.value < 0 {
			return c, fmt.Errorf("%w: Config.%s is negative", ErrBadConfig, d.name)
		}
		if *d.value == 0 {
			*d.value = d.def
		}
	}
	if c.WheelTick < time.Millisecond || c.WheelTick > time.Second {
		return c, fmt.Errorf("%w: Config.WheelTick %v: want 1ms to 1s", ErrBadConfig, c.WheelTick)
	}
	for _, n := range []struct {
		name  string
		value *int
		def   int
	}{
		{"MaxMessageBytes", &c.MaxMessageBytes, DefaultMaxMessageBytes},
		{"MaxParked", &c.MaxParked, DefaultMaxParked},
	} {
		if *n.value < 0 {
			return c, fmt.Errorf("%w: Config.%s is negative", ErrBadConfig, n.name)
		}
		if *n.value == 0 {
			*n.value = n.def
		}
	}
	return c, nil
}
