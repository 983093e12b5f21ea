// SPDX-License-Identifier: MIT

package troupe

import (
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/troupe-go/troupe/internal/mpsc"
)

// initFunc is a func(*T), the kind's actor type being T. It is a word, where a
// function that converts its argument would be an allocation for each actor.
type initFunc unsafe.Pointer

// ActorPtr is the constraint of the kind constructors: a pointer to a struct
// that embeds Actor.
type ActorPtr[T any] interface {
	*T
	actorBase() *Actor
}

// Kind describes a type of actor to Register. It is made by Virtual, Local,
// Stub, Singleton and Pool.
type Kind struct {
	name   string
	class  kindClass
	typ    reflect.Type // *T
	create func() ActorHolder
	// setUp calls Spawn's init, whose type is erased, for a new instance.
	setUp   func(actor ActorHolder, init initFunc)
	options []Option
	single  bool // a Singleton
}

type kindClass uint8

const (
	classVirtual kindClass = iota
	classLocal
	classStub
	classPool
)

var classNames = [...]string{"virtual", "local", "stub", "pool"}

// Name returns the kind's name.
func (k Kind) Name() string { return k.name }

func newKind[T any, P ActorPtr[T]](name string, class kindClass, options []Option) Kind {
	return Kind{
		name: name, class: class, typ: reflect.TypeFor[P](), options: options,
		create: func() ActorHolder { return P(new(T)) },
		setUp: func(actor ActorHolder, init initFunc) {
			f := *(*func(P))(unsafe.Pointer(&init))
			f(actor.(P))
		},
	}
}

// Virtual declares a virtual actor: it exists for every key, comes to life on
// the first message and is passivated when idle (see IdleAfter). At most one
// activation of a key speaks at any time in the whole cluster. The idea is
// known as grain in Orleans.
func Virtual[T any, P ActorPtr[T]](name string, options ...Option) Kind {
	return newKind[T, P](name, classVirtual, options)
}

// Local declares actors that are made by Spawn and live on the node that made
// them until they stop.
func Local[T any, P ActorPtr[T]](name string, options ...Option) Kind {
	return newKind[T, P](name, classLocal, options)
}

// Stub declares a service in N shards (see Shards), each of which is one actor
// on one of the nodes that host the kind (see Role, Disabled). A key belongs to the
// shard that ShardOf names. Shards are activated when the node starts.
func Stub[T any, P ActorPtr[T]](name string, options ...Option) Kind {
	return newKind[T, P](name, classStub, options)
}

// Singleton declares a Stub with one shard: one actor in the whole cluster.
func Singleton[T any, P ActorPtr[T]](name string, options ...Option) Kind {
	k := newKind[T, P](name, classStub, options)
	k.single = true
	return k
}

// Pool declares a fixed number (see Size) of interchangeable actors on each
// node. A message to Pick goes to one in turn, one with a key always to the
// same.
func Pool[T any, P ActorPtr[T]](name string, options ...Option) Kind {
	return newKind[T, P](name, classPool, options)
}

// Overflow says what happens to a message that a full mailbox has no room for.
type Overflow uint8

const (
	// Refuse returns ErrMailboxFull to the sender. It is the default.
	Refuse Overflow = iota
	// DropOldest makes room by dead-lettering the oldest message: for state
	// updates, of which only the newest matter.
	DropOldest
	// Wait blocks the sender until there is room or its context ends. Two
	// actors that wait for room in each other's mailbox wait until then.
	Wait
)

// Option configures a Kind.
type Option struct {
	name  string
	apply func(*kindConfig) error
}

// kindConfig is what the options of a kind add up to.
type kindConfig struct {
	limit       int
	limitBytes  int64
	overflow    Overflow
	idleAfter   time.Duration
	maxActive   int
	maxBytes    int64
	inline      bool
	reentrant   bool
	budget      int
	shards      int
	size        int
	roles       []string
	disabled    bool
	supervision Supervision
	retries     int
	placement   Placement
}

func option(name string, apply func(*kindConfig) error) Option { return Option{name, apply} }

func atLeast(n, least int) error {
	if n < least {
		return fmt.Errorf("%d is less than %d", n, least)
	}
	return nil
}

// MailboxLimit bounds the number of messages that wait for an actor. Defaults
// to DefaultMailboxLimit, 65,536; -1 means no bound.
func MailboxLimit(messages int) Option {
	return option("MailboxLimit", func(c *kindConfig) error { c.limit = messages; return atLeast(messages, -1) })
}

// MailboxBytes bounds the bytes of the messages that wait for an actor: the
// envelope and the strings and slices directly among the arguments. Defaults
// to DefaultMailboxBytes, 64 MiB; -1 means no bound.
func MailboxBytes(bytes int64) Option {
	return option("MailboxBytes", func(c *kindConfig) error { c.limitBytes = bytes; return atLeast(int(min(bytes, 1)), -1) })
}

