// SPDX-License-Identifier: MIT

package cases

import (
	"fmt"
	"os"
	"testing"

	"github.com/troupe-go/troupe/bench/compare"
)

// TestMain makes the test's program one that can be started again as another
// process of a contender.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "-role" {
		if err := compare.RunRole(Roles(Plain()...), os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}
