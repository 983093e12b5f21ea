// SPDX-License-Identifier: MIT

package compare

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// Role is the work of another process of a contender: it calls ready once with
// a line that the contender needs, such as an address, and returns when ctx
// ends. ctx ends with SIGTERM, and when the process that started it is gone.
type Role func(ctx context.Context, args []string, ready func(line string)) error

// Other is another process of a contender: the same program once more, in the
// given Role. It ends with the sample.
type Other struct {
	// Line is what the process had to say when it was ready.
	Line string

	cmd *exec.Cmd
	in  io.Closer
	end chan struct{}
}

// startTimeout bounds the time until another process is ready.
const startTimeout = 20 * time.Second

// Start starts another process of this program and waits until it is ready.
func (b *B) Start(role string, args ...string) *Other {
	self, err := os.Executable()
	Must(err)
	cmd := exec.CommandContext(b.Context, self, append([]string{"-role", role}, args...)...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	Must(err)
	out, err := cmd.StdoutPipe()
	Must(err)
	Must(cmd.Start())
	o := &Other{cmd: cmd, in: in, end: make(chan struct{})}
	line := make(chan string, 1)
	go func() {
		defer close(o.end)
		r := bufio.NewReader(out)
		first, _ := r.ReadString('\n') // empty if the process ended
		line <- strings.TrimSpace(first)
		_, _ = io.Copy(io.Discard, r)
		_ = cmd.Wait() // killed as a rule
	}()
	b.Cleanup(o.Stop)
	select {
	case o.Line = <-line:
	case <-time.After(startTimeout):
	}
	if o.Line == "" {
		panic(fmt.Sprintf("the process %q did not get ready", role))
	}
	return o
}

// Kill ends the process at once, and Terminate asks it to end. Neither waits.
func (o *Other) Kill() { _ = o.cmd.Process.Kill() }

// Terminate sends SIGTERM.
func (o *Other) Terminate() { Must(o.cmd.Process.Signal(syscall.SIGTERM)) }

// Wait returns when the process has ended.
func (o *Other) Wait() { <-o.end }

// Stop lets the process end, and kills it if it does not.
func (o *Other) Stop() {
	_ = o.in.Close()
	select {
	case <-o.end:
	case <-time.After(5 * time.Second):
		o.Kill()
		<-o.end
	}
}

// RunRole is the main function of another process. args are the role's name and
// its arguments.
func RunRole(roles map[string]Role, args []string) error {
	if len(args) == 0 || roles[args[0]] == nil {
		return fmt.Errorf("no such role: %q", args)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	return roles[args[0]](ctx, args[1:], func(line string) { _, _ = fmt.Fprintln(os.Stdout, line) })
}
