// SPDX-License-Identifier: MIT

package gen_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// everything is the package with every supported type.
const everything = "../../../../internal/wire/gentest"

// samples returns a file with random encodings of Game.Echo's parameters.
func samples(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "samples")
	run(t, everything, "env", "TROUPE_SAMPLES="+name, "go", "test", "-count=1", "-run=TestWriteSamples", ".")
	return name
}

func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// need skips the test without the programs; CI has to have them.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			missing(t, err)
		}
	}
}

func missing(t *testing.T, what any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	check(t, err)
	check(t, os.WriteFile(to, data, 0o644))
}

const tsConfig = `{"compilerOptions": {
	"strict": true, "noUnusedLocals": true, "noUnusedParameters": true, "exactOptionalPropertyTypes": true,
	"noImplicitReturns": true, "erasableSyntaxOnly": true, "skipLibCheck": true,
	"target": "es2022", "module": "nodenext", "moduleResolution": "nodenext"
}, "files": ["game.ts"]}
`

// TestTypeScriptClient compiles the client of every type strictly, and lets it
// read and write what Go wrote. TROUPE_NODE_MODULES names a directory with
// typescript 5 and @bufbuild/protobuf 2.
func TestTypeScriptClient(t *testing.T) {
	t.Parallel()
	modules := os.Getenv("TROUPE_NODE_MODULES")
	if modules == "" {
		missing(t, "TROUPE_NODE_MODULES names no directory")
	}
	need(t, "node")
	file, dir := samples(t), t.TempDir()
	check(t, os.Symlink(modules, filepath.Join(dir, "node_modules")))
	w := workspace{t, everything}
	w.mustGen("-proto", "gentest.proto", "-ts", filepath.Join(dir, "game.ts"))
	w = workspace{t, dir}
	w.write("package.json", `{"type": "module"}`)
	w.write("tsconfig.json", tsConfig)
	run(t, dir, "node", "node_modules/typescript/bin/tsc", "-p", ".")
	copyFile(t, "testdata/clients/check.mjs", filepath.Join(dir, "check.mjs"))
	t.Log(run(t, dir, "node", "check.mjs", file, "GameEchoArgs"))
}

// TestCSharpClient is the same for C#, with the compiler and runtime of mono.
func TestCSharpClient(t *testing.T) {
	t.Parallel()
	need(t, "mcs", "mono")
	file, dir := samples(t), t.TempDir()
	w := workspace{t, everything}
	w.mustGen("-proto", "gentest.proto", "-cs", filepath.Join(dir, "Game.cs"))
	copyFile(t, "testdata/clients/Check.cs", filepath.Join(dir, "Check.cs"))
	run(t, dir, "mcs", "-langversion:7", "-warnaserror", "-out:check.exe", "Check.cs", "Game.cs")
	t.Log(run(t, dir, "mono", "check.exe", file))
}

// TestProtoFile compiles the emitted .proto. Package gentest compares messages
// made from it with the codecs.
func TestProtoFile(t *testing.T) {
	t.Parallel()
	need(t, "protoc")
	out := filepath.Join(t.TempDir(), "gentest.binpb")
	run(t, everything, "protoc", "--include_imports", "--descriptor_set_out="+out, "gentest.proto")
	got, err := os.ReadFile(out)
	check(t, err)
	want, err := os.ReadFile(filepath.Join(everything, "gentest.binpb"))
	check(t, err)
	if string(got) != string(want) {
		t.Error("gentest.binpb is not up to date")
	}
}
