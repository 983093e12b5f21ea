// SPDX-License-Identifier: MIT

package v2

// EncodeMove returns the encoded arguments of Move, as a caller with this
// version sends them.
func EncodeMove(t Transfer, labels []string, dry bool) []byte {
	return bankMoveAppendArgs(nil, &bankMoveArgs{T: t, Labels: labels, Dry: dry})
}

// DecodeMove returns the results of Move as a caller with this version sees them.
func DecodeMove(b []byte) (Transfer, int64, error) {
	var reply bankMoveReply
	err := bankMoveParseReply(b, &reply)
	return reply.Done, reply.Fee, err
}
