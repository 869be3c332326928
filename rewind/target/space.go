package target

import (
	"io/fs"
	"syscall"

	"golang.org/x/sys/unix"
)

// Space is the room on the file system that holds a directory.
type Space struct {
	Device uint64 // tells file systems apart
	Free   int64  // bytes that this user may still fill
	Total  int64  // bytes
}

// SpaceOf asks the file system of dir, which must exist.
func SpaceOf(dir string) (Space, error) {
	var stat unix.Stat_t
	if err := unix.Stat(dir, &stat); err != nil {
		return Space{}, &fs.PathError{Op: "stat", Path: dir, Err: err}
	}
	var room unix.Statfs_t
	if err := unix.Statfs(dir, &room); err != nil {
		return Space{}, &fs.PathError{Op: "statfs", Path: dir, Err: err}
	}
	unit := int64(room.Bsize)
	return Space{uint64(stat.Dev), int64(room.Bavail) * unit, int64(room.Blocks) * unit}, nil
}

// Allocated is how many bytes of a file have room of their own, without holes and
// without what was set aside beyond its end; 0 where there is no such file.
func Allocated(name string) int64 {
	var stat unix.Stat_t
	if err := unix.Lstat(name, &stat); err != nil {
		return 0
	}
	return min(stat.Size, int64(stat.Blocks)*512)
}

// device is the file system that a file is on; 0 when it is not a real file.
func device(info fs.FileInfo) uint64 {
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(sys.Dev)
	}
	return 0
}
