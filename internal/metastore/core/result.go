// SPDX-License-Identifier: MIT

package core

// Code is the answer to a command or to one item of it. The numbers cross the
// wire: append, never renumber.
type Code uint8

// The answers.
const (
	CodeOK          Code = 0
	CodeOwned       Code = 1  // another live session owns it; see Node, Session, Epoch
	CodeStale       Code = 2  // the epoch given is not the current one
	CodeSessionDead Code = 3  // the acting session is unknown, expired or closed
	CodeDraining    Code = 4  // the acting session drains and may take nothing new
	CodeTargetDead  Code = 5  // the receiving session is not live
	CodeConflict    Code = 6  // a compare-and-set did not match
	CodeBusy        Code = 7  // another session of this node is live
	CodeRetry       Code = 8  // given away at this very index; claim again (I1)
	CodeExhausted   Code = 9  // no worker number, kind or request slot is free
	CodeAbsent      Code = 10 // no such record
	CodeIgnored     Code = 11 // an expiry that no longer applies (R3)
	CodeOldFormat   Code = 12 // the node does not understand the active log format
	CodeInvalid     Code = 13 // the command makes no sense (empty name, bad TTL)
)

var codeNames = [...]string{
	"ok", "owned", "stale", "session dead", "draining", "target dead", "conflict", "busy", "retry",
	"exhausted", "absent", "ignored", "old format", "invalid",
}

// String returns the name of the code.
func (c Code) String() string {
	if int(c) < len(codeNames) {
		return codeNames[c]
	}
	return "unknown code"
}

// Outcome is the answer to one item. On CodeOK Epoch is the item's epoch;
// on CodeOwned and CodeStale it, Session and Node describe the current owner,
// when there is one.
type Outcome struct {
	Code    Code
	Epoch   uint64
	Session uint64
	Node    string
}

// Result is the answer to one command. Items is filled by the batch commands.
//
//	OpenSession    Epoch: the session
//	AcquireWorker  Epoch, Value: the number, Mark: where minting may resume
//	MarkWorker     Mark: the mark now
//	leases         Epoch; when owned by another: Node, Session
//	KVWrite        Epoch: the version now; on CodeConflict: the current one
type Result struct {
	Outcome
	Index uint64 // the entry's index
	Value uint64
	Mark  int64
	Items []Outcome
}

// AppendResults encodes list for the answer to a forwarded request.
func AppendResults(b []byte, list []Result) []byte {
	b = uv(b, uint64(len(list)))
	for _, r := range list {
		b = r.Outcome.append(b)
		b = uv(b, r.Index, r.Value, uint64(r.Mark), uint64(len(r.Items)))
		for _, o := range r.Items {
			b = o.append(b)
		}
	}
	return b
}

func (o Outcome) append(b []byte) []byte {
	b = append(b, byte(o.Code))
	b = uv(b, o.Epoch, o.Session)
	return appendString(b, o.Node)
}

func (r *reader) outcome() Outcome {
	return Outcome{Code: Code(r.byte()), Epoch: r.uvarint(), Session: r.uvarint(), Node: r.string()}
}

func (r *reader) result() Result {
	res := Result{Outcome: r.outcome(), Index: r.uvarint(), Value: r.uvarint(), Mark: int64(r.uvarint())}
	n := r.count(4, "outcomes")
	if n > 0 {
		res.Items = make([]Outcome, 0, n)
	}
	for range n {
		res.Items = append(res.Items, r.outcome())
	}
	return res
}

// DecodeResults decodes what AppendResults wrote.
func DecodeResults(b []byte) ([]Result, error) {
	r := &reader{b: b}
	n := r.count(8, "results")
	list := make([]Result, 0, n)
	for range n {
		list = append(list, r.result())
	}
	return list, r.end()
}

// ChangeType says what a Change is about.
type ChangeType uint8

// The changes. A session's death also ends, without further changes, every
// claim, slot, lease, worker number and ephemeral key it owned.
const (
	ChangeClaimed ChangeType = iota + 1 // ID now belongs to Session under Epoch
	ChangeReleased
	ChangeSlotClaimed
	ChangeSlotReleased
	ChangeSessionOpened
	ChangeSessionUpdated // draining, or new Info
	ChangeSessionDead
	ChangeLease
	ChangeLeaseGone
	ChangeKey
	ChangeKeyGone
	ChangeGeneration
	ChangeWorker
	ChangeRestored // everything may have changed: a snapshot was installed
)

// Change is one effect of an entry, for the views and watchers of a node.
type Change struct {
	Type    ChangeType
	Index   uint64
	ID      ID     // claims and slots
	Key     string // leases: the name; keys: the key; workers: the pool
	Session uint64
	Epoch   uint64 // claims, slots, leases: the epoch; keys: the version
	Node    string
}
