// SPDX-License-Identifier: MIT

package core

import (
	"encoding/binary"
	"fmt"
)

// Log format of an entry:
//
//	format (1 byte) | number of commands (uvarint) | commands
//	command: op (1 byte) | length of payload (uvarint) | payload
//
// Payload fields are positional. A new field or command is a new format, which
// is only written once every member announced that it understands it
// (Info.Format, SetActiveFormat): an older node halts rather than guess (R7).
const FormatCurrent = 1

// maxCommands bounds the commands of one entry.
const maxCommands = 1 << 16

// AppendCommand appends the framed encoding of cmd.
func AppendCommand(b []byte, cmd Command) []byte {
	b = append(b, byte(cmd.Op()))
	start := len(b)
	b = cmd.append(b)
	size := len(b) - start
	var head [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(head[:], uint64(size))
	b = append(b, head[:n]...) // grow, then shift the payload right
	copy(b[start+n:], b[start:start+size])
	copy(b[start:], head[:n])
	return b
}

// AppendEntryHeader starts an entry of n commands; the framed commands follow.
func AppendEntryHeader(b []byte, n int) []byte {
	b = append(b, FormatCurrent)
	return binary.AppendUvarint(b, uint64(n))
}

// EncodeEntry encodes cmds as one log entry.
func EncodeEntry(cmds ...Command) []byte {
	b := AppendEntryHeader(nil, len(cmds))
	for _, c := range cmds {
		b = AppendCommand(b, c)
	}
	return b
}

// DecodeEntry decodes one log entry. It never panics and allocates no more
// than a small multiple of len(b).
func DecodeEntry(b []byte) ([]Command, error) {
	r := &reader{b: b}
	if f := r.byte(); r.err == nil && f != FormatCurrent {
		return nil, fmt.Errorf("%w: log format %d, this build understands %d", ErrMalformed, f, FormatCurrent)
	}
	n := r.count(2, "command count")
	if n > maxCommands {
		r.fail("command count")
	}
	if r.err != nil {
		return nil, r.err
	}
	cmds := make([]Command, 0, n)
	for range n {
		op := Op(r.byte())
		body := r.take(r.uvarint(), uint64(len(r.b)), "payload")
		if r.err != nil {
			return nil, r.err
		}
		cmd, err := decodeCommand(op, body)
		if err != nil {
			return nil, err
		}
		cmds = append(cmds, cmd)
	}
	return cmds, r.end()
}

func (c Noop) append(b []byte) []byte          { return uv(b, c.HashIndex, c.Hash) }
func (c InitCluster) append(b []byte) []byte   { return append(b, c.Cluster[:]...) }
func (c SetGeneration) append(b []byte) []byte { return uv(b, c.From, c.To) }

func (c OpenSession) append(b []byte) []byte {
	b = appendString(b, c.Node)
	b = append(b, c.Incarnation[:]...)
	b = append(b, c.Proof[:]...)
	b = binary.AppendVarint(b, c.TTL)
	b = c.Info.append(b)
	b = uv(b, c.Replaces)
	return appendBytes(b, c.Secret)
}

func (i Info) append(b []byte) []byte {
	b = appendString(b, i.Address)
	b = appendStrings(b, i.Roles)
	b = appendStrings(b, i.Kinds)
	b = uv(b, uint64(i.Format))
	b = appendBool(b, i.Voter)
	return appendBytes(b, i.Meta)
}

func (c RenewBatch) append(b []byte) []byte {
	b = uv(b, uint64(len(c.Items)))
	for _, i := range c.Items {
		b = uv(b, i.Session, i.Seq, i.Nonce, i.Ack)
	}
	return b
}

func (c ExpireSession) append(b []byte) []byte { return uv(b, c.Session, c.SeenSeq, c.LeaderTerm) }
func (c CloseSession) append(b []byte) []byte  { return uv(b, c.Session) }
func (c DrainSession) append(b []byte) []byte  { return uv(b, c.Session) }
func (c UpdateInfo) append(b []byte) []byte    { return c.Info.append(uv(b, c.Session)) }

func (c ClaimBatch) append(b []byte) []byte {
	b = append(b, byte(c.Space))
	b = uv(b, c.Session, uint64(len(c.IDs)))
	prev := ""
	for _, id := range c.IDs {
		b = appendID(b, prev, id)
		prev = id.Kind
	}
	return b
}

func appendItems(b []byte, items []IDEpoch) []byte {
	b = uv(b, uint64(len(items)))
	prev := ""
	for _, i := range items {
		b = appendID(b, prev, i.ID)
		b = uv(b, i.Epoch)
		prev = i.ID.Kind
	}
	return b
}

func (c ReleaseBatch) append(b []byte) []byte {
	return appendItems(uv(append(b, byte(c.Space)), c.Session), c.Items)
}

func (c TransferBatch) append(b []byte) []byte {
	return appendItems(uv(append(b, byte(c.Space)), c.Session, c.To), c.Items)
}

func (c AcquireWorker) append(b []byte) []byte {
	return uv(appendString(uv(b, c.Session), c.Pool), uint64(c.Limit))
}

func (c MarkWorker) append(b []byte) []byte {
	b = appendString(uv(b, c.Session), c.Pool)
	b = uv(b, uint64(c.Number), c.Epoch)
	b = binary.AppendVarint(b, c.Mark)
	return appendBool(b, c.Release)
}

func (c AcquireLease) append(b []byte) []byte {
	return binary.AppendVarint(appendString(uv(b, c.Session), c.Name), c.TTL)
}

func (c RenewLease) append(b []byte) []byte {
	return uv(appendString(uv(b, c.Session), c.Name), c.Epoch, c.Seq)
}

func (c ExpireLease) append(b []byte) []byte {
	return uv(appendString(b, c.Name), c.Epoch, c.SeenSeq, c.LeaderTerm)
}

func (c ReleaseLease) append(b []byte) []byte {
	return uv(appendString(uv(b, c.Session), c.Name), c.Epoch)
}

func (c KVWrite) append(b []byte) []byte {
	b = uv(b, c.Session, c.Req, c.AckBelow)
	b = append(b, byte(c.Mode))
	b = appendBool(b, c.Ephemeral)
	b = appendString(b, c.Key)
	b = uv(b, c.Version)
	return appendBytes(b, c.Value)
}

func (c SetActiveFormat) append(b []byte) []byte { return uv(b, uint64(c.Format)) }

func (r *reader) space() Space {
	s := Space(r.byte())
	if s > SpaceSlot {
		r.fail("space")
	}
	return s
}

func (r *reader) info() Info {
	return Info{
		Address: r.string(), Roles: r.strings(), Kinds: r.strings(),
		Format: r.u32("format"), Voter: r.bool(), Meta: r.bytes(),
	}
}

func (r *reader) items() []IDEpoch {
	n := r.count(4, "items")
	items := make([]IDEpoch, 0, n)
	prev := ""
	for range n {
		it := IDEpoch{ID: r.id(prev), Epoch: r.uvarint()}
		prev = it.ID.Kind
		items = append(items, it)
	}
	return items
}

func (r *reader) ids() []ID {
	n := r.count(3, "ids")
	ids := make([]ID, 0, n)
	prev := ""
	for range n {
		id := r.id(prev)
		prev = id.Kind
		ids = append(ids, id)
	}
	return ids
}

func (r *reader) renewals() []Renewal {
	n := r.count(4, "renewals")
	items := make([]Renewal, 0, n)
	for range n {
		items = append(items, Renewal{Session: r.uvarint(), Seq: r.uvarint(), Nonce: r.uvarint(), Ack: r.uvarint()})
	}
	return items
}

func (r *reader) kvWrite() KVWrite {
	c := KVWrite{Session: r.uvarint(), Req: r.uvarint(), AckBelow: r.uvarint(), Mode: KVMode(r.byte())}
	if c.Mode > KVDelete {
		r.fail("kv mode")
	}
	c.Ephemeral, c.Key, c.Version, c.Value = r.bool(), r.string(), r.uvarint(), r.bytes()
	return c
}

// decodeCommand decodes one payload; an op it does not know is an error (R7).
// Struct literals evaluate their fields in order, which is the wire order.
func decodeCommand(op Op, body []byte) (Command, error) {
	r := &reader{b: body}
	var c Command
	switch op {
	case OpNoop:
		c = Noop{HashIndex: r.uvarint(), Hash: r.uvarint()}
	case OpInitCluster:
		c = InitCluster{Cluster: r.array16()}
	case OpSetGeneration:
		c = SetGeneration{From: r.uvarint(), To: r.uvarint()}
	case OpOpenSession:
		c = OpenSession{
			Node: r.string(), Incarnation: r.array16(), Proof: r.array32(), TTL: r.varint(),
			Info: r.info(), Replaces: r.uvarint(), Secret: r.bytes(),
		}
	case OpRenewBatch:
		c = RenewBatch{Items: r.renewals()}
	case OpExpireSession:
		c = ExpireSession{Session: r.uvarint(), SeenSeq: r.uvarint(), LeaderTerm: r.uvarint()}
	case OpCloseSession:
		c = CloseSession{Session: r.uvarint()}
	case OpDrainSession:
		c = DrainSession{Session: r.uvarint()}
	case OpUpdateInfo:
		c = UpdateInfo{Session: r.uvarint(), Info: r.info()}
	case OpClaimBatch:
		c = ClaimBatch{Space: r.space(), Session: r.uvarint(), IDs: r.ids()}
	case OpReleaseBatch:
		c = ReleaseBatch{Space: r.space(), Session: r.uvarint(), Items: r.items()}
	case OpTransferBatch:
		c = TransferBatch{Space: r.space(), Session: r.uvarint(), To: r.uvarint(), Items: r.items()}
	case OpAcquireWorker:
		c = AcquireWorker{Session: r.uvarint(), Pool: r.string(), Limit: r.u32("limit")}
	case OpMarkWorker:
		c = MarkWorker{
			Session: r.uvarint(), Pool: r.string(), Number: r.u32("worker"),
			Epoch: r.uvarint(), Mark: r.varint(), Release: r.bool(),
		}
	case OpAcquireLease:
		c = AcquireLease{Session: r.uvarint(), Name: r.string(), TTL: r.varint()}
	case OpRenewLease:
		c = RenewLease{Session: r.uvarint(), Name: r.string(), Epoch: r.uvarint(), Seq: r.uvarint()}
	case OpExpireLease:
		c = ExpireLease{Name: r.string(), Epoch: r.uvarint(), SeenSeq: r.uvarint(), LeaderTerm: r.uvarint()}
	case OpReleaseLease:
		c = ReleaseLease{Session: r.uvarint(), Name: r.string(), Epoch: r.uvarint()}
	case OpKVWrite:
		c = r.kvWrite()
	case OpSetActiveFormat:
		c = SetActiveFormat{Format: r.u32("format")}
	default:
		return nil, fmt.Errorf("%w: unknown command %d", ErrMalformed, op)
	}
	if err := r.end(); err != nil {
		return nil, fmt.Errorf("command %d: %w", op, err)
	}
	return c, nil
}
