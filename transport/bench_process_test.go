// SPDX-License-Identifier: MIT

package transport

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// peerProcess is set in the environment of the second process of a benchmark,
// which is this test binary again.
const peerProcess = "TROUPE_TRANSPORT_BENCH_PEER"

// runPeerProcess echoes raw bytes on one port and frames on another: those of
// LaneMessages are sent back, those of LaneBulk are counted, and the count is
// sent back when one has 8 bytes. It ends with its standard input.
func runPeerProcess() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.CopyBuffer(struct{ io.Writer }{c}, struct{ io.Reader }{c}, make([]byte, 64<<10)) }()
		}
	}()
	e, err := New(devConfig("server"))
	if err != nil {
		panic(err)
	}
	count := uint64(0)
	if err := e.Start(&funcHandler{frame: func(from Link, lane Lane, frame []byte) {
		if lane == LaneBulk {
			count++
			if len(frame) != 8 {
				return
			}
			frame = u64(count)
		}
		_ = from.Send(Meta{Lane: lane}, frame)
	}}); err != nil {
		panic(err)
	}
	_, _ = fmt.Fprintln(os.Stdout, ln.Addr(), e.Self().Addr)
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = e.Close()
}

// twoProcesses starts the other process and returns the address of its raw
// echo and a link to it.
func twoProcesses(b *testing.B, onFrame func(lane Lane, frame []byte)) (raw string, link Link) {
	exe, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.CommandContext(b.Context(), exe)
	cmd.Env = append(os.Environ(), peerProcess+"=1")
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	addrs := strings.Fields(line)
	client := start(b, devConfig("client"), &funcHandler{frame: func(_ Link, lane Lane, frame []byte) { onFrame(lane, frame) }})
	return addrs[0], connect(b, client, Peer{NodeID: "server", Addr: addrs[1]})
}

func p50(samples []time.Duration) float64 {
	slices.Sort(samples)
	return float64(samples[len(samples)/2].Nanoseconds())
}

// BenchmarkProcessesCall measures, in turns, a raw TCP round trip and a call
// with one outstanding, and reports both medians and their ratio.
func BenchmarkProcessesCall(b *testing.B) {
	reply := make(chan struct{}, 1)
	rawAddr, link := twoProcesses(b, func(Lane, []byte) { reply <- struct{}{} })
	rc, err := net.Dial("tcp", rawAddr)
	if err != nil {
		b.Fatal(err)
	}
	defer rc.Close()
	buf := make([]byte, 36)
	frame := make([]byte, 32)
	var raws, nows, laters []time.Duration
	call := func(now bool) time.Duration {
		begin := time.Now()
		if err := link.Send(Meta{Lane: LaneMessages, Now: now}, frame); err != nil {
			b.Fatal(err)
		}
		<-reply
		return time.Since(begin)
	}
	call(true)
	for b.Loop() {
		for range 10 {
			begin := time.Now()
			if _, err := rc.Write(buf); err != nil {
				b.Fatal(err)
			}
			if _, err := io.ReadFull(rc, buf); err != nil {
				b.Fatal(err)
			}
			raws = append(raws, time.Since(begin))
		}
		for range 10 {
			nows = append(nows, call(true))
		}
		for range 10 {
			laters = append(laters, call(false))
		}
	}
	b.ReportMetric(p50(raws), "raw-p50-ns")
	b.ReportMetric(p50(nows), "now-p50-ns")
	b.ReportMetric(p50(laters), "later-p50-ns")
	b.ReportMetric(p50(nows)/p50(raws), "now/raw")
}

// BenchmarkProcesses64 is calls with 64 outstanding.
func BenchmarkProcesses64(b *testing.B) {
	for _, now := range []bool{true, false} {
		b.Run(fmt.Sprintf("now=%v", now), func(b *testing.B) {
			const callers = 64
			replies := make([]chan struct{}, callers)
			for i := range replies {
				replies[i] = make(chan struct{}, 1)
			}
			_, link := twoProcesses(b, func(_ Lane, frame []byte) {
				replies[binary.BigEndian.Uint64(frame)] <- struct{}{}
			})
			if err := link.Send(Meta{Lane: LaneMessages}, make([]byte, 32)); err != nil {
				b.Fatal(err)
			}
			<-replies[0]
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			for i := range callers {
				wg.Add(1)
				go func() {
					defer wg.Done()
					frame := make([]byte, 32)
					binary.BigEndian.PutUint64(frame, uint64(i))
					for range (b.N + callers - 1) / callers {
						if err := link.Send(Meta{Lane: LaneMessages, Key: uint64(i), Now: now}, frame); err != nil {
							b.Errorf("send: %v", err)
							return
						}
						<-replies[i]
					}
				}()
			}
			wg.Wait()
		})
	}
}

// BenchmarkProcessesSend is one-way sends of 32 bytes from one goroutine, until
// the other process has said that it has them all.
func BenchmarkProcessesSend(b *testing.B) {
	counts := make(chan uint64, 1)
	_, link := twoProcesses(b, func(_ Lane, frame []byte) { counts <- binary.BigEndian.Uint64(frame) })
	send := func(frame []byte) {
		for {
			err := link.Send(Meta{Lane: LaneBulk}, frame)
			if err == nil {
				return
			}
			if !errors.Is(err, ErrBackpressure) {
				b.Fatal(err)
			}
			runtime.Gosched()
		}
	}
	send(make([]byte, 8))
	first := <-counts
	frame := make([]byte, 32)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		send(frame)
	}
	send(make([]byte, 8))
	if got := <-counts - first; got != uint64(b.N)+1 {
		b.Errorf("%d frames arrived, want %d", got, b.N+1)
	}
}
