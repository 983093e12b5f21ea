// SPDX-License-Identifier: MIT

package cases

import (
	"context"
	"log/slog"
	"runtime"
	"sync"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/bench/compare"
	"github.com/troupe-go/troupe/internal/mpsc"
)

func troupeLibrary() Library {
	return Library{
		Name: compare.Ours, Mailbox: troupeMailbox, Send: troupeSend,
		Call: troupeCall("member"), PingPong: troupePingPong, Spawn: troupeSpawn,
		Remote: troupeRemote("counter"), Roles: map[string]compare.Role{"troupe": troupeFar, "host": host},
	}
}

// troupeMailbox is the queue inside an actor's mailbox with the scheduling of a
// node: the push that finds the queue idle wakes a parked worker, which takes
// messages until the queue is empty and parks again.
func troupeMailbox() Mailbox {
	q := new(mpsc.Queue[*Message])
	q.Init(mpsc.NewPool[*Message](0), 0)
	wake := make(chan struct{}, 1)
	return Mailbox{
		Produce: func(messages []*Message, count int) {
			for i := range count {
				switch q.Push(&messages[i%Distinct]) {
				case mpsc.PushedFirst:
					wake <- struct{}{}
				case mpsc.PushedAhead:
					runtime.Gosched()
				}
			}
		},
		Consume: func(count int) (sum int64) {
			<-wake
			for {
				m, r := q.Next()
				switch r {
				case mpsc.Popped:
					sum += (*m).Value
					*m = nil
					count--
				case mpsc.Pending:
					runtime.Gosched()
				default:
					if !q.TryIdle() {
						continue
					}
					if count == 0 {
						return sum
					}
					<-wake
				}
			}
		},
	}
}

// member is the actor of the typed cases. Its methods below are what the
// generator writes for it, by hand.
type member struct {
	troupe.Actor
	tally *Tally
	other troupe.Handle
	done  func()
}

// Add is the handler of one-way messages.
func (m *member) Add(_ context.Context, value int64) error {
	m.tally.Add(value)
	return nil
}

// Next is the handler of calls.
func (m *member) Next(_ context.Context, value int64) (int64, error) { return value + 1, nil }

// Return sends the ball back, and Count counts it.
func (m *member) Return(_ context.Context, left int64) error {
	return troupe.Post(m.other, &memberCount, valueArgs{left})
}

// Count is the other half of Return.
func (m *member) Count(_ context.Context, left int64) error {
	if left == 1 {
		m.done()
		return nil
	}
	return troupe.Post(m.other, &memberReturn, valueArgs{left - 1})
}

type (
	valueArgs  struct{ Value int64 }
	valueReply struct{ Value int64 }
	nothing    struct{}
)

func oneWay(name string, number int32, handle func(*member, context.Context, int64) error) troupe.Method[valueArgs, nothing] {
	return troupe.Method[valueArgs, nothing]{
		MethodInfo: troupe.MethodInfo{Name: name, Number: number},
		Invoke: func(ctx context.Context, self any, args *valueArgs, _ *nothing) error {
			return handle(self.(*member), ctx, args.Value)
		},
	}
}

var (
	memberAdd = troupe.Method[valueArgs, nothing]{
		MethodInfo: troupe.MethodInfo{Name: "Add", Number: 1},
		Invoke: func(ctx context.Context, self any, args *valueArgs, _ *nothing) error {
			return self.(*member).Add(ctx, args.Value)
		},
	}
	memberNext = troupe.Method[valueArgs, valueReply]{
		MethodInfo: troupe.MethodInfo{Name: "Next", Number: 2},
		Invoke: func(ctx context.Context, self any, args *valueArgs, reply *valueReply) (err error) {
			reply.Value, err = self.(*member).Next(ctx, args.Value)
			return err
		},
	}
	memberReturn  troupe.Method[valueArgs, nothing] // set below: the handlers and they refer to each other
	memberCount   troupe.Method[valueArgs, nothing]
	memberMethods = []troupe.AnyMethod{&memberAdd, &memberNext, &memberReturn, &memberCount}
)

func init() {
	// A cycle of package variables cannot be written otherwise.
	memberReturn = oneWay("Return", 3, (*member).Return)
	memberCount = oneWay("Count", 4, (*member).Count)
}

// TroupeMethods implements troupe.Dispatcher.
func (*member) TroupeMethods() []troupe.AnyMethod { return memberMethods }

// idler is the actor of the case spawn: a number for state, and whom to tell.
type idler struct {
	troupe.Actor
	state int64
	done  func()
}

// Greet is the one message that it handles.
func (m *idler) Greet(_ context.Context, value int64) error {
	m.state += value
	m.done()
	return nil
}

