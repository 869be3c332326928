package target

import (
	"os"

	"golang.org/x/sys/unix"
)

func syncfs(fd int) error { return unix.Syncfs(fd) }

// startWrite begins to write the dirty pages of a file and does not wait for
// them. It says nothing about errors: the flush that counts comes later.
func startWrite(f *os.File) {
	raw, err := f.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { _ = unix.SyncFileRange(int(fd), 0, 0, unix.SYNC_FILE_RANGE_WRITE) })
}