// OnFull chooses what a full mailbox does. Defaults to Refuse.
func OnFull(o Overflow) Option {
	return option("OnFull", func(c *kindConfig) error {
		c.overflow = o
		if o > Wait {
			return fmt.Errorf("unknown overflow policy %d", o)
		}
		return nil
	})
}

// IdleAfter passivates a virtual actor that got no message for d; a firing
// timer counts as a message. It happens up to a quarter of d late. Defaults to
// 10 minutes; -1 means never.
func IdleAfter(d time.Duration) Option {
	return option("IdleAfter", func(c *kindConfig) error {
		c.idleAfter = d
		if d < time.Millisecond && d != -1 {
			return fmt.Errorf("%v is less than 1ms", d)
		}
		return nil
	})
}

// MaxActive bounds the active virtual actors of the kind on a node: one more
// passivates the least recently used. Those that are busy are passed over, so
// the bound may be exceeded for a while. Defaults to no bound.
func MaxActive(n int) Option {
	return option("MaxActive", func(c *kindConfig) error { c.maxActive = n; return atLeast(n, 1) })
}

// MaxActiveBytes is MaxActive by the sum of StateBytes, a method
// func() int64 that the actor type must have. It is asked after each run.
func MaxActiveBytes(n int64) Option {
	return option("MaxActiveBytes", func(c *kindConfig) error { c.maxBytes = n; return atLeast(int(min(n, 1)), 1) })
}

// Inline lets a Call run the turn of an idle target on the caller's goroutine,
// which saves two goroutine switches. For kinds whose handlers never block: a
// blocked handler would hold its caller past the deadline.
func Inline() Option {
	return option("Inline", func(c *kindConfig) error { c.inline = true; return nil })
}

// Reentrant lets an actor that waits for a call be called back by the actors
// it waits for, which fails with ErrCallCycle otherwise. The handlers then see
// the state that the waiting handler left; it must be consistent at each call.
func Reentrant() Option {
	return option("Reentrant", func(c *kindConfig) error { c.reentrant = true; return nil })
}

// Budget is how many messages an actor handles before other goroutines get a
// chance to run. Defaults to 256.
func Budget(turns int) Option {
	return option("Budget", func(c *kindConfig) error { c.budget = turns; return atLeast(turns, 1) })
}

// Shards sets the number of shards of a stub. It is part of where a key lives:
// all nodes must agree, and changing it needs a restart of the cluster.
// Defaults to 64.
func Shards(n int) Option {
	return option("Shards", func(c *kindConfig) error { c.shards = n; return atLeast(n, 1) })
}

// Size sets the number of actors in a pool. Defaults to GOMAXPROCS.
func Size(n int) Option {
	return option("Size", func(c *kindConfig) error { c.size = n; return atLeast(n, 1) })
}

// Role restricts a kind to nodes with one of the roles. Defaults to all nodes.
func Role(names ...string) Option {
	return option("Role", func(c *kindConfig) error { c.roles = append(c.roles, names...); return nil })
}

// Disabled keeps the shards of a stub away from this node until Enable. All
// nodes register the kind, so that all can send to it; each decides by itself
// whether it starts disabled. It means nothing on a node without a cluster.
func Disabled() Option {
	return option("Disabled", func(c *kindConfig) error { c.disabled = true; return nil })
}

// Retries delivers a message again, up to n times, after a panic and the
// restart that follows; then it is dead-lettered with ErrPoison. Handlers must
// be idempotent. Defaults to 0: a panic costs the message.
func Retries(n int) Option {
	return option("Retries", func(c *kindConfig) error { c.retries = n; return atLeast(n, 0) })
}

// Supervise sets what happens after a panic. Defaults to Restart with backoff.
func Supervise(s Supervision) Option {
	return option("Supervise", func(c *kindConfig) error {
		var err error
		c.supervision, err = s.withDefaults()
		return err
	})
}

// PlaceBy chooses the node for new activations of a virtual kind. Defaults to
// PlaceHash.
func PlaceBy(p Placement) Option {
	return option("PlaceBy", func(c *kindConfig) error { c.placement = p; return nil })
}

// kind is a registered Kind: the actors of one type on one node.
type kind struct {
	Kind
	kindConfig
	node     *Node
	methods  []AnyMethod
	byName   map[string]AnyMethod
	byNumber map[int32]AnyMethod
	numbers  []int32 // of methods
	registry registry
	lru      lru
	counts   [numCounters]atomic.Int64
	// direct kinds need no check before a push: no ring, no byte bound that
	// the message could exceed.
	direct       bool
	measured     bool // StateBytes is implemented and needed
	nextPick     atomic.Uint64
	foreignCount atomic.Int64
	foreign      sync.Map    // Ref of an actor on another node -> *cell
	clustered    bool        // ids live on one node of a cluster
	hash         uint32      // the kind on the wire
	hosted       atomic.Bool // this node takes its actors, see Enable
}

