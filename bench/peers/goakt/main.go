// SPDX-License-Identifier: MIT

// Goakt measures github.com/tochemey/goakt for the comparison.
package main

import (
	"context"
	"strconv"
	"sync"
	"time"
	"unsafe"

	goakt "github.com/tochemey/goakt/v3/actor"
	"github.com/tochemey/goakt/v3/log"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/troupe-go/troupe/bench/cases"
	"github.com/troupe-go/troupe/bench/compare"
)

func main() {
	cases.Serve(cases.Library{
		Name: "goakt", Mailbox: mailbox, Send: send, Call: call, PingPong: pingPong, Spawn: spawn,
	})
}

// boxed puts a value behind the only type that goakt's mailbox carries.
type boxed struct {
	context goakt.ReceiveContext // first: a pointer to it is one to the whole
	value   int64
}

func mailbox() cases.Mailbox {
	t := cases.NewTally()
	q := goakt.NewUnboundedMailbox()
	o := &cases.OnDemand{
		Pop: func() bool {
			m := q.Dequeue()
			if m != nil {
				t.Add((*boxed)(unsafe.Pointer(m)).value)
			}
			return m != nil
		},
		Empty: q.IsEmpty,
	}
	return cases.Mailbox{
		Expect: t.Expect,
		Produce: func(messages []*cases.Message, count int) {
			own := make([]boxed, cases.Distinct)
			for i, m := range messages {
				own[i].value = m.Value
			}
			for i := range count {
				compare.Must(q.Enqueue(&own[i%cases.Distinct].context))
				o.Schedule()
			}
		},
		Consume: func(int) int64 { return t.Wait() },
	}
}

// member is an actor made of a function. Its messages must be protobuf
// messages; a wrapped integer is the smallest.
type member func(c *goakt.ReceiveContext, value int64)

func (member) PreStart(context.Context) error { return nil }
func (member) PostStop(context.Context) error { return nil }
func (m member) Receive(c *goakt.ReceiveContext) {
	if v, ok := c.Message().(*wrapperspb.Int64Value); ok {
		m(c, v.Value)
	}
}

// system is an actor system that logs nothing and keeps idle actors.
type system struct {
	goakt.ActorSystem
	ctx  context.Context
	next int
}

func start(b *compare.B) *system {
	s, err := goakt.NewActorSystem("bench", goakt.WithLogger(log.DiscardLogger), goakt.WithPassivationDisabled())
	compare.Must(err)
	ctx := context.Background()
	compare.Must(s.Start(ctx))
	b.Cleanup(func() { _ = s.Stop(ctx) })
	return &system{ActorSystem: s, ctx: ctx}
}

func (s *system) add(m member) *goakt.PID {
	s.next++
	pid, err := s.Spawn(s.ctx, "member"+strconv.Itoa(s.next), m)
	compare.Must(err)
	return pid
}

func (s *system) tell(pid *goakt.PID, value int64) {
	compare.Must(goakt.Tell(s.ctx, pid, wrapperspb.Int64(value)))
}

func send(b *compare.B, shape cases.SendShape) func(n int) {
	s := start(b)
	tallies := shape.Tallies()
	pids := make([]*goakt.PID, shape.Receivers)
	for i, t := range tallies {
		pids[i] = s.add(func(_ *goakt.ReceiveContext, value int64) { t.Add(value) })
	}
	return cases.Flood(shape, tallies, func(receiver, count int) {
		for v := range int64(count) {
			s.tell(pids[receiver], v+1)
		}
	})
}

func call(b *compare.B, callers int) func(n int) {
	s := start(b)
	pid := s.add(func(c *goakt.ReceiveContext, value int64) { c.Response(wrapperspb.Int64(value + 1)) })
	return cases.CallAll(callers, func(value int64) int64 {
		answer, err := goakt.Ask(s.ctx, pid, wrapperspb.Int64(value), 5*time.Second)
		compare.Must(err)
		return answer.(*wrapperspb.Int64Value).Value
	})
}

func pingPong(b *compare.B) func(n int) {
	s := start(b)
	done := make(chan struct{}, 1)
	var ping, pong *goakt.PID
	pong = s.add(func(c *goakt.ReceiveContext, _ int64) { c.Tell(ping, c.Message()) })
	ping = s.add(func(c *goakt.ReceiveContext, _ int64) {
		ball := c.Message().(*wrapperspb.Int64Value)
		if ball.Value--; ball.Value == 0 {
			done <- struct{}{}
			return
		}
		c.Tell(pong, ball)
	})
	return func(n int) {
		s.tell(pong, int64(n))
		<-done
	}
}

func spawn(b *compare.B) func(n int) {
	s := start(b)
	pids := make([]*goakt.PID, b.N)
	var greeted sync.WaitGroup
	return cases.Crowd(b, func(i int) {
		var state int64
		pids[i] = s.add(func(_ *goakt.ReceiveContext, value int64) {
			state += value
			greeted.Done()
		})
	}, func(n int) {
		greeted.Add(n)
		for _, pid := range pids[:n] {
			s.tell(pid, 1)
		}
		greeted.Wait()
	})
}
