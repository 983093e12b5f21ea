// SPDX-License-Identifier: MIT

package web

import (
	"os"
	"os/exec"
	"testing"
)

// TestBrowser runs test/browser.mjs. It needs MMO_BROWSER=1, node, Chromium, and
// npm ci in this directory.
func TestBrowser(t *testing.T) {
	if os.Getenv("MMO_BROWSER") == "" {
		t.Skip("set MMO_BROWSER=1 to run the page in Chromium")
	}
	cmd := exec.CommandContext(t.Context(), "node", "test/browser.mjs")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
}
