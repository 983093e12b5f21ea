// SPDX-License-Identifier: MIT

package transport

// Metrics observes an Endpoint. The methods are called once per system call or
// event, not per frame, from many goroutines, and must not block.
type Metrics interface {
	// Wrote reports one write: its bytes, the frames it completed, and the
	// frames that remain queued on that lane.
	Wrote(lane Lane, frames, bytes, queued int)

	// Read reports one read and the whole frames it completed.
	Read(lane Lane, frames, bytes int)

	// Dropped reports frames that will not be delivered, by reason.
	Dropped(lane Lane, frames int, reason error)

	// Connected reports a connection made, by dialing or by accepting.
	Connected(lane Lane, dialed bool)

	// Disconnected reports the end of a connection.
	Disconnected(lane Lane, reason error)

	// Refused reports an incoming connection that did not pass the handshake.
	Refused(reason error)
}

// noMetrics is the default.
type noMetrics struct{}

func (noMetrics) Wrote(Lane, int, int, int) {}
func (noMetrics) Read(Lane, int, int)       {}
func (noMetrics) Dropped(Lane, int, error)  {}
func (noMetrics) Connected(Lane, bool)      {}
func (noMetrics) Disconnected(Lane, error)  {}
func (noMetrics) Refused(error)             {}
