// SPDX-License-Identifier: MIT

// Package web holds the built page, so that no tool is needed to run the game.
// To build it: npm ci && npm run build in this directory.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// Page returns the files to serve.
func Page() fs.FS {
	page, err := fs.Sub(dist, "dist")
	if err != nil {
		return dist // cannot happen: the path is constant and valid
	}
	return page
}
