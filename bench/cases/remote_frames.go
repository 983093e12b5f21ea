// SPDX-License-Identifier: MIT

package cases

import (
	"context"
	"encoding/binary"
	"errors"
	"runtime"
	"time"

	"github.com/troupe-go/troupe/bench/cases/trade"
	"github.com/troupe-go/troupe/bench/compare"
	"github.com/troupe-go/troupe/transport"
)

// A hand-written frame on troupe's own transport: what it is, the number of the
// call, and its data.
//
//	op(1) number(8) data...
const (
	frameHead = 1 + 8

	opCall, opSend, opTotal, opAnswer, opOffer, opOfferLater = 1, 2, 3, 4, 5, 6
)

func appendFrame(b []byte, op byte, number uint64) []byte {
	return binary.LittleEndian.AppendUint64(append(b, op), number)
}

// handwritten is what one would write on the transport for exactly this work:
// one actor that answers on the connection's reader, no actors, no directory, no
// leases and no deadlines.
func handwritten() Library {
	return Library{
		Name: "handwritten", Roles: map[string]compare.Role{"handwritten": framesServer},
		Remote: framesClient,
	}
}

// onFrame is a transport.Handler that only takes frames.
type onFrame func(from transport.Link, frame []byte)

func (f onFrame) HandleFrame(from transport.Link, _ transport.Lane, frame []byte) { f(from, frame) }
func (onFrame) HandleBatchEnd(transport.Link, transport.Lane)                     {}
func (onFrame) HandleDrop(_ transport.Link, _ transport.Lane, _ []byte, err error) {
	panic(err)
}
func (onFrame) HandlePeer(transport.PeerEvent) {}

func startEndpoint(name string, h transport.Handler) (*transport.Endpoint, error) {
	e, err := transport.New(transport.Config{
		Self:   transport.Peer{NodeID: name, Incarnation: 1, ClusterID: "bench"},
		Listen: "127.0.0.1:0", Dev: true,
	})
	if err != nil {
		return nil, err
	}
	return e, e.Start(h)
}

// nowOnMessages is how a frame goes whose sender waits for the answer.
var nowOnMessages = transport.Meta{Lane: transport.LaneMessages, Now: true}

// later is an offer that the goroutine with the state is to answer.
type later struct {
	from   transport.Link
	number uint64
	args   *trade.Args
}

func framesServer(ctx context.Context, _ []string, ready func(string)) error {
	var total PayloadSum
	offers := make(chan later, 1024)
	defer close(offers)
	go func() {
		for o := range offers {
			runtime.KeepAlive(o.args)
			_ = o.from.Send(nowOnMessages, appendFrame(nil, opAnswer, o.number))
		}
	}()
	e, err := startEndpoint("far", onFrame(func(from transport.Link, frame []byte) {
		number, data := binary.LittleEndian.Uint64(frame[1:]), frame[frameHead:]
		var space [64]byte
		out := appendFrame(space[:0], opAnswer, number)
		switch frame[0] {
		case opSend:
			total.Add(data)
			return
		case opTotal:
			out = append(out, total.Bytes()...)
		case opOffer:
			runtime.KeepAlive(parseOffer(data))
		case opOfferLater:
			offers <- later{from, number, parseOffer(data)}
			return
		case opCall:
			out = binary.LittleEndian.AppendUint64(out, binary.LittleEndian.Uint64(data)+1)
		}
		_ = from.Send(nowOnMessages, out)
	}))
	if err != nil {
		return err
	}
	ready(e.Self().Addr)
	<-ctx.Done()
	return e.Close()
}

// framesLink starts the other process and returns the way there, and who waits
// for answers.
func framesLink(b *compare.B) (transport.Link, *waiters) {
	calls := new(waiters)
	addr := b.Start("handwritten").Line
	e, err := startEndpoint("near", onFrame(func(_ transport.Link, frame []byte) {
		data := append([]byte(nil), frame[frameHead:]...)
		calls.answer(binary.LittleEndian.Uint64(frame[1:]), data)
	}))
	compare.Must(err)
	b.Cleanup(func() { compare.Must(e.Close()) })
	link, err := e.Connect(transport.Peer{NodeID: "far", ClusterID: "bench", Addr: addr})
	compare.Must(err)
	return link, calls
}

func framesClient(b *compare.B) Remote {
	link, calls := framesLink(b)
	ask := func(op byte, data uint64) []byte {
		number, answer := calls.begin()
		var space [64]byte
		frame := binary.LittleEndian.AppendUint64(appendFrame(space[:0], op, number), data)
		compare.Must(link.Send(nowOnMessages, frame))
		return <-answer
	}
	return Remote{
		Call: func(value int64) int64 { return int64(binary.LittleEndian.Uint64(ask(opCall, uint64(value)))) },
		Send: func(payload []byte) {
			var space [64]byte
			frame := append(appendFrame(space[:0], opSend, 0), payload...)
			for {
				err := link.Send(transport.Meta{Lane: transport.LaneMessages}, frame)
				if !errors.Is(err, transport.ErrBackpressure) {
					compare.Must(err)
					return
				}
				time.Sleep(100 * time.Microsecond)
			}
		},
		Total: func() (sum, count int64) { return ParseTotal(ask(opTotal, 0)) },
	}
}
