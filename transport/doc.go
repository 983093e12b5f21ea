// SPDX-License-Identifier: MIT

// Package transport carries frames and byte streams between the nodes of one
// cluster.
//
// A node has one Endpoint. Links to other nodes have three lanes, each one
// connection used in both directions, made when something is sent. Send puts
// a frame into the lane's bounded queue and never blocks. Frames that queue up
// while a write is under way leave together in the next one; a frame that is
// sent with Meta.Now on an idle connection is written at once by its sender.
// The receiver handles many frames per read, and what it answers meanwhile
// leaves in one write.
//
// A connection costs two goroutines and about 70 KiB. An idle endpoint has two
// goroutines more.
//
// # Order
//
// Frames of one link, lane and key arrive in the order they were accepted, or
// not at all. A frame above 32 KiB is cut into chunks that take turns with
// other frames; only frames of its own key wait for it. So a large message
// holds up nobody but its own pair of actors.
//
// # Loss
//
// A frame that Send refused was not sent. A frame that HandleDrop gets was not
// delivered. Any other frame was written to a connection, and was delivered
// unless that connection went down: then nobody knows, and PeerEvent says when
// to ask.
//
// # Who may connect
//
// Connections are TLS 1.3 with certificates of the cluster's own authority,
// which name the cluster, the node and its roles; see IdentityURI and package
// certs. Roles are checked per service on both ends: Config.Services. Plaintext
// needs Config.Dev and a loopback address. Until a peer is accepted it can make
// us read at most 4 KiB beyond TLS, within Config.HandshakeTimeout.
package transport
