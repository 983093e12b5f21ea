// SPDX-License-Identifier: MIT

// Nats measures request and reply, and publishing, of github.com/nats-io/nats.go
// through an embedded server for the comparison.
package main

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/troupe-go/troupe/bench/cases"
	"github.com/troupe-go/troupe/bench/compare"
)

func main() {
	cases.Serve(cases.Library{Name: "nats", Remote: remote, Roles: map[string]compare.Role{"nats": serve}})
}

// serve is the other process: the server, and the subscriber beside it on a
// connection within the process.
func serve(ctx context.Context, _ []string, ready func(string)) error {
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true, WriteDeadline: 20 * time.Second})
	if err != nil {
		return err
	}
	s.Start()
	defer s.Shutdown()
	if !s.ReadyForConnections(5 * time.Second) {
		return errors.New("the server did not start")
	}
	nc, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		return err
	}
	defer nc.Close()
	if err := subscribe(nc); err != nil {
		return err
	}
	ready(s.ClientURL())
	<-ctx.Done()
	return nil
}

func subscribe(nc *nats.Conn) error {
	_, err := nc.Subscribe("next", func(m *nats.Msg) {
		_ = m.Respond(binary.LittleEndian.AppendUint64(nil, binary.LittleEndian.Uint64(m.Data)+1))
	})
	if err != nil {
		return err
	}
	var total cases.PayloadSum
	adds, err := nc.Subscribe("add", func(m *nats.Msg) {
		if m.Reply != "" {
			_ = m.Respond(total.Bytes())
			return
		}
		total.Add(m.Data)
	})
	if err != nil {
		return err
	}
	return errors.Join(adds.SetPendingLimits(-1, -1), nc.Flush())
}

func remote(b *compare.B) cases.Remote {
	nc, err := nats.Connect(b.Start("nats").Line)
	compare.Must(err)
	b.Cleanup(nc.Close)
	return cases.Remote{
		Call: func(value int64) int64 {
			answer, err := nc.Request("next", binary.LittleEndian.AppendUint64(nil, uint64(value)), 5*time.Second)
			compare.Must(err)
			return int64(binary.LittleEndian.Uint64(answer.Data))
		},
		Send: func(payload []byte) { compare.Must(nc.Publish("add", payload)) },
		Total: func() (sum, count int64) {
			answer, err := nc.Request("add", nil, 25*time.Second)
			compare.Must(err)
			return cases.ParseTotal(answer.Data)
		},
	}
}