func newKindOf(n *Node, k Kind) (*kind, error) {
	kd := &kind{Kind: k, node: n, byName: map[string]AnyMethod{}, byNumber: map[int32]AnyMethod{}}
	if err := kd.configure(); err != nil {
		return nil, err
	}
	methods, err := findMethods(k.typ)
	if err != nil {
		return nil, err
	}
	for _, m := range methods {
		info := m.Info()
		if err := m.prepare(); err != nil {
			return nil, err
		}
		if other, ok := kd.byNumber[info.Number]; ok {
			return nil, fmt.Errorf("%w: %s: %s and %s have the same number %d", ErrBadHandler, k.typ.Elem(), other.Info().Name, info.Name, info.Number)
		}
		if _, ok := kd.byName[info.Name]; ok {
			return nil, fmt.Errorf("%w: %s: two handlers named %s", ErrBadHandler, k.typ.Elem(), info.Name)
		}
		kd.methods, kd.numbers = append(kd.methods, m), append(kd.numbers, info.Number)
		kd.byName[info.Name], kd.byNumber[info.Number] = m, m
	}
	kd.registry.init()
	kd.lru.init()
	return kd, nil
}

func (k *kind) configure() error {
	if k.name == "" || k.create == nil {
		return fmt.Errorf("%w: a kind needs a name and a constructor such as Virtual", ErrBadConfig)
	}
	c := kindConfig{
		limit: DefaultMailboxLimit, limitBytes: DefaultMailboxBytes, budget: defaultBudget,
		idleAfter: defaultIdleAfter, shards: defaultShards, size: defaultPoolSize(),
	}
	c.supervision, _ = Supervision{}.withDefaults()
	for _, o := range k.options {
		if o.apply == nil {
			return fmt.Errorf("%w: kind %q: empty Option", ErrBadConfig, k.name)
		}
		if class, ok := optionClass[o.name]; ok && (class != k.class || k.single && o.name == "Shards") {
			return fmt.Errorf("%w: kind %q: %s means nothing for this kind", ErrBadConfig, k.name, o.name)
		}
		if err := o.apply(&c); err != nil {
			return fmt.Errorf("%w: kind %q: %s: %w", ErrBadConfig, k.name, o.name, err)
		}
	}
	if k.single {
		c.shards = 1
	}
	if c.limit == 0 {
		c.limit = DefaultMailboxLimit
	}
	if c.limitBytes == 0 {
		c.limitBytes = DefaultMailboxBytes
	}
	if c.overflow == DropOldest && c.limit < 0 {
		return fmt.Errorf("%w: kind %q: DropOldest needs a MailboxLimit", ErrBadConfig, k.name)
	}
	k.kindConfig = c
	k.direct = c.overflow != DropOldest
	if c.maxBytes > 0 {
		if _, ok := k.create().(stateSizer); !ok {
			return fmt.Errorf("%w: kind %q: MaxActiveBytes needs a method StateBytes() int64 on %v", ErrBadConfig, k.name, k.typ)
		}
		k.measured = true
	}
	return nil
}

// optionClass names the options that make sense for one class of kinds only.
var optionClass = map[string]kindClass{
	"IdleAfter": classVirtual, "MaxActive": classVirtual, "MaxActiveBytes": classVirtual, "PlaceBy": classVirtual,
	"Shards": classStub, "Disabled": classStub, "Size": classPool,
}

const (
	defaultBudget    = 256
	defaultIdleAfter = 10 * time.Minute
	defaultShards    = 64
)

// stateSizer is implemented by actors of a kind with MaxActiveBytes.
type stateSizer interface{ StateBytes() int64 }

// count adds to a counter of the kind.
func (k *kind) count(c Counter, n int64) {
	if n == 0 {
		return
	}
	k.counts[c].Add(n)
	if k.node.sampler.on {
		k.node.metrics.Add(c, k.name, n)
	}
}

// method returns a handler by its wire number. Generated code numbers handlers
// from 1 and lists them in that order.
func (k *kind) method(number int32) (AnyMethod, bool) {
	if i := int(number) - 1; i >= 0 && i < len(k.numbers) && k.numbers[i] == number {
		return k.methods[i], true
	}
	m, ok := k.byNumber[number]
	return m, ok
}

// newCell returns a cell of the kind that is not in the registry yet.
func (k *kind) newCell(id int64, name string) *cell {
	c := &cell{kind: k, id: id}
	if name != "" {
		c.extra().name = name
	}
	limit := uint32(0)
	if k.limit > 0 {
		limit = uint32(k.limit)
	}
	c.queue.Init(k.node.segments, limit)
	if k.overflow == DropOldest {
		r := new(mpsc.Ring[envelope])
		r.Init(limit)
		c.extra().ring = r
	}
	return c
}

// KindInfo describes a registered kind.
type KindInfo struct {
	Name string
	// Class is "virtual", "local", "stub" or "pool".
	Class   string
	Type    reflect.Type // pointer to the actor's struct
	Shards  int          // of a stub
	Methods []AnyMethod
}
