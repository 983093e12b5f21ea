// SPDX-License-Identifier: MIT

// Protoactor measures github.com/asynkron/protoactor-go for the comparison.
package main

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-go/troupe/bench/cases"
	"github.com/troupe-go/troupe/bench/compare"
)

func main() {
	var libraries []cases.Library
	for _, m := range []struct {
		name string
		make actor.MailboxProducer
	}{
		{"default", actor.Unbounded()},
		{"lockfree", actor.UnboundedLockfree()},
		{"bounded", actor.Bounded(1024)},
	} {
		p := proto{m.make}
		libraries = append(libraries, cases.Library{
			Name: "protoactor", Variant: m.name,
			Mailbox: p.mailbox, Send: p.send, Call: p.call, PingPong: p.pingPong, Spawn: p.spawn,
			Remote: p.remote, Roles: map[string]compare.Role{"protoactor": p.serveRemote},
		})
	}
	cases.Serve(libraries...)
}

// proto is protoactor-go with one of its mailboxes.
type proto struct{ boxes actor.MailboxProducer }

// invoker hands a bare mailbox's messages to a tally.
type invoker struct{ *cases.Tally }

func (i invoker) InvokeSystemMessage(any)         {}
func (i invoker) InvokeUserMessage(m any)         { i.Add(m.(*cases.Message).Value) }
func (i invoker) EscalateFailure(reason, msg any) { panic(fmt.Sprint(reason, msg)) }

func (p proto) mailbox() cases.Mailbox {
	t := cases.NewTally()
	box := p.boxes()
	box.RegisterHandlers(invoker{t}, actor.NewDefaultDispatcher(cases.Budget))
	box.Start()
	return cases.Mailbox{
		Expect: t.Expect,
		Produce: func(messages []*cases.Message, count int) {
			for i := range count {
				box.PostUserMessage(messages[i%cases.Distinct])
			}
		},
		Consume: func(int) int64 { return t.Wait() },
	}
}

// system starts an actor system that logs nothing.
func (p proto) system(b *compare.B) *actor.ActorSystem {
	system := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
		return slog.New(slog.DiscardHandler)
	}))
	b.Cleanup(system.Shutdown)
	return system
}

func (p proto) start(system *actor.ActorSystem, f func(actor.Context)) *actor.PID {
	return system.Root.Spawn(actor.PropsFromFunc(f, actor.WithMailbox(p.boxes)))
}

func (p proto) send(b *compare.B, shape cases.SendShape) func(n int) {
	system := p.system(b)
	tallies := shape.Tallies()
	pids := make([]*actor.PID, shape.Receivers)
	for i, t := range tallies {
		pids[i] = p.start(system, func(c actor.Context) {
			if m, ok := c.Message().(*cases.Ping); ok {
				t.Add(m.Value)
			}
		})
	}
	return cases.Flood(shape, tallies, func(receiver, count int) {
		pid := pids[receiver]
		for v := range int64(count) {
			system.Root.Send(pid, &cases.Ping{Value: v + 1})
		}
	})
}

func (p proto) call(b *compare.B, callers int) func(n int) {
	system := p.system(b)
	pid := p.start(system, func(c actor.Context) {
		if m, ok := c.Message().(*cases.Ask); ok {
			c.Respond(&cases.Answer{Value: m.Value + 1})
		}
	})
	return cases.CallAll(callers, func(value int64) int64 {
		answer, err := system.Root.RequestFuture(pid, &cases.Ask{Value: value}, 5*time.Second).Result()
		compare.Must(err)
		return answer.(*cases.Answer).Value
	})
}

func (p proto) pingPong(b *compare.B) func(n int) {
	system := p.system(b)
	done := make(chan struct{}, 1)
	pong := p.start(system, func(c actor.Context) {
		if m, ok := c.Message().(*cases.Ball); ok {
			c.Send(m.Back.(*actor.PID), m)
		}
	})
	ping := p.start(system, func(c actor.Context) {
		m, ok := c.Message().(*cases.Ball)
		if !ok {
			return
		}
		if m.Left--; m.Left == 0 {
			done <- struct{}{}
			return
		}
		c.Send(pong, m)
	})
	return func(n int) {
		system.Root.Send(pong, &cases.Ball{Left: n, Back: ping})
		<-done
	}
}

func (p proto) spawn(b *compare.B) func(n int) {
	system := p.system(b)
	pids := make([]*actor.PID, b.N)
	var greeted sync.WaitGroup
	return cases.Crowd(b, func(i int) {
		var state int64
		pids[i] = p.start(system, func(c actor.Context) {
			if m, ok := c.Message().(*cases.Ping); ok {
				state += m.Value
				greeted.Done()
			}
		})
	}, func(n int) {
		greeted.Add(n)
		for _, pid := range pids[:n] {
			system.Root.Send(pid, &cases.Ping{Value: 1})
		}
		greeted.Wait()
	})
}
