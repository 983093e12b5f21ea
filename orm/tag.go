// SPDX-License-Identifier: MIT

package orm

import (
	"fmt"
	"strings"
)

// tagOptions are what a field's `orm:"..."` tag says: options separated by
// commas.
//
//   - the field is left out: not stored, not compared
//     index       the field becomes a column that Find can use
//     name=gold   the field's name in the stored document
type tagOptions struct {
	skip, index bool
	name        string
}

// parseTag reads the value of an orm tag.
func parseTag(tag string) (tagOptions, error) {
	var opt tagOptions
	if tag == "" {
		return opt, nil
	}
	for _, part := range strings.Split(tag, ",") {
		name, isName := strings.CutPrefix(part, "name=")
		switch {
		case part == "-":
			opt.skip = true
		case part == "index":
			opt.index = true
		case isName && name != "":
			opt.name = name
		default:
			return opt, fmt.Errorf("unknown option %q in the orm tag: known are -, index, name=", part)
		}
	}
	return opt, nil
}
