package target

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// identityFile is made with a data directory and never written again, neither
// by servers nor by a rewind.
const identityFile = "PG_VERSION"

// Identity tells a data directory from another one that took its place, such as
// a new base backup. The device is no part of it: its number may be another one
// after the machine was started again.
type Identity struct {
	Inode uint64    `json:"inode"`
	Born  time.Time `json:"born,omitzero"` // zero where the file system does not tell
}

// IdentityOf reads the identity of a data directory; nil where the system has
// nothing of the kind.
func IdentityOf(dir string) (*Identity, error) {
	name := filepath.Join(dir, identityFile)
	info, err := os.Lstat(name)
	if err != nil {
		return nil, err
	}
	inode, known := inodeOf(info)
	if !known {
		return nil, nil
	}
	return &Identity{Inode: inode, Born: bornAt(name)}, nil
}

// Replaced tells whether the data directory is surely another one by now. An
// inode alone may be given away again, and a time of birth is not.
func (i *Identity) Replaced(now *Identity) bool {
	if i == nil || now == nil {
		return false
	}
	if i.Born.IsZero() || now.Born.IsZero() {
		return i.Inode != now.Inode
	}
	return !i.Born.Equal(now.Born)
}

func inodeOf(info fs.FileInfo) (inode uint64, known bool) {
	sys, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return uint64(sys.Ino), true
}
