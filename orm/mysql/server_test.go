// SPDX-License-Identifier: MIT

//go:build unix

package mysql

import (
	"database/sql"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/troupe-go/troupe/orm"
	"github.com/troupe-go/troupe/orm/ormtest"
)

// TestServerCrash kills the database server and starts it again, several times.
func TestServerCrash(t *testing.T) {
	srv := newServer(t)
	srv.start()
	opts := Options{Prefix: "crash_"}
	ormtest.RunCrashes(t, func(t *testing.T) orm.Store {
		s, err := Open(srv.dsn(), opts)
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

// server is a MariaDB of the test's own.
type server struct {
	t      *testing.T
	daemon string
	dir    string
	user   string
	port   int
	cmd    *exec.Cmd
}

// newServer makes an empty database, or skips where that cannot be.
func newServer(t *testing.T) *server {
	t.Helper()
	if testing.Short() {
		t.Skip("a database server of its own takes seconds")
	}
	install, err := exec.LookPath("mariadb-install-db")
	if err != nil {
		t.Skip("no MariaDB server is installed: mariadb-install-db is not in PATH")
	}
	s := &server{t: t, daemon: "/usr/sbin/mariadbd", user: "mysql"}
	if path, err := exec.LookPath("mariadbd"); err == nil {
		s.daemon = path
	}
	if _, err := os.Stat(s.daemon); err != nil {
		t.Skip("no MariaDB server is installed: mariadbd is not there")
	}
	if s.dir, err = os.MkdirTemp("", "mariacrash"); err != nil { //nolint:usetesting // the server's user cannot reach into t.TempDir
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(s.dir) })
	s.chooseUser()
	out, err := exec.Command(install, "--no-defaults", "--datadir="+filepath.Join(s.dir, "data"), "--user="+s.user,
		"--auth-root-authentication-method=normal", "--skip-test-db").CombinedOutput()
	if err != nil {
		t.Fatalf("mariadb-install-db: %v\n%s", err, out)
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

// chooseUser runs the server as the user mysql where we are root.
func (s *server) chooseUser() {
	if os.Getuid() != 0 {
		if u, err := user.Current(); err == nil {
			s.user = u.Username
		}
		return
	}
	u, err := user.Lookup(s.user)
	if err != nil {
		s.t.Skip("there is no user mysql to run the server")
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	if err := os.Chown(s.dir, uid, gid); err != nil {
		s.t.Fatal(err)
	}
}

func (s *server) dsn() string { return fmt.Sprintf("root@tcp(127.0.0.1:%d)/mysql", s.port) }

// start starts the server and waits until it answers.
func (s *server) start() {
	s.t.Helper()
	s.cmd = exec.Command(s.daemon, "--no-defaults", "--datadir="+filepath.Join(s.dir, "data"), "--user="+s.user,
		"--port="+strconv.Itoa(s.port), "--bind-address=127.0.0.1", "--socket="+filepath.Join(s.dir, "sock"),
		"--pid-file="+filepath.Join(s.dir, "pid"), "--innodb-buffer-pool-size=16M")
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; {
		err := s.ping()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("the server does not answer: %v", err)
		}
		<-time.After(20 * time.Millisecond)
	}
}

func (s *server) ping() error {
	conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", s.port), time.Second)
	if err != nil {
		return err // quieter than the driver
	}
	_ = conn.Close() // it answers
	db, err := sql.Open("mysql", s.dsn())
	if err != nil {
		return err
	}
	defer db.Close() // nothing was written
	return db.PingContext(s.t.Context())
}

// kill ends the server at once, without a chance to write anything.
func (s *server) kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait() // it was killed
	s.cmd = nil
}
