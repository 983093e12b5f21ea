// SPDX-License-Identifier: MIT

package v1

// EncodeMove returns the encoded arguments of Move, as a caller with this
// version sends them.
func EncodeMove(t Transfer, tags []string) []byte {
	return bankMoveAppendArgs(nil, &bankMoveArgs{T: t, Tags: tags})
}

// DecodeMove returns the results of Move as a caller with this version sees them.
func DecodeMove(b []byte) (Transfer, error) {
	var reply bankMoveReply
	err := bankMoveParseReply(b, &reply)
	return reply.Done, err
}
