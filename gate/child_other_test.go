// SPDX-License-Identifier: MIT

//go:build !unix

package gate

import "errors"

func limitFiles(uint64) error { return errors.ErrUnsupported }
