// SPDX-License-Identifier: MIT

package metastore

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"unsafe"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestPowerCut (F7): what the log store has answered survives a power cut. An
// ext4 in a file is shut down without flushing, as if its disk lost power, and
// mounted again. It needs root and a loop device.
func TestPowerCut(t *testing.T) {
	disk := newCutDisk(t)
	s, err := openStores(disk.dir, nil, hclog.NewNullLogger())
	require.NoError(t, err)
	const entries = 50
	for i := uint64(1); i <= entries; i++ {
		require.NoError(t, s.log.StoreLog(&raft.Log{Index: i, Term: 1, Data: make([]byte, 2000)}))
	}
	require.NoError(t, s.log.SetUint64([]byte("term"), 7))
	disk.cut()
	_ = s.log.Close()
	disk.restore()

	s, err = openStores(disk.dir, nil, hclog.NewNullLogger())
	require.NoError(t, err, "R: the log does not open after a power cut")
	defer s.log.Close()
	last, err := s.log.LastIndex()
	require.NoError(t, err)
	require.EqualValues(t, entries, last, "I6: the power cut lost committed entries")
	term, err := s.log.GetUint64([]byte("term"))
	require.NoError(t, err)
	require.EqualValues(t, 7, term, "I6: the power cut lost the term")
}

// cutDisk is a file system whose power can be cut.
type cutDisk struct {
	t          *testing.T
	image, dir string
}

func newCutDisk(t *testing.T) *cutDisk {
	if os.Getuid() != 0 || testing.Short() {
		t.Skip("needs root")
	}
	at := t.TempDir()
	d := &cutDisk{t: t, image: filepath.Join(at, "image"), dir: filepath.Join(at, "mnt")}
	require.NoError(t, os.Mkdir(d.dir, 0o700))
	require.NoError(t, os.WriteFile(d.image, nil, 0o600))
	require.NoError(t, os.Truncate(d.image, 64<<20))
	if out, err := exec.CommandContext(t.Context(), "mkfs.ext4", "-q", "-F", d.image).CombinedOutput(); err != nil {
		t.Skipf("no mkfs.ext4: %v %s", err, out)
	}
	if err := d.mount(); err != nil {
		t.Skip("no loop device:", err)
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", d.dir).Run() })
	return d
}

func (d *cutDisk) mount() error {
	out, err := exec.CommandContext(d.t.Context(), "mount", "-o", "loop", d.image, d.dir).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// cut shuts the file system down without writing its journal.
func (d *cutDisk) cut() {
	const ext4Shutdown, noLogFlush = 0x8004587d, 2
	f, err := os.Open(d.dir)
	require.NoError(d.t, err)
	defer f.Close()
	flag := uint32(noLogFlush)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), ext4Shutdown, uintptr(unsafe.Pointer(&flag)))
	if errno != 0 {
		d.t.Skip("the file system cannot be shut down:", errno)
	}
}

func (d *cutDisk) restore() {
	out, err := exec.CommandContext(d.t.Context(), "umount", d.dir).CombinedOutput()
	require.NoError(d.t, err, "%s", out)
	require.NoError(d.t, d.mount())
}
