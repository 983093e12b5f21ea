// SPDX-License-Identifier: MIT

package model

import (
	"unicode"
	"unicode/utf8"
)

// Upper returns name with its first letter in upper case.
func Upper(name string) string { return mapFirst(name, unicode.ToUpper) }

// Lower returns name with its first letter in lower case.
func Lower(name string) string { return mapFirst(name, unicode.ToLower) }

func mapFirst(name string, change func(rune) rune) string {
	r, n := utf8.DecodeRuneInString(name)
	if n == 0 {
		return name
	}
	return string(change(r)) + name[n:]
}

// Locals are the variables of generated codecs. Types and packages with these
// names cannot be used in them.
var Locals = []string{
	"b", "content", "depth", "elem", "entry", "err", "i", "key", "keys", "m", "n",
	"num", "packed", "room", "size", "start", "tag", "v", "whole",
}
