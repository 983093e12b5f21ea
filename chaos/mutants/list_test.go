// SPDX-License-Identifier: MIT

package main

import "testing"

// TestEditsApply: a mutant whose edit no longer fits proves nothing.
func TestEditsApply(t *testing.T) {
	t.Chdir("../..")
	if len(listed) != 17 {
		t.Errorf("%d mutants are listed, the plan names 17", len(listed))
	}
	for _, m := range append(append([]mutant{}, listed...), extra...) {
		t.Run(m.name, func(t *testing.T) {
			_, cleanup, err := m.overlay()
			if cleanup != nil {
				defer cleanup()
			}
			if err != nil {
				t.Error(err)
			}
			if m.ablation != (len(m.edits) == 0) {
				t.Error("a mutant either switches a rule off or edits files")
			}
		})
	}
}
