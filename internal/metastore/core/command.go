// SPDX-License-Identifier: MIT

package core

import "encoding/binary"

// Op is the number of a command in the log. Append, never renumber.
type Op uint8

// The commands.
const (
	OpNoop            Op = 1
	OpInitCluster     Op = 2
	OpSetGeneration   Op = 3
	OpOpenSession     Op = 4
	OpRenewBatch      Op = 5
	OpExpireSession   Op = 6
	OpCloseSession    Op = 7
	OpDrainSession    Op = 8
	OpUpdateInfo      Op = 9
	OpClaimBatch      Op = 10
	OpReleaseBatch    Op = 11
	OpTransferBatch   Op = 12
	OpAcquireWorker   Op = 13
	OpMarkWorker      Op = 14
	OpAcquireLease    Op = 15
	OpRenewLease      Op = 16
	OpExpireLease     Op = 17
	OpReleaseLease    Op = 18
	OpKVWrite         Op = 19
	OpSetActiveFormat Op = 20
)

// Command is one request to the state machine. The concrete types below are
// the only implementations.
type Command interface {
	Op() Op
	append(b []byte) []byte
}

// Noop keeps the commit watchdog fed and carries the proposer's state hash at
// an earlier index, which every node compares with its own (R8). Index 0 means
// no hash.
type Noop struct {
	HashIndex uint64
	Hash      uint64
}

// InitCluster names the cluster. The first one wins; a different name later
// is answered CodeConflict.
type InitCluster struct{ Cluster ClusterID }

// SetGeneration raises the generation from From to To. It is a compare-and-set;
// a generation never decreases.
type SetGeneration struct{ From, To uint64 }

// Info is what a session tells the others about its node.
type Info struct {
	Address string   // where peers reach the node
	Roles   []string // which roles it has
	Kinds   []string // which kinds it hosts
	Format  uint32   // newest log format it understands; 0 means 1
	Voter   bool     // whether it is, or wants to be, a Raft voter
	Meta    []byte   // opaque to the metastore, small
}

// OpenSession starts a session. Idempotent per incarnation. It is refused with
// CodeBusy while another session of the same node lives, unless Replaces names
// that session and Secret proves, against the Proof it was opened with, that
// the caller is its heir.
type OpenSession struct {
	Node        string
	Incarnation Incarnation
	Proof       [32]byte // SHA-256 of the secret of this session
	TTL         int64    // nanoseconds
	Info        Info
	Replaces    uint64
	Secret      []byte
}

// Renewal extends one session. Seq must be one more than the last accepted
// one. A retry carries the same Seq and Nonce and is answered as the original
// was, without extending anything; the same Seq with another Nonce is a second
// copy of the holder (a cloned machine) and conflicts. Ack is the highest Seq
// whose answer reached the holder; only the Grantor looks at it.
type Renewal struct {
	Session uint64
	Seq     uint64
	Nonce   uint64
	Ack     uint64
}

// RenewBatch renews many sessions in one entry.
type RenewBatch struct{ Items []Renewal }

// ExpireSession ends a session whose holder went silent (R3).
type ExpireSession struct {
	Session    uint64
	SeenSeq    uint64
	LeaderTerm uint64
}

// CloseSession ends a session at its holder's wish.
type CloseSession struct{ Session uint64 }

// DrainSession keeps what the session owns and refuses it anything new.
type DrainSession struct{ Session uint64 }

// UpdateInfo replaces what the session tells the others.
type UpdateInfo struct {
	Session uint64
	Info    Info
}

// ClaimBatch claims ids for a session (R2). One outcome per id.
type ClaimBatch struct {
	Space   Space
	Session uint64
	IDs     []ID
}

// IDEpoch is an id with the epoch it is believed to have.
type IDEpoch struct {
	ID    ID
	Epoch uint64
}

// ReleaseBatch gives ids up (R4). One outcome per item.
type ReleaseBatch struct {
	Space   Space
	Session uint64
	Items   []IDEpoch
}

// TransferBatch hands ids to another session under new epochs (R4).
type TransferBatch struct {
	Space   Space
	Session uint64
	To      uint64
	Items   []IDEpoch
}

// AcquireWorker leases the session a number in [0, Limit) of a pool.
// Idempotent per (session, pool).
type AcquireWorker struct {
	Session uint64
	Pool    string
	Limit   uint32
}

