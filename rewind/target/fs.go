package target

import (
	"errors"
	"io"
	"io/fs"
	"time"
)

// Reasons why a name is refused.
var (
	ErrOutside = errors.New("path leaves the directory trees of the target")
	ErrLinked  = errors.New("path goes through a symbolic link that is not followed")
	ErrKind    = errors.New("not a regular file")
)

// FS is the file system as target and journal use it: every operation that can
// change what a crash leaves behind, and few others, so that a test can stand
// in for it and fail any of them. Names are absolute and clean. Operations on
// a name outside the declared trees fail with [ErrOutside]; a symbolic link is
// never followed below the top of a tree.
//
// Methods may be called from several goroutines.
type FS interface {
	// Declare adds a directory tree. The directory itself may be reached
	// through symbolic links. Declaring twice is no error.
	Declare(dir string) error

	// OpenFile opens a regular file; flags and perm as in [os.OpenFile].
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	Lstat(name string) (fs.FileInfo, error)
	// Same tells whether two names are one file.
	Same(a, b string) (bool, error)
	Readlink(name string) (string, error)
	// ReadDir lists the names in a directory, sorted.
	ReadDir(name string) ([]string, error)

	Mkdir(name string, perm fs.FileMode) error
	Symlink(dest, name string) error
	// Link gives a file a second name, in any tree.
	Link(name, second string) error
	// Rename moves a file within one directory, over what is there.
	Rename(from, to string) error
	// Remove removes a file, a link or an empty directory.
	Remove(name string) error
	Chmod(name string, mode fs.FileMode) error
	Chtimes(name string, mtime time.Time) error

	// SyncDir makes the entries of a directory durable, not what they name.
	SyncDir(name string) error
	// SyncTree makes the whole file system that holds name durable;
	// [errors.ErrUnsupported] where the platform cannot.
	SyncTree(name string) error

	// Lock takes the directory for this process; [ErrLocked] when another has
	// it, [errors.ErrUnsupported] where the file system knows no locks.
	Lock(dir string) (io.Closer, error)
	// Server is the process that runs a server on the data directory, if any.
	Server(dir string) (pid int, running bool)
}

// File is an open file of an [FS].
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	Sync() error
	Stat() (fs.FileInfo, error)
}

// ErrLocked is matched when another process has locked the directory.
var ErrLocked = errors.New("locked by another process")
