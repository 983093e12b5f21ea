// SPDX-License-Identifier: MIT

package cases

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"

	"github.com/troupe-go/troupe/bench/compare"
)

// A frame of rawtcp is as long as that of a troupe call with one integer, in
// both directions; one byte says what it is.
const (
	rawRequestBytes = 36
	rawReplyBytes   = 22

	rawCall, rawSend, rawTotal = 1, 2, 3
)

// rawTCP is the floor of remote/*: a write and a read of the net package on each
// side, no call numbers and one caller. One-way frames are collected in a
// buffer of 64 KiB.
func rawTCP() Library {
	return Library{
		Name: "rawtcp", OneCaller: true,
		Roles: map[string]compare.Role{"rawtcp": rawServer},
		Remote: func(b *compare.B) Remote {
			conn, err := net.Dial("tcp", b.Start("rawtcp").Line)
			compare.Must(err)
			b.Cleanup(func() { _ = conn.Close() })
			return rawClient(conn)
		},
	}
}

func rawClient(conn net.Conn) Remote {
	request, reply := make([]byte, rawRequestBytes), make([]byte, rawReplyBytes)
	w := bufio.NewWriterSize(conn, 64<<10)
	return Remote{
		Call: func(value int64) int64 {
			request[0] = rawCall
			binary.LittleEndian.PutUint64(request[1:], uint64(value))
			_, err := conn.Write(request)
			compare.Must(err)
			_, err = io.ReadFull(conn, reply)
			compare.Must(err)
			return int64(binary.LittleEndian.Uint64(reply))
		},
		Send: func(payload []byte) {
			request[0] = rawSend
			copy(request[1:], payload)
			_, err := w.Write(request)
			compare.Must(err)
		},
		Total: func() (sum, count int64) {
			request[0] = rawTotal
			_, err := w.Write(request)
			compare.Must(errors.Join(err, w.Flush()))
			_, err = io.ReadFull(conn, reply)
			compare.Must(err)
			return ParseTotal(reply)
		},
	}
}

// rawServer answers one connection at a time.
func rawServer(ctx context.Context, _ []string, ready func(string)) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ready(l.Addr().String())
	context.AfterFunc(ctx, func() { _ = l.Close() })
	for {
		conn, err := l.Accept()
		if err != nil {
			return nil //nolint:nilerr // closed: the end
		}
		context.AfterFunc(ctx, func() { _ = conn.Close() })
		rawAnswer(conn)
	}
}

func rawAnswer(conn net.Conn) {
	var total PayloadSum
	r := bufio.NewReaderSize(conn, 64<<10)
	request, reply := make([]byte, rawRequestBytes), make([]byte, rawReplyBytes)
	for {
		if _, err := io.ReadFull(r, request); err != nil {
			return
		}
		switch request[0] {
		case rawSend:
			total.Add(request[1:])
			continue
		case rawTotal:
			copy(reply, total.Bytes())
		default:
			binary.LittleEndian.PutUint64(reply, binary.LittleEndian.Uint64(request[1:])+1)
		}
		if _, err := conn.Write(reply); err != nil {
			return
		}
	}
}
