// SPDX-License-Identifier: MIT

// Command prove runs every layer of the proofs and writes what came of it to
// docs/RELIABILITY-REPORT.md. It must be run in the root of the repository.
//
//	go run ./chaos/prove -seeds 2000 -runs 10 -duration 4m
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"
)

func main() {
	seeds := flag.Int("seeds", 2000, "seeds of the simulation of whole nodes")
	coreSeeds := flag.Int("core-seeds", 2000, "seeds of the simulation of the core")
	coreLength := flag.Duration("core-length", 9*time.Minute, "virtual time of faults for each of those")
	runs := flag.Int("runs", 10, "runs of real processes")
	duration := flag.Duration("duration", 4*time.Minute, "length of each of them")
	label := flag.String("label", "full", "what kind of run the report says this is")
	notes := flag.String("notes", "docs/reliability-notes.md", "file whose text ends the report")
	out := flag.String("o", "docs/RELIABILITY-REPORT.md", "the report")
	pattern := flag.String("only", "", "run only the steps whose titles match, and keep the rest of the report")
	flag.Parse()
	only, err := regexp.Compile(*pattern)
	if err != nil {
		fmt.Fprintln(os.Stderr, "prove:", err)
		os.Exit(2)
	}
	if err := prove(only, *seeds, *coreSeeds, *coreLength, *runs, *duration, *label, *notes, *out); err != nil {
		fmt.Fprintln(os.Stderr, "prove:", err)
		os.Exit(1)
	}
}

// step is one command of a proof and the lines of its output that count.
type step struct {
	title string
	args  []string
	keep  *regexp.Regexp
}

var (
	totals     = regexp.MustCompile(`total: .*|^ok .*|^FAIL.*|^\s+I\d+: .*|^panic: .*|seed \d+:.*`)
	states     = regexp.MustCompile(`^ok .*|^FAIL.*|--- (PASS|FAIL).*|states.*`)
	everything = regexp.MustCompile(`.+`)
)

func prove(only *regexp.Regexp, seeds, coreSeeds int, coreLength time.Duration, runs int, duration time.Duration, label, notes, out string) error {
	steps := []step{
		{"L1: exhaustive search over the core", []string{"go", "test", "-count=1", "-v", "./internal/model"}, states},
		{"L2: the core in one goroutine", []string{"go", "test", "-count=1", "-v", "-timeout", "60m", "-run", "TestSeeds", "./internal/coresim", "-seeds", fmt.Sprint(coreSeeds), "-length", coreLength.String(), "-shrink", "0"}, totals},
		{"L2: the core in one goroutine: the same seed is the same run; wall clocks; rules left out", []string{"go", "test", "-count=1", "-v", "-run", "TestRepro|TestWall|TestRules", "./internal/coresim"}, states},
		{"L2: metastore with the real raft in virtual time", []string{"go", "test", "-count=1", "-v", "-timeout", "60m", "-run", "TestSimulation", "./internal/metastore", "-sim.seeds", fmt.Sprint(max(3, seeds/20))}, regexp.MustCompile(`^ok .*|^FAIL.*|I\d+: .*`)},
		{"L2: whole nodes, raft, documents in virtual time", []string{"go", "test", "-count=1", "-v", "-timeout", "60m", "-run", "TestSeeds", "./internal/sim", "-seeds", fmt.Sprint(seeds), "-shrink", "0"}, totals},
		{"L4: mutants", []string{"go", "run", "./chaos/mutants"}, everything},
	}
	for i := range runs {
		page := filepath.Join(os.TempDir(), fmt.Sprintf("chaos-%d.html", i+1))
		steps = append(steps, step{
			fmt.Sprintf("L3: real processes, seed %d", i+1),
			[]string{"go", "run", "./chaos", "-duration", duration.String(), "-every", "1500ms", "-seed", fmt.Sprint(i + 1), "-json", "-report", page},
			everything,
		})
	}
	r := &report{path: out, notes: notes, label: label}
	failed := 0
	for _, s := range steps {
		if !only.MatchString(s.title) {
			continue
		}
		fmt.Println("==", strings.Join(s.args, " "))
		begin := time.Now()
		text, err := exec.Command(s.args[0], s.args[1:]...).CombinedOutput()
		verdict := "passed"
		if err != nil {
			failed++
			verdict = "FAILED"
		}
		fmt.Println(verdict)
		// After every step: a run that is interrupted has its report, too.
		if err := r.put(s, text, verdict, time.Since(begin)); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d steps failed; see %s", failed, out)
	}
	return nil
}

// report is the file: a head, one section per step, the notes. Sections of
// steps that did not run stay as they are.
type report struct{ path, notes, label string }

const notesBegin = "## What the harness found"

func (r *report) put(s step, text []byte, verdict string, took time.Duration) error {
	old, err := os.ReadFile(r.path)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	body, _, _ := strings.Cut(string(old), notesBegin)
	sections := strings.Split(body, "\n## ")[1:]
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s in %v\n\n    %s\n\n%s, commit %s, %s/%s, %d cores, %s\n\n```\n", s.title, verdict, took.Round(time.Second),
		strings.Join(s.args, " "), time.Now().UTC().Format("2006-01-02 15:04 UTC"), capture("git", "describe", "--always", "--dirty"),
		runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
	for _, line := range pick(text, s.keep) {
		b.WriteString(line + "\n")
	}
	b.WriteString("```\n")
	at := slices.IndexFunc(sections, func(x string) bool { return strings.HasPrefix(x, s.title+": ") })
	if at >= 0 {
		sections[at] = b.String()
	} else {
		sections = append(sections, b.String())
	}
	slices.Sort(sections)
	notes, err := os.ReadFile(r.notes)
	if err != nil {
		return err
	}
	head := "# Reliability report\n\nWritten by `make prove`. Kind of run: **" + r.label + "**. Every section says when it ran, on which commit.\n"
	for _, x := range sections {
		head += "\n## " + strings.TrimRight(x, "\n") + "\n"
	}
	return os.WriteFile(r.path, []byte(head+"\n"+string(notes)), 0o644)
}

// pick returns the lines of text that count, no more than a screen or two.
func pick(text []byte, keep *regexp.Regexp) []string {
	const most = 60
	var lines []string
	for line := range bytes.Lines(text) {
		if found := keep.Find(bytes.TrimRight(line, "\n")); found != nil && len(lines) < most {
			lines = append(lines, string(found[:min(len(found), 1500)]))
		}
	}
	return lines
}

func capture(args ...string) string {
	out, err := exec.Command(args[0], args[1:]...).Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}
