// SPDX-License-Identifier: MIT

package server

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/troupe-go/troupe/examples/mmo/game"
)

// restartAfter is how long a killed node stays away.
const restartAfter = 3 * time.Second

// ErrKill: this node cannot be killed.
var ErrKill = errors.New("no such node, or too few others are up to go on without it")

// Kill ends a node as a crash would: its connections break, what it had in
// memory is lost, nobody is told. It is started again after a while.
func (s *Server) Kill(name string, away time.Duration) error {
	s.mu.Lock()
	index, up := -1, 0
	for n, i := range s.instances {
		if i == nil {
			continue
		}
		up++
		if i.Name == name {
			index = n
		}
	}
	// A majority of the voters must stay, or nobody is left to take over.
	if index < 0 || (up-1)*2 <= min(len(s.instances), maxVoters) || s.closing {
		s.mu.Unlock()
		return ErrKill
	}
	victim := s.instances[index]
	s.instances[index] = nil
	s.background.Add(1)
	s.mu.Unlock()
	s.kills.Add(1)

	s.log.Warn("kill", "node", name)
	victim.plug.pull()
	killed := time.Now()
	go func() {
		defer s.background.Done()
		victim.bury()
		s.watchTakeover(killed)
		s.pause(away - time.Since(killed))
		s.restart(index)
	}()
	return nil
}

// bury ends the goroutines of a node whose plug is pulled.
func (i *Instance) bury() {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if i.Gate != nil {
		_ = i.Gate.Stop(ended) // nobody hears it
		for range i.serving {
			<-i.served
		}
	}
	_ = i.db.Close(ended)  // gives up what was not written
	_ = i.Node.Stop(ended) // cannot reach anybody
}

// watchTakeover waits until every zone answers again and notes how long it took.
func (s *Server) watchTakeover(killed time.Time) {
	for time.Since(killed) < time.Minute && !s.isClosing() {
		if s.allZonesAnswer() {
			s.mu.Lock()
			s.takeovers = append(s.takeovers, time.Since(killed))
			s.log.Warn("takeover", "after", time.Since(killed))
			s.mu.Unlock()
			return
		}
		s.pause(50 * time.Millisecond)
	}
}

func (s *Server) allZonesAnswer() bool {
	i, err := s.node()
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for _, id := range s.content.Tables().ZoneIDs {
		if _, err := game.ZoneOf(i.Node, id).Status(ctx); err != nil {
			return false
		}
	}
	return true
}

// restart brings the node back, however often it takes.
func (s *Server) restart(index int) {
	for !s.isClosing() {
		ctx, cancel := context.WithTimeout(s.ctx, 20*time.Second)
		i, err := s.start(ctx, index)
		cancel()
		if err == nil {
			s.mu.Lock()
			s.instances[index] = i
			s.mu.Unlock()
			s.log.Warn("restarted", "node", i.Name)
			return
		}
		s.log.Warn("restart", "node", s.name(index), "error", err)
		s.pause(time.Second)
	}
}

// pause sleeps unless the server stops.
func (s *Server) pause(d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.ctx.Done():
	}
}

func (s *Server) isClosing() bool { return s.ctx.Err() != nil }

// Roll restarts all nodes one after the other, in order: clients move to
// another gate, actors are handed over, and nobody should notice.
func (s *Server) Roll() error {
	for index := range s.cfg.Nodes {
		s.mu.Lock()
		i := s.instances[index]
		if i == nil || s.closing {
			s.mu.Unlock()
			continue
		}
		s.instances[index] = nil
		s.mu.Unlock()
		s.log.Warn("rolling", "node", i.Name)
		ctx, cancel := context.WithTimeout(s.ctx, 30*time.Second)
		err := i.stop(ctx, true)
		cancel()
		if err != nil {
			return err
		}
		s.restart(index)
		s.pause(time.Second)
	}
	return nil
}

// RollInBackground is Roll while the game goes on; a second one at the same
// time does nothing.
func (s *Server) RollInBackground() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rolling || s.closing {
		return
	}
	s.rolling = true
	s.background.Add(1)
	go func() {
		defer s.background.Done()
		if err := s.Roll(); err != nil {
			s.log.Error("rolling restart", "error", err)
		}
		s.mu.Lock()
		s.rolling = false
		s.mu.Unlock()
	}()
}

// KillRandom kills one of the nodes.
func (s *Server) KillRandom() error {
	up := s.Instances()
	if len(up) == 0 {
		return ErrKill
	}
	return s.Kill(up[rand.IntN(len(up))].Name, restartAfter)
}

// Takeovers returns how long after each kill all zones answered again, in
// milliseconds.
func (s *Server) Takeovers() []float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	times := make([]float64, 0, len(s.takeovers))
	for _, d := range s.takeovers {
		times = append(times, float64(d.Milliseconds()))
	}
	return times
}
