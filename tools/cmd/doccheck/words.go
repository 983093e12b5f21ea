// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
)

// localWords match what is true on one machine only: absolute paths of a
// checkout or a home folder, and hosts of package registries, which belong into
// the user's own settings.
var localWords = []*regexp.Regexp{
	regexp.MustCompile(`(^|[\s"'=(])/(work|root)/[a-z.]`),
	regexp.MustCompile(`/(home|Users)/[a-z]+/`),
	regexp.MustCompile(`/tmp/(wt|team)\b`),
	regexp.MustCompile(`\b(proxy|sum|goproxy|registry|index|deb|mirrors?|security)\.[a-z]+(js)?\.(org|io|com|cn|dev)\b`),
	regexp.MustCompile(`\bGOPROXY=`),
	regexp.MustCompile(`"resolved": *"http`),
}

// checkWords reports the lines of a file that match localWords.
func checkWords(file, text string) []error {
	switch filepath.Ext(file) {
	case ".png", ".jpg", ".gz", ".ico", ".woff2":
		return nil
	}
	if strings.HasPrefix(file, "tools/cmd/doccheck/") || filepath.Base(file) == "go.sum" || strings.Contains(file, "/dist/") {
		return nil
	}
	var errs []error
	for i, line := range strings.Split(text, "\n") {
		for _, word := range localWords {
			if m := word.FindString(line); m != "" {
				errs = append(errs, fmt.Errorf("%s:%d: names something of one machine only: %q", file, i+1, strings.TrimSpace(m)))
			}
		}
	}
	return errs
}
