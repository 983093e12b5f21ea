// SPDX-License-Identifier: MIT

package gate

import (
	"sync/atomic"
	"time"
)

// Metrics receives what happens at the gate. Methods are called on hot paths
// from many goroutines: they must be cheap and must not block.
type Metrics interface {
	// Connected and Disconnected count connections; reason is a short constant.
	Connected(transport string)
	Disconnected(transport, reason string)
	// Sessions is the number of sessions after a change.
	Sessions(n int)
	// Request reports one finished request. code is CodeOK or a status code.
	Request(kind, method string, code uint32, took time.Duration, bytesIn, bytesOut int)
	// Pushed counts pushes accepted for one session; Dropped those that were
	// not, by reason.
	Pushed(event int32, bytes int)
	Dropped(event int32, reason string)
	// Refused counts connections, logins and resumes that were turned away.
	Refused(reason string)
}

type noMetrics struct{}

func (noMetrics) Connected(string)                                        {}
func (noMetrics) Disconnected(string, string)                             {}
func (noMetrics) Sessions(int)                                            {}
func (noMetrics) Request(string, string, uint32, time.Duration, int, int) {}
func (noMetrics) Pushed(int32, int)                                       {}
func (noMetrics) Dropped(int32, string)                                   {}
func (noMetrics) Refused(string)                                          {}

// Counters is the simplest Metrics: totals. The zero value is ready to use.
type Counters struct {
	Conns, ConnsTotal, SessionsNow             atomic.Int64
	Requests, RequestErrors, RequestNanos      atomic.Int64
	BytesIn, BytesOut                          atomic.Int64
	Pushes, PushBytes, PushesDropped, Refusals atomic.Int64
}

// Connected implements Metrics.
func (c *Counters) Connected(string) { c.Conns.Add(1); c.ConnsTotal.Add(1) }

// Disconnected implements Metrics.
func (c *Counters) Disconnected(string, string) { c.Conns.Add(-1) }

// Sessions implements Metrics.
func (c *Counters) Sessions(n int) { c.SessionsNow.Store(int64(n)) }

// Request implements Metrics.
func (c *Counters) Request(_, _ string, code uint32, took time.Duration, in, out int) {
	c.Requests.Add(1)
	if code != CodeOK {
		c.RequestErrors.Add(1)
	}
	c.RequestNanos.Add(int64(took))
	c.BytesIn.Add(int64(in))
	c.BytesOut.Add(int64(out))
}

// Pushed implements Metrics.
func (c *Counters) Pushed(_ int32, bytes int) { c.Pushes.Add(1); c.PushBytes.Add(int64(bytes)) }

// Dropped implements Metrics.
func (c *Counters) Dropped(int32, string) { c.PushesDropped.Add(1) }

// Refused implements Metrics.
func (c *Counters) Refused(string) { c.Refusals.Add(1) }

var _ Metrics = (*Counters)(nil)
