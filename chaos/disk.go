// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// diskBytes is the size of every node's own file system.
const diskBytes = 48 << 20

// logFile finds the node's raft log.
func (c *cluster) logFile(i int) (string, error) {
	var found string
	err := filepath.WalkDir(filepath.Join(c.dir, name(i)), func(path string, _ os.DirEntry, err error) error {
		if err == nil && filepath.Base(path) == "raft.db" {
			found = path
		}
		return err
	})
	if err == nil && found == "" {
		err = errors.New("no raft.db in " + name(i))
	}
	return found, err
}

// refusesBadLog is F16: a voter whose log is truncated or has a flipped bit must
// refuse to start, and never serve. The log is put back afterwards.
func (c *cluster) refusesBadLog(ctx context.Context, i int, flip bool, rng *rand.Rand) error {
	<-c.signal(i, syscall.SIGKILL).done
	path, err := c.logFile(i)
	if err != nil {
		return err
	}
	good, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	bad := bytes.Clone(good)
	if flip { // a bit of both copies of the file's head
		at := 16 + rng.IntN(40)
		bad[at] ^= 1 << rng.IntN(8)
		bad[4096+at] ^= 1 << rng.IntN(8)
	} else {
		bad = bad[:len(bad)/3]
	}
	if err := os.WriteFile(path, bad, 0o600); err != nil {
		return err
	}
	_ = c.boot(ctx, i) // fails when the process has ended before it has its network
	c.mu.Lock()
	p := c.procs[i]
	c.mu.Unlock()
	served := false
	for begin := time.Now(); time.Since(begin) < 2*ttl; pause(ctx, 50*time.Millisecond) {
		select {
		case <-p.done:
			return os.WriteFile(path, good, 0o600)
		default:
		}
		if _, ready := c.health(i); ready {
			served = true
			break
		}
	}
	_ = p.cmd.Process.Kill()
	<-p.done
	if err := os.WriteFile(path, good, 0o600); err != nil {
		return err
	}
	return fmt.Errorf("F16: %s did not refuse to start with a damaged log (flipped %v, served %v)", name(i), flip, served)
}

// disk makes the fsyncs of a running node slow, hang, or fail (F6).
func (w *workload) disk(i int, class string) {
	inject, d := "fsync,fdatasync:delay_enter=200000", 2*ttl
	switch class {
	case "fsync-hang":
		inject, d = "fsync,fdatasync:delay_enter=6000000", 6*time.Second
	case "fsync-error":
		inject, d = "fsync,fdatasync:error=EIO", ttl
	}
	w.c.mu.Lock()
	p := w.c.procs[i]
	w.c.mu.Unlock()
	trace := exec.Command("strace", "-f", "-qq", "-o", "/dev/null", "-p", fmt.Sprint(p.cmd.Process.Pid),
		"-e", "trace=fsync,fdatasync", "-e", "inject="+inject)
	trace.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := trace.Start(); err != nil {
		return
	}
	select {
	case <-p.done:
	case <-time.After(d):
	}
	_ = trace.Process.Signal(syscall.SIGINT)
	gone := time.AfterFunc(10*time.Second, func() { _ = trace.Process.Kill() })
	_ = trace.Wait()
	gone.Stop()
	if class != "fsync-error" {
		return
	}
	// A failed fsync must never be continued over.
	select {
	case <-p.done:
	case <-time.After(3 * time.Second):
		w.violate(fmt.Errorf("F6: %s goes on after a failed fsync", name(i)))
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// mountDisk gives a node a file system of its own, which disappears with the
// run's mount namespace.
func (c *cluster) mountDisk(ctx context.Context, i int) error {
	dir := filepath.Join(c.dir, name(i))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return command(ctx, fmt.Sprintf("mount -t tmpfs -o size=%d tmpfs %s", diskBytes, dir))
}

// fillDisk is F8: nothing fits for a while, then there is room again.
func (w *workload) fillDisk(i int) {
	path := filepath.Join(w.c.dir, name(i), "ballast")
	f, err := os.Create(path)
	if err != nil {
		return
	}
	block := make([]byte, 64<<10)
	for {
		if _, err := f.Write(block); err != nil {
			break
		}
	}
	_ = f.Close()
	pause(context.Background(), 2*ttl)
	_ = os.Remove(path)
}

// wipe removes what a worker has on disk: it comes back as a stranger (F10).
func (c *cluster) wipe(i int) {
	list, _ := os.ReadDir(filepath.Join(c.dir, name(i)))
	for _, e := range list {
		_ = os.RemoveAll(filepath.Join(c.dir, name(i), e.Name()))
	}
}

// secondProcess is F10: a second process on one data directory must end by
// itself.
func (c *cluster) secondProcess(i int) error {
	p, err := c.launch(append(c.args(i), "-second")...)
	if err != nil {
		return err
	}
	select {
	case <-p.done:
		if p.cmd.ProcessState.Success() {
			return fmt.Errorf("F10: a second %s ended without an error", name(i))
		}
		return nil
	case <-time.After(8 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
		return fmt.Errorf("F10: a second %s runs on the data directory of the first", name(i))
	}
}
