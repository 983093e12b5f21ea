// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/troupe-go/troupe/bench/compare"
)

// TestCasesRun runs every contender with little work.
func TestCasesRun(t *testing.T) {
	for _, c := range all() {
		server := strings.ToUpper(c.Name[strings.LastIndex(c.Name, "/")+1:])
		if (server == "POSTGRES" || server == "MYSQL") && os.Getenv("TROUPE_TEST_"+server) == "" {
			continue
		}
		for _, who := range c.Contenders {
			t.Run(c.Name+" "+who.Name, func(t *testing.T) {
				var out bytes.Buffer
				if err := compare.RunChild(&out, all(), c.Name, who.Name, 50, 2); err != nil {
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
