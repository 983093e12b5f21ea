// SPDX-License-Identifier: MIT

package troupe

import (
	"context"
	"reflect"
	"sync"
	"unsafe"
)

// Access says who may call a method.
type Access uint8

const (
	// AccessServer methods may be called by any actor or node of the cluster,
	// never by clients. It is the default.
	AccessServer Access = iota
	// AccessClient methods may also be called by clients through the gate.
	AccessClient
	// AccessSystem methods may be called by nodes with the "gm" or "system"
	// role and by the local node only.
	AccessSystem
)

// String returns "server", "client" or "system".
func (a Access) String() string {
	switch a {
	case AccessClient:
		return "client"
	case AccessSystem:
		return "system"
	}
	return "server"
}

// MethodInfo is what is known of a handler without its types.
type MethodInfo struct {
	// Name is the Go method's name.
	Name string
	// Number is the method's number on the wire: from the schema lock for
	// generated code, a stable hash of the name otherwise. Unique per kind.
	Number int32
	// Access is the caller class. Defaults to AccessServer.
	Access Access
	// MaxBytes caps the encoded arguments. Zero: the node's MaxMessageBytes.
	MaxBytes int
	// ArgNames are the parameter names, for listings. May be nil.
	ArgNames []string
}

// Method describes one handler with its types: A is a struct with one field
// per argument, R a struct with one field per result (without the error).
//
// Generated code declares one Method variable per handler and returns them
// from TroupeMethods; hand-written code may do the same. A Method must not be
// copied after first use, and its fields must not change.
type Method[A, R any] struct {
	MethodInfo
	// Invoke calls the handler. self is the pointer to the actor's struct.
	// args may be modified; it is not used afterwards.
	Invoke func(ctx context.Context, self any, args *A, reply *R) error
	// The codecs append to, or read, the protobuf encoding of internal/wire.
	// Nil codecs fall back to reflection.
	AppendArgs  func(b []byte, args *A) []byte
	ParseArgs   func(b []byte, args *A) error
	AppendReply func(b []byte, reply *R) []byte
	ParseReply  func(b []byte, reply *R) error

	once   sync.Once
	small  bool // R fits into a scratch and holds no pointers
	inline bool // A fits into envelope.words and holds no pointers
	sizing []sizedField
	codecs codecPair
	args   sync.Pool
	reply  sync.Pool
}

// scratch is room for pointer-free results.
type scratch [8]uint64

// Dispatcher is implemented (by generated code) by actor types whose handlers
// need no reflection. TroupeMethods returns the same slice at each call. The
// methods it lists are all the handlers of the type.
type Dispatcher interface {
	TroupeMethods() []AnyMethod
}

// AnyMethod is a *Method[A, R] with its types erased. It cannot be implemented
// outside this package.
type AnyMethod interface {
	// Info returns the method's description. The result is read-only.
	Info() *MethodInfo
	// ArgsType and ReplyType return A and R.
	ArgsType() reflect.Type
	ReplyType() reflect.Type

	// prepare fills what is derived from the types. It is idempotent.
	prepare() error
	// invoke runs the handler with e's arguments and releases them. The
	// reply is a *R, to be given to the caller or to putReply. With a scratch
	// nobody wants it: it is nil then if the results fit into the scratch.
	invoke(ctx context.Context, self any, e *envelope, s *scratch) (reply unsafe.Pointer, err error)
	// drop releases the arguments of an envelope that will not be invoked.
	drop(e envelope)
	putReply(reply unsafe.Pointer)
	// payloadBytes is the size of the strings and slices directly in the
	// arguments, which a mailbox bounded by bytes charges.
	payloadBytes(args unsafe.Pointer) int64

	encodeArgs(b []byte, e envelope) ([]byte, error)
	decodeArgs(b []byte) (envelope, error)
	encodeReply(b []byte, reply unsafe.Pointer) ([]byte, error)
	decodeReply(b []byte) (unsafe.Pointer, error)

	// setArgs builds an envelope from by-name arguments; getReply copies the
	// results out to pointers.
	setArgs(args []any) (envelope, error)
	getReply(reply unsafe.Pointer, results any) error
	// clone copies the arguments for a second delivery of the message.
	clone(e envelope) envelope
}
