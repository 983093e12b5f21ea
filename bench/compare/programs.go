// SPDX-License-Identifier: MIT

package compare

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// peers is the import path below which the programs of other libraries are.
const peers = "github.com/troupe-go/troupe/bench/peers/"

// program is a built measuring program, or the reason why there is none.
type program struct {
	path    string
	failure string
}

// build compiles the programs that the cases need. The key "" is the running
// program. A peer that does not build fails its own contenders and nobody
// else's. The programs are kept in the repository's ignored folder bin/, where
// the go command finds them up to date the next time.
func build(ctx context.Context, cases []Case, opt Options) (map[string]program, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find own program: %w", err)
	}
	source := moduleDir()
	dir := filepath.Join(source, "..", "bin", "bench")
	if source == "" {
		dir = filepath.Join(os.TempDir(), "troupe-bench")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make a folder for the peers' programs: %w", err)
	}
	programs := map[string]program{"": {path: self}}
	for _, c := range cases {
		for _, who := range c.Contenders {
			if _, done := programs[who.Program]; done || !opt.wants(who) {
				continue
			}
			fmt.Fprintf(opt.Progress, "building %s (the first time takes a minute or more)\n", who.Program)
			path := filepath.Join(dir, who.Program)
			cmd := exec.CommandContext(ctx, "go", "build", "-o", path, peers+who.Program)
			cmd.Dir = source
			if own := filepath.Join(source, "peers", who.Program); exists(filepath.Join(own, "go.mod")) {
				cmd.Dir = own // a module of its own
			}
			out, err := cmd.CombinedOutput()
			p := program{path: path}
			if err != nil {
				p.failure = fmt.Sprintf("build: %v: %s", err, strings.TrimSpace(string(out)))
			}
			programs[who.Program] = p
		}
	}
	return programs, nil
}

// moduleDir returns the folder of this module's source, so that the program can
// be started from anywhere; empty, the current folder, when it is not known.
func moduleDir() string {
	_, file, _, ok := runtime.Caller(0)
	dir := filepath.Dir(filepath.Dir(file))
	if !ok || !exists(filepath.Join(dir, "go.mod")) {
		return ""
	}
	return dir
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// wants reports whether the contender was asked for.
func (o Options) wants(who Contender) bool {
	return len(o.Only) == 0 || slices.Contains(o.Only, who.Name)
}
