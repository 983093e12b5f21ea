// SPDX-License-Identifier: MIT

package gate

import (
	"strconv"
	"unicode/utf8"
)

// maxLogText bounds client-chosen text in the log.
const maxLogText = 256

// quote makes text from a client safe for any log handler: bounded, one line,
// no control characters.
func quote(s string) string { return strconv.QuoteToASCII(cut(s, maxLogText)) }

// cut shortens s to at most n bytes at a rune boundary.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
