// SPDX-License-Identifier: MIT

package gate

// SessionStats describes one session, for operators' pages.
type SessionStats struct {
	Session  SessionRef
	Identity Identity
	Online   bool
	// Transport and Remote are those of the newest connection.
	Transport, Remote string
	// Connections counts them; more than one means resumes.
	Connections int
	// Requests were executed, Failed of them with a status other than OK.
	Requests, Failed uint64
	// Pushes were accepted; Dropped were not, for whatever reason.
	Pushes, Dropped uint64
	// Window and Queue are bytes kept for a resume, and not yet written.
	WindowBytes, QueueBytes int
}

// List returns all sessions of the gate in no particular order. It locks each
// for a moment.
func (g *Gate) List() []SessionStats {
	all := g.snapshot()
	list := make([]SessionStats, 0, len(all))
	for _, s := range all {
		list = append(list, s.describe())
	}
	return list
}

func (s *session) describe() SessionStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.stats
	d.Session, d.Identity, d.Online = s.ref(), s.who, s.link != nil
	d.WindowBytes, d.QueueBytes = s.out.windowBytes, s.out.queueBytes
	return d
}
