// SPDX-License-Identifier: MIT

//go:build troupe_mutants

package core

import "fmt"

var (
	ablateExpireCAS     bool
	ablateExpireTerm    bool
	ablateGrace         bool
	ablateAckDeadline   bool
	ablateEntityEpoch   bool
	ablateGate          bool
	ablateTransferEpoch bool
	ablateDedupeSave    bool
	ablatePauseHold     bool
)

var ablations = map[string]*bool{
	"expire-cas":     &ablateExpireCAS,
	"expire-term":    &ablateExpireTerm,
	"grace":          &ablateGrace,
	"ack-deadline":   &ablateAckDeadline,
	"entity-epoch":   &ablateEntityEpoch,
	"gate":           &ablateGate,
	"transfer-epoch": &ablateTransferEpoch,
	"dedupe-save":    &ablateDedupeSave,
	"pause-hold":     &ablatePauseHold,
}

// SetAblation switches one rule off or on again. It must not run beside other
// uses of the package.
func SetAblation(name string, on bool) error {
	p, ok := ablations[name]
	if !ok {
		return fmt.Errorf("core: no ablation %q", name)
	}
	*p = on
	return nil
}
