// SPDX-License-Identifier: MIT

package transport

// deliverer returns what the reader calls for each whole frame.
func (l *lane) deliverer(h Handler) func(frame []byte) {
	link := Link(l.link)
	ic := l.ep.cfg.Intercept
	if ic == nil {
		return func(frame []byte) { h.HandleFrame(link, l.id, frame) }
	}
	from, to := l.link.Peer().Addr, l.ep.self.Addr
	deliver := func(frame []byte) {
		l.delivering.Lock()
		defer l.delivering.Unlock()
		if l.ep.ctx.Err() != nil {
			return
		}
		h.HandleFrame(link, l.id, frame)
		h.HandleBatchEnd(link, l.id)
	}
	return func(frame []byte) { ic.Intercept(from, to, l.id, frame, deliver) }
}
