// SPDX-License-Identifier: MIT

package troupe

import (
	"context"
	"fmt"
	"hash/fnv"
	"reflect"
	"sync"
	"unsafe"
)

var (
	contextType = reflect.TypeFor[context.Context]()
	errorType   = reflect.TypeFor[error]()
)

// hookNames are the methods of a user type that troupe calls by itself.
var hookNames = map[string]bool{
	"OnActivate": true, "OnDeactivate": true, "OnTerminated": true,
	"TroupeMethods": true, "StateBytes": true,
}

// findMethods returns the handlers of t, a pointer to a struct that embeds
// Actor: from its Dispatcher if it has one, by reflection otherwise.
func findMethods(t reflect.Type) ([]AnyMethod, error) {
	if d, ok := reflect.New(t.Elem()).Interface().(Dispatcher); ok {
		return d.TroupeMethods(), nil
	}
	promoted := reflect.TypeFor[*Actor]()
	var methods []AnyMethod
	for i := range t.NumMethod() {
		rm := t.Method(i)
		if _, ok := promoted.MethodByName(rm.Name); ok || hookNames[rm.Name] {
			continue
		}
		m, err := newReflectMethod(rm)
		if err != nil {
			return nil, fmt.Errorf("%w: %s.%s: %w", ErrBadHandler, t.Elem(), rm.Name, err)
		}
		methods = append(methods, m)
	}
	return methods, nil
}

// methodNumber derives the wire number of a handler without a schema lock.
func methodNumber(name string) int32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	n := int32(h.Sum32() & 0x7fffffff)
	if n < 1<<16 { // small numbers are for generated code
		n += 1 << 16
	}
	return n
}

// reflectMethod is the handler of a type without generated code. Its argument
// and result structs are built by reflection, with the layout that generated
// code declares, so both speak the same bytes.
type reflectMethod struct {
	info   MethodInfo
	fn     reflect.Value // func(self, ctx, args...) (results..., error)
	args   reflect.Type
	reply  reflect.Type
	sizing []sizedField
	codecs codecPair

	argsPool  sync.Pool // of *reflectStruct
	replyPool sync.Pool // of *reflectStruct
	callPool  sync.Pool // of *reflectCall
}

// reflectCall is the reusable argument list of a call. in[1] refers to ctx.
type reflectCall struct {
	ctx context.Context
	in  []reflect.Value
}

// newReflectMethod checks the shape of a handler:
// func(ctx context.Context, args...) (results..., error).
func newReflectMethod(rm reflect.Method) (*reflectMethod, error) {
	ft := rm.Type
	if ft.NumIn() < 2 || ft.In(1) != contextType {
		return nil, fmt.Errorf("the first parameter must be context.Context")
	}
	if ft.IsVariadic() {
		return nil, fmt.Errorf("a handler cannot be variadic")
	}
	if ft.NumOut() == 0 || ft.Out(ft.NumOut()-1) != errorType {
		return nil, fmt.Errorf("the last result must be error")
	}
	var in, out []reflect.StructField
	for i := 2; i < ft.NumIn(); i++ {
		in = append(in, reflect.StructField{Name: fmt.Sprintf("A%d", i-2), Type: ft.In(i)})
	}
	for i := range ft.NumOut() - 1 {
		out = append(out, reflect.StructField{Name: fmt.Sprintf("R%d", i), Type: ft.Out(i)})
	}
	m := &reflectMethod{
		info:  MethodInfo{Name: rm.Name, Number: methodNumber(rm.Name)},
		fn:    rm.Func,
		args:  reflect.StructOf(in),
		reply: reflect.StructOf(out),
	}
	m.sizing = sizedFields(m.args)
	m.codecs.compile(m.args, m.reply)
	return m, nil
}

func (m *reflectMethod) Info() *MethodInfo       { return &m.info }
func (m *reflectMethod) ArgsType() reflect.Type  { return m.args }
func (m *reflectMethod) ReplyType() reflect.Type { return m.reply }
func (m *reflectMethod) prepare() error          { return nil }

