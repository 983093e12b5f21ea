// SPDX-License-Identifier: MIT

// Package gate carries sessions between game clients and the cluster, over TCP
// and WebSocket with one framing (PROTOCOL.md).
//
// A client may call only methods marked //troupe:client, only of its own
// player's actor or of kinds that a Route opens, and never says who it is: the
// identity comes from a signed token when the session begins.
//
//	cluster, err := gate.Join(node)       // every node that pushes or serves; before node.Start
//	g, err := cluster.NewGate(gate.Config{Keys: keys})
//	err = node.Start(ctx)
//	go g.ServeTCP(tcpListener)
//	go g.ServeWebSocket(wsListener)
//	...
//	g.Drain(ctx) // clients continue at another gate
//	g.Stop(ctx)
//	node.Stop(ctx)
//
// A player's actor keeps a Presence, hears of its client in a Session handler,
// and pushes through it; a zone keeps a Group and reaches all its players with
// one message per gate.
//
// An idle session costs one goroutine and about 7 KiB over TCP, 10 KiB over
// WebSocket; a writer and a worker run while there is something to do.
//
// What a client gets is numbered, kept until it is acknowledged, and sent again
// after a reconnect, also at another gate: exactly once and in order, or the
// client is told to reload. What a client asks is numbered too and runs once.
// See resume.go for the rules R1 to R3.
package gate
