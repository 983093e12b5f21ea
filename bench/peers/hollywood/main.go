// SPDX-License-Identifier: MIT

// Hollywood measures github.com/anthdm/hollywood for the comparison.
package main

import (
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/anthdm/hollywood/actor"

	"github.com/troupe-go/troupe/bench/cases"
	"github.com/troupe-go/troupe/bench/compare"
)

func main() {
	// The library logs through the default logger.
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	cases.Serve(cases.Library{
		Name: "hollywood", Mailbox: mailbox, Send: send, Call: call, PingPong: pingPong, Spawn: spawn,
	})
}

// process hands a bare inbox's batches to a tally.
type process struct{ *cases.Tally }

func (process) Start()                           {}
func (process) Shutdown()                        {}
func (process) PID() *actor.PID                  { return nil }
func (process) Send(*actor.PID, any, *actor.PID) {}
func (p process) Invoke(batch []actor.Envelope) {
	for i := range batch {
		p.Add(batch[i].Msg.(*cases.Message).Value)
	}
}

func mailbox() cases.Mailbox {
	t := cases.NewTally()
	box := actor.NewInbox(1024)
	box.Start(process{t})
	return cases.Mailbox{
		Expect: t.Expect,
		Produce: func(messages []*cases.Message, count int) {
			for i := range count {
				box.Send(actor.Envelope{Msg: messages[i%cases.Distinct]})
			}
		},
		Consume: func(int) int64 { return t.Wait() },
		Close:   func() { _ = box.Stop() },
	}
}

func engine() *actor.Engine {
	e, err := actor.NewEngine(actor.NewEngineConfig())
	compare.Must(err)
	return e
}

func send(_ *compare.B, shape cases.SendShape) func(n int) {
	e := engine()
	tallies := shape.Tallies()
	pids := make([]*actor.PID, shape.Receivers)
	for i, t := range tallies {
		pids[i] = e.SpawnFunc(func(c *actor.Context) {
			if m, ok := c.Message().(*cases.Ping); ok {
				t.Add(m.Value)
			}
		}, "receiver")
	}
	return cases.Flood(shape, tallies, func(receiver, count int) {
		pid := pids[receiver]
		for v := range int64(count) {
			e.Send(pid, &cases.Ping{Value: v + 1})
		}
	})
}

func call(_ *compare.B, callers int) func(n int) {
	e := engine()
	pid := e.SpawnFunc(func(c *actor.Context) {
		if m, ok := c.Message().(*cases.Ask); ok {
			c.Respond(&cases.Answer{Value: m.Value + 1})
		}
	}, "target")
	return cases.CallAll(callers, func(value int64) int64 {
		answer, err := e.Request(pid, &cases.Ask{Value: value}, 5*time.Second).Result()
		compare.Must(err)
		return answer.(*cases.Answer).Value
	})
}

func pingPong(*compare.B) func(n int) {
	e := engine()
	done := make(chan struct{}, 1)
	pong := e.SpawnFunc(func(c *actor.Context) {
		if m, ok := c.Message().(*cases.Ball); ok {
			c.Send(m.Back.(*actor.PID), m)
		}
	}, "pong")
	ping := e.SpawnFunc(func(c *actor.Context) {
		m, ok := c.Message().(*cases.Ball)
		if !ok {
			return
		}
		if m.Left--; m.Left == 0 {
			done <- struct{}{}
			return
		}
		c.Send(pong, m)
	}, "ping")
	return func(n int) {
		e.Send(pong, &cases.Ball{Left: n, Back: ping})
		<-done
	}
}

func spawn(b *compare.B) func(n int) {
	e := engine()
	pids := make([]*actor.PID, b.N)
	var greeted sync.WaitGroup
	return cases.Crowd(b, func(i int) {
		var state int64
		pids[i] = e.SpawnFunc(func(c *actor.Context) {
			if m, ok := c.Message().(*cases.Ping); ok {
				state += m.Value
				greeted.Done()
			}
		}, "member")
	}, func(n int) {
		greeted.Add(n)
		for _, pid := range pids[:n] {
			e.Send(pid, &cases.Ping{Value: 1})
		}
		greeted.Wait()
	})
}
