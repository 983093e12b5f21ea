// SPDX-License-Identifier: MIT

package memory_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/troupe-go/troupe/transport"
	"github.com/troupe-go/troupe/transport/memory"
	"github.com/troupe-go/troupe/transport/transporttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	transporttest.Run(t, func(t *testing.T) transporttest.Fixture {
		network := memory.New(1)
		hosts := map[string]int{}
		return transporttest.Fixture{
			New: func(t *testing.T, cfg transport.Config) transport.Transport {
				// A second incarnation of a node is on another host.
				name := cfg.Self.NodeID
				hosts[name]++
				for range hosts[name] - 1 {
					name += "'"
				}
				e, err := transport.New(network.Config(name, cfg))
				if err != nil {
					t.Fatalf("New: %v", err)
				}
				return e
			},
			Break: func(a, b transport.Transport) { network.Reset(a.Self().Addr, b.Self().Addr) },
		}
	})
}
