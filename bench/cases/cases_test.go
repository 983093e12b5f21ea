// SPDX-License-Identifier: MIT

package cases

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/troupe-go/troupe/bench/compare"
)

// TestCasesRun runs every contender of this program with little work: the
// checksums of the cases prove that nothing is lost or done twice.
func TestCasesRun(t *testing.T) {
	for _, c := range All(Plain()...) {
		if c.Name == "timer/periodic" || c.Long {
			continue // takes seconds; `compare -smoke` runs it
		}
		for _, who := range c.Contenders {
			if who.New == nil {
				continue
			}
			t.Run(c.Name+" "+who.Name, func(t *testing.T) {
				var out bytes.Buffer
				if err := compare.RunChild(&out, []compare.Case{c}, c.Name, who.Name, max(16, c.N/500), 2); err != nil {
					t.Fatal(err)
				}
				var sample struct{ Error string }
				if err := json.Unmarshal(out.Bytes(), &sample); err != nil || sample.Error != "" {
					t.Errorf("got %v, %q", err, sample.Error)
				}
			})
		}
	}
}

// TestNamesAreUnique guards the results, which are keyed by these names.
func TestNamesAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range All(Plain()...) {
		if c.About == "" {
			t.Errorf("%s: no description", c.Name)
		}
		for _, who := range c.Contenders {
			key := c.Name + " " + who.Name + " " + who.Variant
			if seen[key] {
				t.Errorf("%s is there twice", key)
			}
			seen[key] = true
		}
	}
}
