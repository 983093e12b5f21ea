// SPDX-License-Identifier: MIT

//go:build unix

package postgres

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/troupe-go/troupe/orm"
	"github.com/troupe-go/troupe/orm/ormtest"
)

// TestServerCrash kills the database server and starts it again, several times.
func TestServerCrash(t *testing.T) {
	srv := newServer(t)
	srv.start()
	opts := Options{Prefix: "crash_"}
	ormtest.RunCrashes(t, func(t *testing.T) orm.Store {
		s, err := Open(t.Context(), srv.dsn(), opts)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}, func() {
		srv.kill()
		srv.start()
	})
}

// server is a PostgreSQL of the test's own.
type server struct {
	t    *testing.T
	bin  string
	dir  string
	port int
	as   *syscall.SysProcAttr
	cmd  *exec.Cmd
	// exited is closed when the process is gone; at first there is none.
	exited chan struct{}
}

// newServer makes an empty database cluster, or skips where that cannot be.
func newServer(t *testing.T) *server {
	t.Helper()
	if testing.Short() {
		t.Skip("a database server of its own takes seconds")
	}
	s := &server{t: t, bin: binaries(t), as: &syscall.SysProcAttr{}, exited: make(chan struct{})}
	close(s.exited)
	var err error
	if s.dir, err = os.MkdirTemp("", "pgcrash"); err != nil { //nolint:usetesting // the server's user cannot reach into t.TempDir
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(s.dir) })
	s.dropRoot()
	out, err := s.command("initdb", "-D", filepath.Join(s.dir, "data"), "-U", "postgres", "-A", "trust", "-N").CombinedOutput()
	if err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.port = l.Addr().(*net.TCPAddr).Port
	_ = l.Close() // the server takes the port
	t.Cleanup(s.kill)
	return s
}

// binaries returns the folder of the server's programs.
func binaries(t *testing.T) string {
	t.Helper()
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path)
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		t.Skip("no PostgreSQL server is installed: initdb is neither in PATH nor in /usr/lib/postgresql/*/bin")
	}
	return filepath.Dir(slices.Max(found))
}

// dropRoot runs the server as the user postgres: it refuses to run as root.
func (s *server) dropRoot() {
	if os.Getuid() != 0 {
		return
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		s.t.Skip("PostgreSQL does not run as root, and there is no user postgres")
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	if err := os.Chown(s.dir, uid, gid); err != nil {
		s.t.Fatal(err)
	}
	s.as.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func (s *server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir = s.dir
	cmd.SysProcAttr = s.as
	return cmd
}

func (s *server) dsn() string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", s.port)
}

// start starts the server and waits until it answers. The first attempt after
// kill may fail: orphans of the old server have its memory for a moment.
func (s *server) start() {
	s.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !s.answers(); <-time.After(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatal("the server does not answer")
		}
		select {
		case <-s.exited:
			s.launch()
		default:
		}
	}
}

// launch starts the server's process.
func (s *server) launch() {
	s.t.Helper()
	s.cmd = s.command("postgres", "-D", filepath.Join(s.dir, "data"), "-p", strconv.Itoa(s.port), "-k", s.dir,
		"-c", "listen_addresses=127.0.0.1", "-c", "shared_buffers=16MB", "-c", "logging_collector=off")
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	cmd, exited := s.cmd, make(chan struct{})
	s.exited = exited
	go func() {
		defer close(exited)
		_ = cmd.Wait() // it is killed, or says nothing that the next attempt would not
	}()
}

func (s *server) answers() bool {
	conn, err := pgx.Connect(context.WithoutCancel(s.t.Context()), s.dsn())
	if err != nil {
		return false
	}
	_ = conn.Close(s.t.Context())
	return true
}

// kill ends the server at once, without a chance to write anything. Its other
// processes end when they see that.
func (s *server) kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	<-s.exited
}
