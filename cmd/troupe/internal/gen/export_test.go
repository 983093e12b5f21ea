// SPDX-License-Identifier: MIT

package gen

import "github.com/troupe-go/troupe/cmd/troupe/internal/model"

// RunPackage is what Run does with a package that is loaded already.
func RunPackage(p *model.Package, check bool) error {
	files, err := packageFiles(p, false)
	if err != nil {
		return err
	}
	return finish(files, check)
}