// reflectStruct is an argument or result struct. It keeps its reflect.Value,
// because making one from a pointer costs more than the call's bookkeeping.
// Envelopes and replies of a reflectMethod point to it.
type reflectStruct struct {
	v    reflect.Value // addressable
	data unsafe.Pointer
}

func takeStruct(pool *sync.Pool, t reflect.Type) *reflectStruct {
	if s, ok := pool.Get().(*reflectStruct); ok {
		return s
	}
	p := reflect.New(t)
	return &reflectStruct{v: p.Elem(), data: p.UnsafePointer()}
}

func giveStruct(pool *sync.Pool, s *reflectStruct) {
	s.v.SetZero()
	pool.Put(s)
}

func (m *reflectMethod) newArgs() *reflectStruct { return takeStruct(&m.argsPool, m.args) }

func (m *reflectMethod) putReply(p unsafe.Pointer) {
	if p != nil {
		giveStruct(&m.replyPool, (*reflectStruct)(p))
	}
}

func (m *reflectMethod) invoke(ctx context.Context, self any, e *envelope, _ *scratch) (unsafe.Pointer, error) {
	args := (*reflectStruct)(e.ptr)
	call, ok := m.callPool.Get().(*reflectCall)
	if !ok {
		call = &reflectCall{in: make([]reflect.Value, 2+m.args.NumField())}
		call.in[1] = reflect.ValueOf(&call.ctx).Elem()
	}
	call.ctx = ctx
	call.in[0] = reflect.ValueOf(self)
	for i := range len(call.in) - 2 {
		call.in[i+2] = args.v.Field(i)
	}
	out := m.fn.Call(call.in)
	call.ctx = nil
	call.in[0] = reflect.Value{}
	clear(call.in[2:])
	m.callPool.Put(call)
	giveStruct(&m.argsPool, args)
	e.ptr = nil
	reply := takeStruct(&m.replyPool, m.reply)
	last := len(out) - 1
	for i := range last {
		reply.v.Field(i).Set(out[i])
	}
	err, _ := out[last].Interface().(error)
	return unsafe.Pointer(reply), err
}

func (m *reflectMethod) drop(e envelope) {
	if e.ptr != nil {
		giveStruct(&m.argsPool, (*reflectStruct)(e.ptr))
	}
}

func (m *reflectMethod) payloadBytes(args unsafe.Pointer) int64 {
	if args == nil || len(m.sizing) == 0 {
		return 0
	}
	return payloadBytes(m.sizing, (*reflectStruct)(args).data)
}

func (m *reflectMethod) clone(e envelope) envelope {
	s := m.newArgs()
	s.v.Set((*reflectStruct)(e.ptr).v)
	e.ptr = unsafe.Pointer(s)
	return e
}

func (m *reflectMethod) encodeArgs(b []byte, e envelope) ([]byte, error) {
	return m.codecs.args.append(b, (*reflectStruct)(e.ptr).v)
}

func (m *reflectMethod) decodeArgs(b []byte) (envelope, error) {
	s := m.newArgs()
	if err := m.codecs.args.parse(b, s.v); err != nil {
		return envelope{}, fmt.Errorf("%w: %s: %w", ErrBadArguments, m.info.Name, err)
	}
	return envelope{m: m, ptr: unsafe.Pointer(s)}, nil
}

func (m *reflectMethod) encodeReply(b []byte, reply unsafe.Pointer) ([]byte, error) {
	return m.codecs.reply.append(b, (*reflectStruct)(reply).v)
}

func (m *reflectMethod) decodeReply(b []byte) (unsafe.Pointer, error) {
	s := takeStruct(&m.replyPool, m.reply)
	err := m.codecs.reply.parse(b, s.v)
	return unsafe.Pointer(s), err
}

func (m *reflectMethod) setArgs(args []any) (envelope, error) {
	s := m.newArgs()
	if err := assignArgs(m.info.Name, s.v, args); err != nil {
		giveStruct(&m.argsPool, s)
		return envelope{}, err
	}
	return envelope{m: m, ptr: unsafe.Pointer(s)}, nil
}

func (m *reflectMethod) getReply(reply unsafe.Pointer, results any) error {
	return assignResults(m.info.Name, (*reflectStruct)(reply).v, results)
}
