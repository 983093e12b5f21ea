// SPDX-License-Identifier: MIT

// Ergo measures ergo.services/ergo for the comparison.
package main

import (
	"sync"

	"ergo.services/ergo"
	"ergo.services/ergo/act"
	"ergo.services/ergo/gen"
	"ergo.services/ergo/lib"

	"github.com/troupe-go/troupe/bench/cases"
	"github.com/troupe-go/troupe/bench/compare"
)

func main() {
	cases.Serve(cases.Library{
		Name: "ergo", Mailbox: mailbox, Send: send, Call: call, PingPong: pingPong, Spawn: spawn,
	})
}

func mailbox() cases.Mailbox {
	t := cases.NewTally()
	q := lib.NewQueueMPSC()
	o := &cases.OnDemand{
		Pop: func() bool {
			m, ok := q.Pop()
			if ok {
				t.Add(m.(*cases.Message).Value)
			}
			return ok
		},
		Empty: func() bool { return q.Item() == nil },
	}
	return cases.Mailbox{
		Expect: t.Expect,
		Produce: func(messages []*cases.Message, count int) {
			for i := range count {
				q.Push(messages[i%cases.Distinct])
				o.Schedule()
			}
		},
		Consume: func(int) int64 { return t.Wait() },
	}
}

// member is an actor made of functions.
type member struct {
	act.Actor
	message func(m *member, message any)
	call    func(request any) any
}

// HandleMessage implements act.ActorBehavior.
func (m *member) HandleMessage(_ gen.PID, message any) error {
	m.message(m, message)
	return nil
}

// HandleCall implements act.ActorBehavior.
func (m *member) HandleCall(_ gen.PID, _ gen.Ref, request any) (any, error) {
	return m.call(request), nil
}

// node is a node without network and log.
type node struct{ gen.Node }

func start(b *compare.B) node {
	options := gen.NodeOptions{}
	options.Network.Mode = gen.NetworkModeDisabled
	options.Log.DefaultLogger.Disable = true
	n, err := ergo.StartNode("bench@localhost", options)
	compare.Must(err)
	b.Cleanup(n.StopForce)
	return node{n}
}

func (n node) add(m *member) gen.PID {
	pid, err := n.Spawn(func() gen.ProcessBehavior { return m }, gen.ProcessOptions{})
	compare.Must(err)
	return pid
}

func send(b *compare.B, shape cases.SendShape) func(n int) {
	n := start(b)
	tallies := shape.Tallies()
	pids := make([]gen.PID, shape.Receivers)
	for i, t := range tallies {
		pids[i] = n.add(&member{message: func(_ *member, message any) { t.Add(message.(*cases.Ping).Value) }})
	}
	return cases.Flood(shape, tallies, func(receiver, count int) {
		pid := pids[receiver]
		for v := range int64(count) {
			compare.Must(n.Send(pid, &cases.Ping{Value: v + 1}))
		}
	})
}

// turn tells an actor that calls to make count calls.
type turn struct {
	count int64
	done  *sync.WaitGroup
}

// call lets actors call: a node of this library has no call of its own.
func call(b *compare.B, callers int) func(n int) {
	n := start(b)
	target := n.add(&member{call: func(request any) any {
		return &cases.Answer{Value: request.(*cases.Ask).Value + 1}
	}})
	pids := make([]gen.PID, callers)
	for i := range pids {
		pids[i] = n.add(&member{message: func(m *member, message any) {
			t := message.(turn)
			defer t.done.Done()
			for v := range t.count {
				answer, err := m.Call(target, &cases.Ask{Value: v})
				compare.Must(err)
				compare.Check("answer", answer.(*cases.Answer).Value, v+1)
			}
		}})
	}
	return func(count int) {
		var done sync.WaitGroup
		done.Add(callers)
		for i, pid := range pids {
			compare.Must(n.Send(pid, turn{int64(cases.Share(count, callers, i)), &done}))
		}
		done.Wait()
	}
}

func pingPong(b *compare.B) func(n int) {
	n := start(b)
	done := make(chan struct{}, 1)
	pong := n.add(&member{message: func(m *member, message any) {
		compare.Must(m.Send(message.(*cases.Ball).Back, message))
	}})
	ping := n.add(&member{message: func(m *member, message any) {
		ball := message.(*cases.Ball)
		if ball.Left--; ball.Left == 0 {
			done <- struct{}{}
			return
		}
		compare.Must(m.Send(pong, ball))
	}})
	return func(count int) {
		compare.Must(n.Send(pong, &cases.Ball{Left: count, Back: ping}))
		<-done
	}
}

func spawn(b *compare.B) func(n int) {
	n := start(b)
	pids := make([]gen.PID, b.N)
	var greeted sync.WaitGroup
	return cases.Crowd(b, func(i int) {
		var state int64
		pids[i] = n.add(&member{message: func(_ *member, message any) {
			state += message.(*cases.Ping).Value
			greeted.Done()
		}})
	}, func(count int) {
		greeted.Add(count)
		for _, pid := range pids[:count] {
			compare.Must(n.Send(pid, &cases.Ping{Value: 1}))
		}
		greeted.Wait()
	})
}
