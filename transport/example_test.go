// SPDX-License-Identifier: MIT

package transport_test

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/troupe-go/troupe/transport"
	"github.com/troupe-go/troupe/transport/memory"
)

// greeter answers every frame; done receives the answers.
type greeter struct{ done chan string }

func (g *greeter) HandleFrame(from transport.Link, lane transport.Lane, frame []byte) {
	if g.done != nil {
		g.done <- string(frame)
		return
	}
	_ = from.Send(transport.Meta{Lane: lane}, fmt.Appendf(nil, "hello %s", frame))
}
func (*greeter) HandleBatchEnd(transport.Link, transport.Lane)            {}
func (*greeter) HandleDrop(transport.Link, transport.Lane, []byte, error) {}
func (*greeter) HandlePeer(transport.PeerEvent)                           {}

func node(n *memory.Network, name string, h transport.Handler) *transport.Endpoint {
	e, err := transport.New(n.Config(name, transport.Config{
		Self: transport.Peer{NodeID: name, ClusterID: "example", Incarnation: 1, Roles: []string{"voter"}},
	}))
	if err != nil {
		panic(err)
	}
	if err := e.Start(h); err != nil {
		panic(err)
	}
	return e
}

func Example() {
	network := memory.New(1)
	server := node(network, "server", &greeter{})
	defer server.Close()
	answers := make(chan string, 1)
	client := node(network, "client", &greeter{done: answers})
	defer client.Close()

	link, err := client.Connect(server.Self())
	if err != nil {
		fmt.Println(err)
		return
	}
	// Now: this goroutine is about to wait for the answer anyway.
	if err := link.Send(transport.Meta{Lane: transport.LaneMessages, Now: true}, []byte("world")); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(<-answers)
	// Output: hello world
}

// streamLayer has the methods of hashicorp/raft's StreamLayer, except for the
// named type of the address.
type streamLayer struct {
	net.Listener
	dial transport.DialFunc
}

func (s streamLayer) Dial(address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return s.dial(ctx, address)
}

func ExampleEndpoint_Stream() {
	network := memory.New(1)
	a, b := node(network, "a", &greeter{}), node(network, "b", &greeter{})
	defer a.Close()
	defer b.Close()
	open := func(e *transport.Endpoint) streamLayer {
		ln, dial, err := e.Stream("raft")
		if err != nil {
			panic(err)
		}
		return streamLayer{ln, dial}
	}
	from, to := open(a), open(b)
	out, err := from.Dial("b", time.Second)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer out.Close()
	in, err := to.Accept()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer in.Close()
	peer, _ := transport.PeerOf(in)
	fmt.Println(peer.NodeID, to.Addr())
	// Output: a b
}
