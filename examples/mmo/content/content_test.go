// SPDX-License-Identifier: MIT

package content

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReloadKeepsOldTablesWhenFilesAreBad(t *testing.T) {
	dir := t.TempDir()
	c, err := Open(dir)
	require.NoError(t, err)
	before := c.Tables()
	require.NotEmpty(t, before.Shop)

	write := func(text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "shop.json"), []byte(text), 0o600))
	}
	write("[1, 999]")
	require.ErrorIs(t, c.Reload(), ErrContent)
	require.Same(t, before, c.Tables())

	write("[2]")
	require.NoError(t, c.Reload())
	require.Len(t, c.Tables().Shop, 1)
	require.Equal(t, "Loaf of Bread", c.Tables().Shop[0].Name)
	require.Len(t, before.Shop, 5, "tables that are in use do not change")
}
