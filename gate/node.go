// SPDX-License-Identifier: MIT

package gate

import (
	"context"
	"errors"
	"sync"

	"github.com/troupe-go/troupe"
)

// SessionMethod is the handler by which a player's type hears of its session:
//
//	func (p *Player) Session(ctx context.Context, e gate.SessionEvent) error {
//		return p.client.Handle(p, e)
//	}
//
// with a Presence named client. It must not be marked //troupe:client. Types
// without it are not told.
const SessionMethod = "Session"

// NewNodeBackend returns the Backend that calls actors through node. Cluster.NewGate
// uses it.
//
// A handler's error reaches the client with its text when it is a
// troupe.Coder with a code other than zero; any other is an internal error to
// the client, and in the gate's log.
func NewNodeBackend(node *troupe.Node) Backend { return &nodeBackend{node: node} }

type nodeBackend struct {
	node  *troupe.Node
	hears sync.Map // kind -> bool: has a SessionMethod
}

// Describe implements Backend.
func (b *nodeBackend) Describe(kind string, method int32) (troupe.MethodInfo, bool) {
	m, ok := b.node.MethodByNumber(kind, method)
	if !ok {
		return troupe.MethodInfo{}, false
	}
	return *m.Info(), true
}

// Call implements Backend.
func (b *nodeBackend) Call(ctx context.Context, target troupe.Ref, method int32, args []byte) ([]byte, error) {
	reply, err := b.node.CallEncoded(ctx, target, method, args, troupe.AccessClient)
	return reply, clientError(err)
}

// Send implements Backend.
func (b *nodeBackend) Send(target troupe.Ref, method int32, args []byte) error {
	return clientError(b.node.SendEncoded(target, method, args, troupe.AccessClient))
}

// SessionChanged implements Backend.
func (b *nodeBackend) SessionChanged(ctx context.Context, e SessionEvent) error {
	player := e.Identity.Player
	if !b.hasSession(player.Kind) {
		return nil
	}
	if e.Change != Opened {
		return b.node.Send(player, SessionMethod, e)
	}
	err := b.node.Call(ctx, player, SessionMethod, nil, e)
	if errors.Is(err, ErrDuplicate) {
		return ErrDuplicate
	}
	return clientError(err)
}

func (b *nodeBackend) hasSession(kind string) bool {
	if known, ok := b.hears.Load(kind); ok {
		return known.(bool)
	}
	has := false
	for _, k := range b.node.Kinds() {
		if k.Name != kind {
			continue
		}
		for _, m := range k.Methods {
			has = has || m.Info().Name == SessionMethod
		}
	}
	b.hears.Store(kind, has)
	return has
}

// clientError turns an error of the node into what a client may know of it.
func clientError(err error) error {
	if err == nil {
		return nil
	}
	var call *troupe.CallError
	cause := err
	if errors.As(err, &call) {
		cause = call.Err
	}
	code, user, text := troupe.EncodeError(cause)
	switch {
	case code == troupe.CodeUser && user != 0:
		return &StatusError{Code: uint32(code), User: user, Text: text}
	case code == troupe.CodeUser:
		return err
	}
	// The sentinel's own text: the error's may name hosts and ids.
	if base := errors.Unwrap(troupe.DecodeError(code, 0, "")); base != nil {
		text = base.Error()
	}
	return &StatusError{Code: uint32(code), Text: text}
}
