// SPDX-License-Identifier: MIT

package docs

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// listing is a file of one step of the tutorial. Files stay for the steps that
// follow, until they are replaced.
var listing = regexp.MustCompile("(?s)<!-- not compiled: step (\\d+), (\\S+); [^\n]*-->\n```go\n(.*?)\n```")

// output is what the tutorial shows of a run.
var output = regexp.MustCompile("(?s)```sh\n\\$ go run \\.[^\n]*\n(.*?)```")

// TestTutorial does what a reader of tutorial.md does: it writes each step's
// files, generates, tests, runs, and compares what is printed.
func TestTutorial(t *testing.T) {
	if testing.Short() {
		t.Skip("builds programs")
	}
	text, err := os.ReadFile("tutorial.md")
	require.NoError(t, err)
	// Inside the module, so that it is built with this version of troupe.
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	dir := filepath.Join(root, "tmp", "tutorial")
	require.NoError(t, os.RemoveAll(dir))
	require.NoError(t, os.MkdirAll(dir, 0o755))
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	command := func(name string, args ...string) string {
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOWORK="+filepath.Join(root, "go.work"))
		out, err := cmd.Output()
		require.NoError(t, err, "%s %v\n%s%s", name, args, out, stderr(err))
		return string(out)
	}

	troupe := filepath.Join(t.TempDir(), "troupe")
	command("go", "build", "-o", troupe, "github.com/troupe-go/troupe/cmd/troupe")

	steps := strings.Split(string(text), "\n## ")
	require.Greater(t, len(steps), 4)
	for i, step := range steps[1:] {
		files := listing.FindAllStringSubmatch(step, -1)
		for _, f := range files {
			require.Equal(t, fmt.Sprint(i+1), f[1], "the number of the step of %s", f[2])
			require.NoError(t, os.WriteFile(filepath.Join(dir, f[2]), []byte(f[3]+"\n"), 0o644))
		}
		if len(files) == 0 {
			continue
		}
		if i+1 == 6 { // as the text says
			replace(t, filepath.Join(dir, "counter_test.go"), "start(ctx)", "start(ctx, troupe.Config{})")
		}
		if i > 0 {
			command(troupe, "gen")
		}
		require.Empty(t, command("gofmt", "-l", "."), "step %d", i+1)
		if tests, _ := filepath.Glob(filepath.Join(dir, "*_test.go")); len(tests) > 0 {
			command("go", "test", ".")
		}
		for _, want := range output.FindAllStringSubmatch(step, -1) {
			require.Equal(t, want[1], command("go", "run", "."), "step %d", i+1)
		}
	}
}

func replace(t *testing.T, file, old, with string) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(text), old)
	require.NoError(t, os.WriteFile(file, []byte(strings.ReplaceAll(string(text), old, with)), 0o644))
}

func stderr(err error) string {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return ""
	}
	return string(exit.Stderr)
}
