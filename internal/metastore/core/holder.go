// SPDX-License-Identifier: MIT

package core

// Gate says whether a node may dispatch messages to what it owns.
type Gate uint8

// The gate's positions.
const (
	// GateFenced: the lease is over. Drop the state in memory, write nothing,
	// open a new session. Final for a session. It is the zero value, so that
	// a node without a session dispatches nothing.
	GateFenced Gate = iota
	// GateHold: the node slept or has reason to doubt; keep messages until a
	// renewal sent after the doubt is committed.
	GateHold
	// GateLive: dispatch.
	GateLive
)

// String returns the name of the position.
func (g Gate) String() string {
	switch g {
	case GateLive:
		return "live"
	case GateHold:
		return "hold"
	}
	return "fenced"
}

// Holder is the node's side of its session's lease.
//
// The deadline counts from before a renewal was sent, and moves only when the
// renewal is known to be committed. The window between a look at the gate and
// the effect can never be closed; epochs make late effects harmless.
//
// The zero value is not usable; see NewHolder. Not safe for concurrent use.
type Holder struct {
	timing  Timing
	session uint64
	ttl     int64

	deadline  int64
	seq       uint64 // last renewal known to be committed
	sent      int64  // t0 of the last renewal that was started
	pending   Renewal
	pendingT0 int64
	inFlight  bool
	retryAt   int64

	lastTick  int64
	holdSince int64
	holding   bool
	fenced    bool
}

// NewHolder returns a fenced holder without a session.
func NewHolder(t Timing) *Holder { return &Holder{timing: t.WithDefaults(), fenced: true} }

// HolderEvent is one of Opened, HolderTick, Renewed, RenewFailed, Suspected,
// Closed.
type HolderEvent interface{ holderEvent() }

type (
	// Opened says that OpenSession committed. T0 was read before it was sent.
	Opened struct {
		Session uint64
		TTL     int64
		T0      int64
	}
	// HolderTick lets time pass; the pause detector measures the gaps, so send
	// one every 50 ms. Nonce is a fresh random number.
	HolderTick struct{ Nonce uint64 }
	// Renewed carries the committed answer to the renewal Seq.
	Renewed struct {
		Seq  uint64
		Code Code
	}
	// RenewFailed says that the renewal Seq was not sent or that its outcome is
	// in doubt. The same renewal is sent again.
	RenewFailed struct{ Seq uint64 }
	// Suspected says that a newer epoch was seen for something the node owns:
	// it may have lost its session without knowing.
	Suspected struct{}
	// Closed says that the session was closed on purpose.
	Closed struct{}
)

func (Opened) holderEvent()      {}
func (HolderTick) holderEvent()  {}
func (Renewed) holderEvent()     {}
func (RenewFailed) holderEvent() {}
func (Suspected) holderEvent()   {}
func (Closed) holderEvent()      {}

// HolderEffects is what the host must do now.
type HolderEffects struct {
	Renew *Renewal // send it; answer with Renewed or RenewFailed
	Fence bool     // the session was lost just now: self-fence
}

// Step advances the holder. now is the node's monotonic clock.
func (h *Holder) Step(ev HolderEvent, now int64) HolderEffects {
	var fx HolderEffects
	h.checkDeadline(now, &fx)
	switch e := ev.(type) {
	case Opened:
		*h = Holder{timing: h.timing, session: e.Session, ttl: e.TTL, sent: e.T0, lastTick: now}
		h.deadline = e.T0 + h.timing.holderTTL(e.TTL)
		fx = HolderEffects{}
		h.checkDeadline(now, &fx)
	case HolderTick:
		h.tick(e.Nonce, now, &fx)
	case Renewed:
		h.renewed(e, now, &fx)
	case RenewFailed:
		if h.inFlight && e.Seq == h.pending.Seq {
			h.inFlight = false
			h.retryAt = now + h.ttl/32
		}
	case Suspected:
		h.hold(now)
	case Closed:
		h.fenced = true
	}
	return fx
}

// Session returns the session's epoch; 0 before Opened.
func (h *Holder) Session() uint64 { return h.session }

// Deadline returns when the lease ends on this node's clock; in the past when
// it is fenced.
func (h *Holder) Deadline() int64 { return h.deadline }

// Gate returns the position at now. Once fenced it stays fenced.
func (h *Holder) Gate(now int64) Gate {
	switch {
	case ablateGate:
		return GateLive
	case h.fenced || now >= h.deadline:
		return GateFenced
	case h.holding || h.paused(now):
		return GateHold
	}
	return GateLive
}

// PauseLimit is the gap between ticks that counts as a pause.
func (h *Holder) PauseLimit() int64 { return h.ttl / 4 }

func (h *Holder) paused(now int64) bool {
	return now-h.lastTick > h.PauseLimit() && !ablatePauseHold
}

func (h *Holder) checkDeadline(now int64, fx *HolderEffects) {
	if !h.fenced && now >= h.deadline && !ablateGate {
		h.fence(fx)
	}
}

func (h *Holder) fence(fx *HolderEffects) {
	h.fenced = true
	h.inFlight = false
	fx.Fence = true
}

func (h *Holder) hold(now int64) {
	if !h.fenced {
		h.holding = true
		h.holdSince = now
	}
}

func (h *Holder) tick(nonce uint64, now int64, fx *HolderEffects) {
	if h.fenced {
		return
	}
	if h.paused(now) {
		h.hold(now)
	}
	h.lastTick = now
	if h.inFlight {
		return
	}
	switch {
	case h.pending.Seq > h.seq: // in doubt: the same again, see Renewal
		if now < h.retryAt {
			return
		}
	case h.holding && h.sent < h.holdSince, now-h.sent >= h.ttl/4:
		h.pending = Renewal{Session: h.session, Seq: h.seq + 1, Nonce: nonce, Ack: h.seq}
		h.pendingT0, h.sent = now, now
	default:
		return
	}
	h.inFlight = true
	r := h.pending
	fx.Renew = &r
}

func (h *Holder) renewed(e Renewed, now int64, fx *HolderEffects) {
	if h.fenced || e.Seq != h.pending.Seq || e.Seq <= h.seq {
		return
	}
	h.inFlight = false
	if e.Code != CodeOK {
		h.fence(fx) // expired, closed, or another copy of this node renews
		return
	}
	h.seq = e.Seq
	from := h.pendingT0 // of the first attempt: the grantor's timer started after it
	if ablateAckDeadline {
		from = now
	}
	h.deadline = max(h.deadline, from+h.timing.holderTTL(h.ttl))
	if h.holding && h.pendingT0 >= h.holdSince {
		h.holding = false
	}
}
