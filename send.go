// SPDX-License-Identifier: MIT

package troupe

import (
	"context"
	"fmt"
)

// Send sends a one-way message by method name; see Call for the rules and Post
// for what a nil error means.
func (n *Node) Send(ref Ref, method string, args ...any) error {
	return SendFrom(n, ref, method, args...)
}

// Call calls a method by name and stores its result in result, a pointer, or
// Results(pointers...) for several, or nil to discard them. It is for consoles,
// tools and tests; generated references are typed and faster.
//
// Arguments must have the types of the parameters, except that numbers convert
// when their value survives exactly. ErrUnknownKind, ErrUnknownMethod and
// ErrBadArguments say what does not fit; the handler has not run then.
func (n *Node) Call(ctx context.Context, ref Ref, method string, result any, args ...any) error {
	return CallFrom(ctx, n, ref, method, result, args...)
}

// SendFrom is Node.Send from an actor.
func SendFrom(from Caller, ref Ref, method string, args ...any) error {
	h, e, err := prepare(from, ref, method, args)
	if err != nil {
		return &CallError{To: ref, Method: method, Err: err}
	}
	return h.sendSlow(e)
}

// CallFrom is Node.Call from an actor: the call carries who waits for whom.
func CallFrom(ctx context.Context, from Caller, ref Ref, method string, result any, args ...any) error {
	h, e, err := prepare(from, ref, method, args)
	if err == nil {
		err = checkResults(e.m, result)
	}
	if err != nil {
		return &CallError{To: ref, Method: method, Err: err}
	}
	m := e.m
	reply, err := h.call(ctx, e)
	if err != nil {
		return err
	}
	err = m.getReply(reply, result)
	m.putReply(reply)
	if err != nil {
		return &CallError{To: ref, Method: method, Sent: true, Err: err}
	}
	return nil
}

// prepare finds the target's method and packs the arguments.
func prepare(from Caller, ref Ref, method string, args []any) (Handle, envelope, error) {
	if ref.IsZero() {
		return Handle{}, envelope{}, ErrNoActor
	}
	h := HandleOf(from, ref)
	if h.node == nil {
		return h, envelope{}, ErrNoActor
	}
	if h.kind == nil {
		return h, envelope{}, fmt.Errorf("%w: %q", ErrUnknownKind, ref.Kind)
	}
	m, ok := h.kind.byName[method]
	if !ok {
		return h, envelope{}, fmt.Errorf("%w: %s has no handler %q", ErrUnknownMethod, ref.Kind, method)
	}
	e, err := m.setArgs(args)
	return h, e, err
}

// MethodByNumber returns a handler of a kind by its wire number.
func (n *Node) MethodByNumber(kindName string, number int32) (AnyMethod, bool) {
	k := n.kindOf(kindName)
	if k == nil {
		return nil, false
	}
	m, ok := k.byNumber[number]
	return m, ok
}

// CallEncoded calls a method with encoded arguments and returns the encoded
// results: the path of gateways and of other nodes. access is the class of the
// caller; a method of a higher class is refused with ErrAccess.
func (n *Node) CallEncoded(ctx context.Context, ref Ref, number int32, args []byte, access Access) ([]byte, error) {
	h, e, err := n.prepareEncoded(ref, number, args, access)
	if err != nil {
		return nil, &CallError{To: ref, Method: fmt.Sprint(number), Err: err}
	}
	m := e.m
	reply, err := h.call(ctx, e)
	if err != nil {
		return nil, err
	}
	b, err := m.encodeReply(nil, reply)
	m.putReply(reply)
	if err == nil && len(b) > n.cfg.MaxMessageBytes {
		err = fmt.Errorf("%w: results of %d bytes", ErrTooLarge, len(b))
	}
	if err != nil {
		return nil, &CallError{To: ref, Method: m.Info().Name, Sent: true, Err: err}
	}
	return b, nil
}

// SendEncoded is CallEncoded one way.
func (n *Node) SendEncoded(ref Ref, number int32, args []byte, access Access) error {
	h, e, err := n.prepareEncoded(ref, number, args, access)
	if err != nil {
		return &CallError{To: ref, Method: fmt.Sprint(number), Err: err}
	}
	return h.sendSlow(e)
}

func (n *Node) prepareEncoded(ref Ref, number int32, args []byte, access Access) (Handle, envelope, error) {
	h := HandleOf(n, ref)
	if ref.IsZero() {
		return h, envelope{}, ErrNoActor
	}
	if h.kind == nil {
		return h, envelope{}, fmt.Errorf("%w: %q", ErrUnknownKind, ref.Kind)
	}
	m, ok := h.kind.byNumber[number]
	if !ok {
		return h, envelope{}, fmt.Errorf("%w: %s has no handler %d", ErrUnknownMethod, ref.Kind, number)
	}
	info := m.Info()
	if !access.reaches(info.Access) {
		return h, envelope{}, fmt.Errorf("%w: %s.%s is for %v callers", ErrAccess, ref.Kind, info.Name, info.Access)
	}
	limit := n.cfg.MaxMessageBytes
	if info.MaxBytes > 0 {
		limit = info.MaxBytes
	}
	if len(args) > limit {
		return h, envelope{}, fmt.Errorf("%w: arguments of %d bytes, the limit is %d", ErrTooLarge, len(args), limit)
	}
	e, err := m.decodeArgs(args)
	return h, e, err
}

// reaches reports whether a caller of class a may call a method of class m.
func (a Access) reaches(m Access) bool {
	switch a {
	case AccessSystem:
		return true
	case AccessServer:
		return m != AccessSystem
	}
	return m == AccessClient
}

// EncodeError returns the wire form of an error: its code, the user's code if
// it is a Coder, and its text.
func EncodeError(err error) (code Code, userCode int32, text string) { return errorCode(err) }

// DecodeError is the inverse of EncodeError.
func DecodeError(code Code, userCode int32, text string) error {
	return errorFromCode(code, userCode, text)
}
