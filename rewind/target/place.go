package target

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Suffixes of what [PlaceFile] puts beside a file. No server reads such names.
const (
	PlacedSuffix = ".forkpoint"
	KeptSuffix   = ".before-repair"
)

// ErrKept is matched where what an earlier call has kept would be lost.
var ErrKept = errors.New("an earlier repair kept its file there")

// PlaceFile writes a small file into a folder of WAL: pg_wal, whose server may
// run, or an archive. It is written beside the name, and with inPlace takes the
// name by one rename; what had it before is kept beside it. Wherever it stops,
// the name has the old content or the new one, and both are there.
//
// The folder must belong to this process's user, for a server could not read
// the file otherwise. The results are where the new and the old content are.
func PlaceFile(fsys FS, name string, data []byte, inPlace bool) (path, kept string, err error) {
	folder := filepath.Dir(name)
	if err := fsys.Declare(folder); err != nil {
		return "", "", err
	}
	info, err := fsys.Lstat(folder)
	if err != nil {
		return "", "", err
	}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok && int(sys.Uid) != os.Geteuid() {
		return "", "", &OwnerError{Dir: folder, Owner: int(sys.Uid), User: os.Geteuid()}
	}
	path = name + PlacedSuffix
	if err := RemoveTree(fsys, path); err != nil {
		return "", "", err
	}
	if err := WriteFile(fsys, path, data); err != nil {
		return "", "", err
	}
	if info.Mode().Perm()&0o050 == 0o050 { // as the folder, so its files: the group may read
		if err := fsys.Chmod(path, 0o640); err != nil {
			return "", "", err
		}
	}
	if !inPlace {
		return path, "", fsys.SyncDir(folder)
	}
	switch _, err := fsys.Lstat(name); {
	case err == nil:
		kept = name + KeptSuffix
		if err := fsys.Link(name, kept); errors.Is(err, fs.ErrExist) {
			return "", "", fmt.Errorf("%s: %w", kept, ErrKept)
		} else if err != nil {
			return "", "", err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return "", "", err
	}
	if err := fsys.SyncDir(folder); err != nil {
		return "", "", err
	}
	if err := fsys.Rename(path, name); err != nil {
		return "", "", err
	}
	return name, kept, fsys.SyncDir(folder)
}
