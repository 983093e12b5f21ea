// SPDX-License-Identifier: MIT

// Package troupe is an embeddable actor library for game servers. Players,
// guilds and matches are plain Go structs whose exported methods are called by
// message, one message at a time. They live where there is room, leave memory
// when nobody needs them, and one binary is the whole server.
//
// # First steps
//
// An actor is a struct that embeds Actor. Its exported methods are its message
// handlers; there is nothing to declare or to implement.
//
//	type Player struct {
//		troupe.Actor
//		gold int64
//	}
//
//	func (p *Player) Earn(ctx context.Context, gold int64) (int64, error) {
//		p.gold += gold // no lock: one message at a time
//		return p.gold, nil
//	}
//
// A Node is the place where actors live. Its zero Config is one node, in
// memory, without a port or a file.
//
//	node, err := troupe.New(troupe.Config{})
//	err = node.Register(troupe.Virtual[Player]("player"))
//	err = node.Start(ctx)
//	defer node.Stop(ctx)
//
//	var gold int64
//	err = node.Call(ctx, troupe.ID("player", 42), "Earn", &gold, 10)
//
// Player 42 was not created. It is a virtual actor: it exists for every key and
// comes to life with its first message (elsewhere such actors are called
// grains). Calls by name suit consoles, tools and tests. For a game, let
// "troupe gen" write typed references:
//
//	gold, err := PlayerOf(node, 42).Earn(ctx, 10) // a call, waits for the reply
//	err = PlayerOf(node, 42).SendEarn(10)         // one-way
//
// # Promises
//
// Each has a test that can fail.
//
//   - P1 Order. Messages from one sender to one actor arrive in the order sent.
//     (A call made while the actor's own handler waits, see Reentrant, is no
//     exception: it comes from another sender.)
//   - P2 Every send ends: handled, refused with a reason, or unknown after its
//     deadline. Nothing is dropped silently: each drop has a counter, a reason
//     and a dead letter.
//   - P3 One voice. At any moment at most one activation of an id can commit to
//     the database or be heard by others.
//   - P4 Acknowledged means durable, for changes acknowledged by a document's
//     Save (package orm). Other changes are flushed within a second by default.
//   - P5 Bounded takeover. When a node dies, its actors answer elsewhere within
//     the lease's time to live and a second.
//   - P6 Small. This package pulls in no database driver, no broker, no web
//     framework and no cgo. An idle actor has no goroutine.
//
// # Kinds
//
// A kind is a name, a type, and options. There are five:
//
//	Virtual    one actor for every key, made when needed      players, houses
//	Stub       a service in a fixed number of shards          guilds, chat, mail
//	Singleton  a stub with one shard                          the world clock
//	Pool       some interchangeable actors on each node       path finding
//	Local      made by Spawn, ended by Stop                   fights, connections
//
// A key is an int64, which never costs an allocation, or a string. A Ref is
// kind and key; it is a comparable value that can be stored and sent.
//
// # Turns
//
// An actor handles one message at a time; handling one is a turn. Timers,
// subscriptions and continuations of off-turn work run on turns too. So an
// actor's fields need no lock.
//
//   - A handler may block: on a call to another actor, on a database. Its own
//     actor waits meanwhile, and nobody else: no thread or worker is held up.
//   - A call that would wait for itself (A calls B, whose handler calls A) fails
//     at once with ErrCallCycle and prints the chain. Kinds that keep their
//     state consistent at each call may allow it with Reentrant.
//   - Go runs slow work off the turn and continues on it.
//   - Between turns an actor may be passivated (IdleAfter, MaxActive), or
//     restarted after a panic. Its memory is gone then: OnActivate builds it
//     again, including timers and subscriptions.
//
// # Duties
//
// The compiler cannot check these. U is for user.
//
//   - U1 Touch an actor's fields on its turn only. A goroutine that a handler
//     starts goes through Go or Actor.Do.
//   - U2 Do not change what you have sent or returned. On one node, messages
//     are handed over, not copied: a slice, map or pointer in an argument or a
//     result is shared. Return a copy of state that you go on changing.
//   - U3 Pass on the context that the handler was given, and the actor itself as
//     the Caller: AccountOf(p, 7).Pay(ctx, 5). They carry the deadline, the
//     trace, and who waits for whom. With context.Background and the node
//     instead, a cycle is found by its timeout only.
//   - U4 Do not keep a handler's context: it ends with the turn.
//   - U5 Do not use an actor, or a reference made from it, as Caller off its
//     turn. Use its Node there.
//   - U6 Handlers of Inline kinds do not block.
//   - U7 Save what must survive. A panic, a passivation and a stop lose memory.
//   - U8 Make handlers idempotent that callers repeat after an unknown outcome,
//     and those of kinds with Retries.
//   - U9 Export handlers only. Register refuses a type with an exported method
//     of another shape, such as String() string, rather than to ignore it.
//   - U10 Do not send from OnDeactivate: when the node stops, everything is
//     refused by then.
//   - U11 Functions in Config (Logger, Metrics, DeadLetter) are called on the
//     paths of messages and must not block.
//   - U12 Register the same kinds with the same options on all nodes of a
//     cluster; Role says which node hosts what. Arguments and results must be
//     of types that "troupe gen" can encode; others work on one node only.
//
// # Errors
//
// Every failed call or send is a *CallError around its cause. There are three
// answers, and they stay distinct:
//
//   - It was not done: CallError.SafeToRetry reports true. ErrMailboxFull,
//     ErrActivation, ErrBadArguments, ErrStopped and their like say why.
//   - It failed: the handler's own error, or ErrPanic. The handler ran, at
//     least in part.
//   - Nobody knows: ErrTimeout, ErrCanceled, ErrUnreachable with SafeToRetry
//     false. Repeat only what is idempotent.
//
// Errors keep their identity between nodes, so use errors.Is. A handler's own
// errors do if they have a code: declare
//
//	var ErrPoor = &troupe.UserError{Code: 7, Text: "not enough gold"}
//
// A panic costs the message that caused it, whose caller gets ErrPanic; the
// stack is in the log. Then the kind's Supervision decides: a new instance
// (Restart, the default, with backoff), Resume, Stop, or Escalate to the actor
// that spawned it.
//
// # Deadlines
//
// A call waits until its context's deadline, or Config.CallTimeout (5 s) when
// there is none. The callee sees the same deadline in its context, and so do
// those it calls. One-way sends have no deadline.
//
// # Overload
//
// Mailboxes are bounded, by default to 65,536 messages and 64 MiB. When one is
// full, the kind decides (OnFull): Refuse tells the sender ErrMailboxFull,
// DropOldest makes room for the newest state, Wait blocks the sender until its
// context ends. Replies, timers and the library's own messages have a lane of
// their own and are never refused. After a budget of messages (Budget) an actor
// lets others run.
//
// # Shutdown
//
// Node.Stop refuses messages from outside, lets actors finish what is queued
// and what they send each other, runs OnDeactivate on each, and waits for every
// goroutine of the node. Its context bounds that; what is left then is refused
// and the error says so. A message is answered in any case.
//
// # Cluster
//
// Nodes of the same binary form a cluster; there is no other program. Three or
// five of them are voters and keep the record of who lives where in a
// replicated log. The others follow it. Every node has a copy, so finding an
// actor is a memory read.
//
//	troupe.Config{
//		Name: "n1",
//		Cluster: &troupe.ClusterConfig{
//			Name: "game", Listen: "10.0.0.1:7000", Credentials: credentials,
//			Voter: true, DataDir: "/var/lib/game",
//			Bootstrap: []troupe.Server{{Name: "n1", Addr: "10.0.0.1:7000"}, ...},
//		},
//	}
//
// Nothing changes in the actors: the same reference leads to another node.
// Virtual actors and stub shards move when nodes come and go, pools and local
// actors stay. Each node has one lease for everything it hosts, whatever the
// number of actors. When it cannot be renewed, the node drops its activations
// before others may take over (P5), and each activation has a fencing token
// (Actor.Fence) by which storage refuses a stale copy (P3). Stop hands
// everything over first. Without a majority of the voters nobody takes anything
// over, and what would need it fails with ErrNoQuorum.
//
// Node.AcquireLease takes a named exclusive right, Node.NewIDSource mints ids
// that are unique in the cluster, Node.Members and Node.HealthHandler tell how
// it is. Package troupetest runs clusters inside a test, in virtual time.
//
// # Time
//
// Actor.After, Actor.Every and Actor.Cron fire on the actor's turn. They are
// entries of a timing wheel with a resolution of Config.WheelTick, so 200,000
// of them are as good as one; nothing ticks while none is pending. With
// testing/synctest, tests of timers and timeouts take no time.
//
// # Watching it
//
// Config.Metrics receives counters and samples for each kind; package
// observe/prom passes them on to Prometheus. Config.DeadLetter sees every
// message that nobody took. Config.Logger is a *slog.Logger; the library writes
// nowhere else. A W3C trace context travels with calls (WithTrace, TraceOf).
//
// # Where to look next
//
// The examples of this package answer one question each. examples/hello and
// examples/bank in the repository are whole programs. docs/tutorial.md goes
// from an empty folder to a tested service on three nodes, docs/promises.md
// says how each promise is kept and tested, docs/operate.md how to run it,
// docs/ARCHITECTURE.md how it works inside. Package orm keeps the state of
// actors in a database, package gate lets clients in.
package troupe
