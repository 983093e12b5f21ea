// SPDX-License-Identifier: MIT

// Command mutants breaks one rule of the library at a time and runs the check
// that is there to notice. A harness that cannot fail proves nothing.
//
//	go run ./chaos/mutants [-fast] [-only name]
//
// Rules of the metastore's core are switched off by its ablations (build tag
// troupe_mutants), whose tests pass when the violation is found. All others are
// edits of a source file, given to the compiler as an overlay: the tree is not
// touched, and the check has to fail with a numbered violation. It must be run
// in the root of the repository.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

func main() {
	fast := flag.Bool("fast", false, "three mutants only, one of each layer")
	only := flag.String("only", "", "names of mutants, comma separated")
	flag.Parse()
	pick := func(list []mutant) []mutant {
		return slices.DeleteFunc(slices.Clone(list), func(m mutant) bool {
			return *fast && !m.fast || *only != "" && !slices.Contains(strings.Split(*only, ","), m.name)
		})
	}
	survived := runAll("mutants", pick(listed)) + runAll("further mutants", pick(extra))
	if survived > 0 {
		os.Exit(1)
	}
}

// runAll returns how many survived.
func runAll(what string, list []mutant) int {
	if len(list) == 0 {
		return 0
	}
	caught := 0
	for _, m := range list {
		begin := time.Now()
		verdict, err := m.run()
		if err == nil {
			caught++
		} else {
			verdict = "SURVIVED: " + err.Error()
		}
		fmt.Printf("%-26s %-6s %6.1fs  %s\n", m.name, m.layer, time.Since(begin).Seconds(), verdict)
	}
	fmt.Printf("%s caught: %d/%d\n", what, caught, len(list))
	return len(list) - caught
}

// violation is how a check names what it found.
var violation = regexp.MustCompile(`(?m)\b(I\d+|R\d+|O\d+): .{0,140}`)

// run reports how the mutant was caught, or why not.
func (m mutant) run() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	args := []string{"test", "-count=1", "-v"}
	if m.ablation {
		args = append(args, "-tags", "troupe_mutants")
	} else {
		overlay, cleanup, err := m.overlay()
		if err != nil {
			return "", err
		}
		defer cleanup()
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, m.check...)...)
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	text := string(out)
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case strings.Contains(text, "[build failed]"), strings.Contains(text, "[setup failed]"), strings.Contains(text, "no tests to run"),
		strings.Contains(text, "--- SKIP"):
		return "", fmt.Errorf("the check did not run:\n%s", text)
	case m.ablation && err != nil:
		return "", fmt.Errorf("%w\n%s", err, text)
	case m.ablation:
		return "caught by the test that switches it off", nil
	case err == nil:
		return "", fmt.Errorf("%v passed", m.check)
	}
	if found := violation.FindString(text); found != "" {
		return "caught: " + found, nil
	}
	if m.anyFailure && strings.Contains(text, "--- FAIL") {
		return "caught by its test", nil
	}
	return "", fmt.Errorf("failed for another reason:\n%s", text[max(0, len(text)-2000):])
}

// overlay writes the edited files and the compiler's list of them.
func (m mutant) overlay() (string, func(), error) {
	dir, err := os.MkdirTemp("", "mutant")
	if err != nil {
		return "", nil, err
	}
	cleanup := func() { _ = os.RemoveAll(dir) }
	replace := make(map[string]string)
	for i, e := range m.edits {
		path, err := filepath.Abs(e.file)
		if err != nil {
			return "", cleanup, err
		}
		from := path
		if replace[path] != "" {
			from = replace[path]
		}
		text, err := os.ReadFile(from)
		if err != nil {
			return "", cleanup, err
		}
		if strings.Count(string(text), e.old) != 1 {
			return "", cleanup, fmt.Errorf("%s has not exactly one %q: the mutant is out of date", e.file, e.old)
		}
		to := filepath.Join(dir, fmt.Sprintf("%d.go", i))
		if err := os.WriteFile(to, []byte(strings.Replace(string(text), e.old, e.new, 1)), 0o600); err != nil {
			return "", cleanup, err
		}
		replace[path] = to
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", cleanup, err
	}
	name := filepath.Join(dir, "overlay.json")
	return name, cleanup, os.WriteFile(name, list, 0o600)
}
