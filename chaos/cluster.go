// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/troupe-go/troupe/transport/certs"
)

// The size of the tormented cluster.
const (
	voters = 3
	nodes  = 5
	ttl    = 2 * time.Second
)

// cluster is the processes of a run.
type cluster struct {
	o        options
	dir, bin string
	client   http.Client

	mu    sync.Mutex
	procs [nodes]*process
	db    *process
}

// process is a server that was started. done is closed when it has ended.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
}

func newCluster(o options, dir, bin string) *cluster {
	return &cluster{o: o, dir: dir, bin: bin, client: http.Client{
		Timeout:   1200 * time.Millisecond,
		Transport: &http.Transport{MaxIdleConnsPerHost: 64},
	}}
}

func name(i int) string { return fmt.Sprintf("n%d", i) }

func (c *cluster) ip(i int) string {
	if c.o.namespaces {
		return fmt.Sprintf("10.77.0.%d", 10+i)
	}
	return "127.0.0.1"
}

func (c *cluster) http(i int) string { return fmt.Sprintf("%s:%d", c.ip(i), 18100+i) }
func (c *cluster) peer(i int) string { return fmt.Sprintf("%s:%d", c.ip(i), 18200+i) }

// dbIP is an address of its own, so that nodes can be cut from the database
// and not from their clients.
const dbIP = "10.77.0.2"

func (c *cluster) dbAddr() string {
	if c.o.namespaces {
		return dbIP + ":18300"
	}
	return "127.0.0.1:18300"
}

// start makes the network, the certificates and all processes, and waits until
// every node is ready.
func (c *cluster) start(ctx context.Context) error {
	if c.o.namespaces {
		for _, args := range []string{"link set lo up", "link add br0 type bridge", "addr add 10.77.0.1/24 dev br0", "addr add " + dbIP + "/24 dev br0", "link set br0 up"} {
			if err := ip(ctx, args); err != nil {
				return err
			}
		}
		for i := range nodes {
			if err := c.mountDisk(ctx, i); err != nil {
				return err
			}
		}
		if err := c.certify(); err != nil {
			return err
		}
	}
	if err := c.startDB(); err != nil {
		return err
	}
	for i := range nodes {
		if err := c.boot(ctx, i); err != nil {
			return err
		}
	}
	for i := range nodes {
		if err := c.ready(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) certify() error {
	ca, err := certs.NewCA("chaos", time.Hour)
	if err != nil {
		return err
	}
	root, _, err := ca.PEM()
	if err != nil {
		return err
	}
	files := map[string][]byte{"ca.crt": root}
	for i := range nodes {
		var roles []string
		if i < voters {
			roles = []string{"voter"}
		}
		if files[name(i)+".crt"], files[name(i)+".key"], err = ca.Issue(name(i), roles, time.Hour); err != nil {
			return err
		}
	}
	for file, data := range files {
		if err := os.WriteFile(filepath.Join(c.dir, file), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func ip(ctx context.Context, args string) error { return command(ctx, "ip "+args) }

func command(ctx context.Context, line string) error {
	words := strings.Fields(line)
	if out, err := exec.CommandContext(ctx, words[0], words[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", line, err, out)
	}
	return nil
}

// launch starts a server; a node gets a network namespace of its own.
func (c *cluster) launch(args ...string) (*process, error) {
	log, err := os.OpenFile(filepath.Join(c.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p := &process{cmd: exec.Command(c.bin, args...), done: make(chan struct{})}
	p.cmd.Stderr = log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if c.o.namespaces && args[1] == "node" && args[len(args)-1] != "-second" {
		p.cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWNET
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// args is the command line of a node.
func (c *cluster) args(i int) []string {
	var list []string
	for v := range voters {
		list = append(list, name(v)+"="+c.peer(v))
	}
	return []string{
		"-mode", "node", "-name", name(i), "-dir", c.dir, "-listen", c.peer(i), "-http", c.http(i),
		"-db", c.dbAddr(), "-voters", strings.Join(list, ","), fmt.Sprintf("-dev=%v", !c.o.namespaces), "-ttl", ttl.String(),
	}
}

func (c *cluster) startDB() (err error) {
	c.db, err = c.launch("-mode", "db", "-dir", c.dir, "-http", c.dbAddr())
	return err
}

// restartDB is a crash of the database (F13).
func (c *cluster) restartDB(ctx context.Context, down time.Duration) error {
	_ = c.db.cmd.Process.Kill()
	<-c.db.done
	pause(ctx, down)
	return c.startDB()
}

// boot starts a node and gives it its network.
func (c *cluster) boot(ctx context.Context, i int) error {
	p, err := c.launch(c.args(i)...)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.procs[i] = p
	c.mu.Unlock()
	if !c.o.namespaces {
		return nil
	}
	_ = ip(ctx, fmt.Sprintf("link del v%d", i)) // of a dead predecessor, if it is still there
	pid := p.cmd.Process.Pid
	for _, line := range []string{
		fmt.Sprintf("ip link add v%d type veth peer name eth0 netns %d", i, pid),
		fmt.Sprintf("ip link set v%d master br0 up", i),
		fmt.Sprintf("nsenter -t %d -n ip link set lo up", pid),
		fmt.Sprintf("nsenter -t %d -n ip addr add %s/24 dev eth0", pid, c.ip(i)),
		fmt.Sprintf("nsenter -t %d -n ip link set eth0 up", pid),
	} {
		if err := command(ctx, line); err != nil {
			return err
		}
	}
	return nil
}

// health asks a node how it is.
func (c *cluster) health(i int) (leader string, ready bool) {
	resp, err := c.client.Get("http://" + c.http(i) + "/health")
	if err != nil {
		return "", false
	}
	defer resp.Body.Close()
	var h struct {
		Leader string
		Ready  bool
	}
	_ = json.NewDecoder(resp.Body).Decode(&h)
	return h.Leader, h.Ready
}

func (c *cluster) ready(ctx context.Context, i int) error {
	for try := 0; try < 300; try++ {
		if _, ok := c.health(i); ok {
			return nil
		}
		pause(ctx, 100*time.Millisecond)
	}
	tail, _ := os.ReadFile(filepath.Join(c.dir, "log"))
	return fmt.Errorf("%s is not ready after 30 s; the end of the log:\n%s", name(i), tail[max(0, len(tail)-4000):])
}

func (c *cluster) signal(i int, s syscall.Signal) *process {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.procs[i].cmd.Process.Signal(s)
	return c.procs[i]
}

// revive starts a node again if it has ended, and reports whether it had.
func (c *cluster) revive(ctx context.Context, i int) bool {
	c.mu.Lock()
	p := c.procs[i]
	c.mu.Unlock()
	select {
	case <-p.done:
		_ = c.boot(ctx, i)
		return true
	default:
		return false
	}
}

// close kills everything that this run started.
func (c *cluster) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range append(c.procs[:], c.db) {
		if p != nil {
			_ = p.cmd.Process.Kill()
			<-p.done
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