var (
	idlerGreet = troupe.Method[valueArgs, nothing]{
		MethodInfo: troupe.MethodInfo{Name: "Greet", Number: 1},
		Invoke: func(ctx context.Context, self any, args *valueArgs, _ *nothing) error {
			return self.(*idler).Greet(ctx, args.Value)
		},
	}
	idlerMethods = []troupe.AnyMethod{&idlerGreet}
)

// TroupeMethods implements troupe.Dispatcher.
func (*idler) TroupeMethods() []troupe.AnyMethod { return idlerMethods }

// reflected is member without a dispatcher: its handler is found by reflection.
type reflected struct{ troupe.Actor }

// Next is the handler of calls by name.
func (*reflected) Next(_ context.Context, value int64) (int64, error) { return value + 1, nil }

// startNode starts a node with all kinds of the benchmarks.
func startNode(b *compare.B) *troupe.Node {
	node, err := troupe.New(troupe.Config{Logger: slog.New(slog.DiscardHandler)})
	compare.Must(err)
	compare.Must(node.Register(
		troupe.Local[member]("member", troupe.OnFull(troupe.Wait)),
		troupe.Local[member]("inline", troupe.Inline()),
		troupe.Local[idler]("idler"),
		troupe.Local[reflected]("reflected"),
		troupe.Virtual[member]("virtual"),
		troupe.Local[ticker]("ticker"),
	))
	compare.Must(node.Start(context.Background()))
	b.Cleanup(func() { compare.Must(node.Stop(context.Background())) })
	return node
}

func spawnMember(node *troupe.Node, kind string, init func(*member)) troupe.Handle {
	ref, err := troupe.Spawn(node, kind, init)
	compare.Must(err)
	return troupe.HandleOf(node, ref)
}

func troupeSend(b *compare.B, shape SendShape) func(n int) {
	node := startNode(b)
	tallies := shape.Tallies()
	handles := make([]troupe.Handle, shape.Receivers)
	for i, t := range tallies {
		handles[i] = spawnMember(node, "member", func(m *member) { m.tally = t })
	}
	return Flood(shape, tallies, func(receiver, count int) {
		h := handles[receiver]
		for v := range int64(count) {
			compare.Must(troupe.Post(h, &memberAdd, valueArgs{v + 1}))
		}
	})
}

// troupeCall returns the work of call/* for a kind of spawned actors.
func troupeCall(kind string) func(b *compare.B, callers int) func(n int) {
	return func(b *compare.B, callers int) func(n int) {
		return CallAll(callers, caller(spawnMember(startNode(b), kind, nil)))
	}
}

// caller returns a function that makes one typed call.
func caller(h troupe.Handle) func(value int64) int64 {
	ctx := context.Background()
	return func(value int64) int64 {
		reply, err := troupe.Invoke(ctx, h, &memberNext, valueArgs{value})
		compare.Must(err)
		return reply.Value
	}
}

// troupeVirtual calls an actor that exists by its key alone, and is active.
func troupeVirtual(b *compare.B) func(n int) {
	node := startNode(b)
	return CallAll(1, caller(troupe.HandleOf(node, troupe.ID("virtual", 42))))
}

// troupeByName calls through the name of the method.
func troupeByName(b *compare.B) func(n int) {
	node := startNode(b)
	ref, err := troupe.Spawn[reflected](node, "reflected", nil)
	compare.Must(err)
	ctx := context.Background()
	return CallAll(1, func(value int64) (next int64) {
		compare.Must(node.Call(ctx, ref, "Next", &next, value))
		return next
	})
}

func troupePingPong(b *compare.B) func(n int) {
	node := startNode(b)
	done := make(chan struct{}, 1)
	var pong *member
	there := spawnMember(node, "member", func(m *member) { pong = m })
	back := spawnMember(node, "member", func(m *member) {
		m.done = func() { done <- struct{}{} }
		m.other = troupe.HandleOf(m, there.Ref())
	})
	compare.Must(pong.Do(func(context.Context) { pong.other = troupe.HandleOf(pong, back.Ref()) }))
	return func(n int) {
		compare.Must(troupe.Post(there, &memberReturn, valueArgs{int64(n)}))
		<-done
	}
}

func troupeSpawn(b *compare.B) func(n int) {
	node := startNode(b)
	refs := make([]troupe.Ref, b.N)
	var greeted sync.WaitGroup
	done := greeted.Done
	setUp := func(m *idler) { m.done = done }
	return Crowd(b, func(i int) {
		ref, err := troupe.Spawn(node, "idler", setUp)
		compare.Must(err)
		refs[i] = ref
	}, func(n int) {
		greeted.Add(n)
		for _, ref := range refs[:n] {
			compare.Must(troupe.Post(troupe.HandleOf(node, ref), &idlerGreet, valueArgs{1}))
		}
		greeted.Wait()
	})
}
