// SPDX-License-Identifier: MIT

// Fuzz runs every fuzz target of every module for a short time. The go command
// fuzzes one target per invocation; this builds each test binary once, with
// coverage instrumentation, and runs the targets a few at a time.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

// target is one fuzz function.
type target struct {
	dir  string // package directory
	name string
	bin  string // its package's instrumented test binary
}

func main() {
	root := flag.String("root", ".", "top of the repository")
	each := flag.Duration("time", 10*time.Second, "how long to fuzz each target")
	jobs := flag.Int("jobs", 2, "targets at a time; each uses one worker")
	match := flag.String("run", "", "only targets whose dir:name matches this expression")
	flag.Parse()
	if err := run(*root, *each, *jobs, *match); err != nil {
		fmt.Fprintln(os.Stderr, "fuzz:", err)
		os.Exit(1)
	}
}

func run(root string, each time.Duration, jobs int, match string) error {
	only, err := regexp.Compile(match)
	if err != nil {
		return err
	}
	root, err = filepath.Abs(root)
	if err != nil {
		return err
	}
	targets, err := discover(root, only)
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp("", "fuzz")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if err := build(targets, tmp); err != nil {
		return err
	}
	fmt.Printf("fuzzing %d targets for %v each, %d at a time\n", len(targets), each, jobs)
	return fuzzAll(root, targets, tmp, each, jobs)
}

var fuzzFunc = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(\w+ \*testing\.F\)`)

// discover finds the fuzz functions below root.
func discover(root string, only *regexp.Regexp) ([]target, error) {
	var targets []target
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if path != root && (strings.HasPrefix(name, ".") || name == "node_modules" || name == "testdata" || name == "tmp" || name == "bin") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, "_test.go") {
			return nil
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range fuzzFunc.FindAllSubmatch(src, -1) {
			t := target{dir: filepath.Dir(path), name: string(m[1])}
			if only.MatchString(t.dir + ":" + t.name) {
				targets = append(targets, t)
			}
		}
		return nil
	})
	sort.SliceStable(targets, func(i, j int) bool { return targets[i].dir < targets[j].dir })
	return targets, err
}

// build compiles one instrumented test binary per package and notes it in the targets.
func build(targets []target, tmp string) error {
	bins := map[string]string{}
	for i := range targets {
		t := &targets[i]
		if t.bin = bins[t.dir]; t.bin != "" {
			continue
		}
		t.bin = filepath.Join(tmp, strconv.Itoa(len(bins))+".test")
		bins[t.dir] = t.bin
		cmd := exec.Command("go", "test", "-c", "-fuzz=.", "-o", t.bin, ".")
		cmd.Dir = t.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", t.dir, err, out)
		}
	}
	return nil
}

// fuzzAll runs the targets and reports all failures, not only the first.
func fuzzAll(root string, targets []target, tmp string, each time.Duration, jobs int) error {
	var (
		mu     sync.Mutex
		failed []string
		wg     sync.WaitGroup
	)
	queue := make(chan target)
	for range max(jobs, 1) {
		wg.Go(func() {
			for t := range queue {
				rel, _ := filepath.Rel(root, t.dir)
				line, out, err := fuzzOne(t, tmp, each)
				mu.Lock()
				if err != nil {
					failed = append(failed, rel+":"+t.name)
					fmt.Printf("FAIL %s %s: %v\n%s\n", rel, t.name, err, out)
				} else {
					fmt.Printf("ok   %s %s  %s\n", rel, t.name, line)
				}
				mu.Unlock()
			}
		})
	}
	for _, t := range targets {
		queue <- t
	}
	close(queue)
	wg.Wait()
	if len(failed) > 0 {
		return fmt.Errorf("%d of %d targets failed: %s", len(failed), len(targets), strings.Join(failed, " "))
	}
	return nil
}

// fuzzOne fuzzes one target; line is the fuzzer's last progress line. New
// failing inputs are written to the package's testdata, as by the go command.
func fuzzOne(t target, tmp string, each time.Duration) (line string, out []byte, err error) {
	// Minimizing and the baseline run take time beyond the fuzzing itself.
	ctx, cancel := context.WithTimeout(context.Background(), each+2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, t.bin,
		"-test.run=^$", "-test.fuzz=^"+t.name+"$", "-test.fuzztime="+each.String(),
		"-test.fuzzminimizetime=5s", "-test.fuzzcachedir="+filepath.Join(tmp, "cache", t.name),
		"-test.parallel=1", "-test.timeout=0")
	cmd.Dir = t.dir
	start := time.Now()
	out, err = cmd.CombinedOutput()
	// A target that is in the middle of an input when its time is up sometimes
	// ends with this text, and nothing else, instead of success.
	if err != nil && time.Since(start) >= each && bytes.Contains(out, []byte("context deadline exceeded")) &&
		!bytes.Contains(out, []byte("Failing input written")) && !bytes.Contains(out, []byte("panic:")) {
		err = nil
	}
	for _, l := range bytes.Split(out, []byte("\n")) {
		if bytes.HasPrefix(l, []byte("fuzz: elapsed")) {
			line = string(l)
		}
	}
	return line, out, err
}
