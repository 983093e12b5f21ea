// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/remote"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/troupe-go/troupe/bench/cases"
	"github.com/troupe-go/troupe/bench/compare"
)

// farName is the actor in the other process.
const farName = "far"

// serveRemote is the other process of remote/*.
func (p proto) serveRemote(ctx context.Context, _ []string, ready func(string)) error {
	b := &compare.B{Context: ctx}
	system := p.system(b)
	r := remote.NewRemote(system, remote.Configure("127.0.0.1", 0))
	r.Start()
	var total cases.PayloadSum
	_, err := system.Root.SpawnNamed(actor.PropsFromFunc(func(c actor.Context) {
		switch m := c.Message().(type) {
		case *wrapperspb.Int64Value:
			c.Respond(&wrapperspb.Int64Value{Value: m.Value + 1})
		case *wrapperspb.BytesValue:
			total.Add(m.Value)
		case *emptypb.Empty:
			c.Respond(&wrapperspb.BytesValue{Value: total.Bytes()})
		}
	}, actor.WithMailbox(p.boxes)), farName)
	if err != nil {
		return err
	}
	ready(system.Address())
	<-ctx.Done()
	return nil
}

// remote connects to the other process. Messages are protobuf's own wrappers,
// so that nothing but the library is measured.
func (p proto) remote(b *compare.B) cases.Remote {
	system := p.system(b)
	remote.NewRemote(system, remote.Configure("127.0.0.1", 0)).Start()
	pid := actor.NewPID(b.Start("protoactor").Line, farName)
	return cases.Remote{
		Call: func(value int64) int64 {
			answer, err := system.Root.RequestFuture(pid, &wrapperspb.Int64Value{Value: value}, 5*time.Second).Result()
			compare.Must(err)
			return answer.(*wrapperspb.Int64Value).Value
		},
		Send: func(payload []byte) { system.Root.Send(pid, &wrapperspb.BytesValue{Value: payload}) },
		Total: func() (sum, count int64) {
			answer, err := system.Root.RequestFuture(pid, &emptypb.Empty{}, 25*time.Second).Result()
			compare.Must(err)
			return cases.ParseTotal(answer.(*wrapperspb.BytesValue).Value)
		},
	}
}
