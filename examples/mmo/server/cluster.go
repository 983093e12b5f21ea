// SPDX-License-Identifier: MIT

package server

import (
	"fmt"
	"net"
	"path/filepath"

	"github.com/troupe-go/troupe"
	"github.com/troupe-go/troupe/transport"
)

// clusterName keeps clusters of different games apart.
const clusterName = "mmo"

// maxVoters is how many nodes keep the cluster's log.
const maxVoters = 3

// chooseAddresses gives each node of this process an address for the others.
// The ports stay free for the moment until the nodes listen on them.
func (s *Server) chooseAddresses() error {
	if s.cfg.Nodes < 2 && s.cfg.Node == 0 {
		return nil
	}
	if s.cfg.Node > 0 {
		s.addresses = []string{s.cfg.Listen}
		return nil
	}
	for range s.cfg.Nodes {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return fmt.Errorf("cluster: %w", err)
		}
		defer l.Close()
		s.addresses = append(s.addresses, l.Addr().String())
	}
	return nil
}

// NodeName returns the name of node number, counted from 1.
func NodeName(number int) string { return fmt.Sprintf("node-%d", number) }

// clusterConfig returns how a node joins the others, nil for a node by itself.
func (s *Server) clusterConfig(index int, p *plug) *troupe.ClusterConfig {
	if len(s.addresses) == 0 {
		return nil
	}
	c := &troupe.ClusterConfig{
		Name: clusterName, Listen: s.addresses[index], Dev: true, TTL: s.cfg.TTL,
		DataDir: filepath.Join(s.dataDir, s.name(index)),
		Transport: func(tc transport.Config) transport.Config {
			tc.Network = p
			return tc
		},
	}
	if s.cfg.Node > 0 {
		c.Voter = s.cfg.Node <= maxVoters
		c.Join = s.cfg.Join
		if c.Voter {
			c.Bootstrap = s.cfg.Bootstrap
		}
		return c
	}
	c.Voter = index < maxVoters
	for i, addr := range s.addresses {
		if i < maxVoters && c.Voter {
			c.Bootstrap = append(c.Bootstrap, troupe.Server{Name: s.name(i), Addr: addr})
		}
		if i != index {
			c.Join = append(c.Join, addr)
		}
	}
	return c
}

// name returns the name of the node with that index in this process.
func (s *Server) name(index int) string {
	if s.cfg.Node > 0 {
		return NodeName(s.cfg.Node)
	}
	return NodeName(index + 1)
}