// MarkWorker raises the high-water mark of a worker number (in the unit of the
// user, for snowflake ids milliseconds since the origin) and optionally gives
// the number back. The mark outlives the session.
type MarkWorker struct {
	Session uint64
	Pool    string
	Number  uint32
	Epoch   uint64
	Mark    int64
	Release bool
}

// AcquireLease takes a named lease as a child of the session. TTL > 0
// (nanoseconds) additionally ends it when it is not renewed; 0 means it lives
// as long as the session. Idempotent per (session, name).
type AcquireLease struct {
	Session uint64
	Name    string
	TTL     int64
}

// RenewLease extends a lease that has its own TTL. Seq must increase.
type RenewLease struct {
	Session uint64
	Name    string
	Epoch   uint64
	Seq     uint64
}

// ExpireLease ends a lease whose own TTL passed; compare-and-set like
// ExpireSession (R3).
type ExpireLease struct {
	Name       string
	Epoch      uint64
	SeenSeq    uint64
	LeaderTerm uint64
}

// ReleaseLease gives a lease up (R4).
type ReleaseLease struct {
	Session uint64
	Name    string
	Epoch   uint64
}

// KVMode says what a KVWrite does.
type KVMode uint8

// The modes.
const (
	KVPut    KVMode = 0 // write whatever is there
	KVCAS    KVMode = 1 // write iff the version is Version (0: iff absent)
	KVDelete KVMode = 2 // delete iff the version is Version (0: any)
)

// KVWrite changes one key. With Req > 0 it is deduplicated per session: a
// retry with the same Req gets the first answer (R6). AckBelow tells the state
// machine that answers below it are not needed any more. An Ephemeral key
// lives as long as its session.
type KVWrite struct {
	Session   uint64
	Req       uint64
	AckBelow  uint64
	Mode      KVMode
	Ephemeral bool
	Key       string
	Version   uint64
	Value     []byte
}

// SetActiveFormat raises the log format, once every member understands it.
type SetActiveFormat struct{ Format uint32 }

func (Noop) Op() Op            { return OpNoop }
func (InitCluster) Op() Op     { return OpInitCluster }
func (SetGeneration) Op() Op   { return OpSetGeneration }
func (OpenSession) Op() Op     { return OpOpenSession }
func (RenewBatch) Op() Op      { return OpRenewBatch }
func (ExpireSession) Op() Op   { return OpExpireSession }
func (CloseSession) Op() Op    { return OpCloseSession }
func (DrainSession) Op() Op    { return OpDrainSession }
func (UpdateInfo) Op() Op      { return OpUpdateInfo }
func (ClaimBatch) Op() Op      { return OpClaimBatch }
func (ReleaseBatch) Op() Op    { return OpReleaseBatch }
func (TransferBatch) Op() Op   { return OpTransferBatch }
func (AcquireWorker) Op() Op   { return OpAcquireWorker }
func (MarkWorker) Op() Op      { return OpMarkWorker }
func (AcquireLease) Op() Op    { return OpAcquireLease }
func (RenewLease) Op() Op      { return OpRenewLease }
func (ExpireLease) Op() Op     { return OpExpireLease }
func (ReleaseLease) Op() Op    { return OpReleaseLease }
func (KVWrite) Op() Op         { return OpKVWrite }
func (SetActiveFormat) Op() Op { return OpSetActiveFormat }

// SessionOf returns the session in whose name cmd acts, or 0. A server that
// accepts commands from a peer checks that the session belongs to that peer.
func SessionOf(cmd Command) uint64 {
	switch c := cmd.(type) {
	case CloseSession:
		return c.Session
	case DrainSession:
		return c.Session
	case UpdateInfo:
		return c.Session
	case ClaimBatch:
		return c.Session
	case ReleaseBatch:
		return c.Session
	case TransferBatch:
		return c.Session
	case AcquireWorker:
		return c.Session
	case MarkWorker:
		return c.Session
	case AcquireLease:
		return c.Session
	case RenewLease:
		return c.Session
	case ReleaseLease:
		return c.Session
	case KVWrite:
		return c.Session
	}
	return 0
}

// LeaderOnly reports whether only the leader itself may propose cmd (R3).
func LeaderOnly(cmd Command) bool {
	switch cmd.Op() {
	case OpNoop, OpExpireSession, OpExpireLease, OpInitCluster, OpSetGeneration, OpSetActiveFormat:
		return true
	}
	return false
}

func uv(b []byte, list ...uint64) []byte {
	for _, v := range list {
		b = binary.AppendUvarint(b, v)
	}
	return b
}
