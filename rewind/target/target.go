package target

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
)

// Files of the data directory that have a role of their own here.
const (
	ControlFile = "global/pg_control"
	LabelFile   = "backup_label"
	LockFile    = "postmaster.pid"
)

// SyncMethod is how [Target.Sync] makes changes durable.
type SyncMethod int

const (
	SyncFiles SyncMethod = iota // each touched file and directory
	SyncTrees                   // the file systems as a whole, syncfs(2)
	SyncNone                    // not at all: a crash of the machine may ruin the target
)

// Options of [Open]; the zero value is what a rewind uses.
type Options struct {
	FS        FS         // nil: a new [Roots], closed by Close
	Method    SyncMethod // see [Target.Sync]
	OpenFiles int        // files held open at most; 0: 256
	Workers   int        // files flushed at a time; 0: 4
}

// Target is a data directory that this process may change. Its methods are
// for one goroutine at a time.
type Target struct {
	dir      string
	fs       FS
	ownsFS   bool
	dirMode  fs.FileMode
	fileMode fs.FileMode
	lock     io.Closer // nil where the file system knows no locks
	pidText  string    // what we wrote into the lock file; "" while it is not ours
	links    map[string]string
	files    handles
	touched  touched
	method   SyncMethod
	workers  int
	starting atomic.Bool // see start
}

// Open takes the data directory for this process. It must belong to this
// process's user, as the server demands too, and nobody may work on it:
// otherwise the error is a [*BusyError].
func Open(dir string, o Options) (*Target, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open target: %w", err)
	}
	t := &Target{dir: dir, fs: o.FS, method: o.Method, workers: o.Workers}
	if t.fs == nil {
		t.fs, t.ownsFS = NewRoots(), true
	}
	if t.workers <= 0 {
		t.workers = 4
	}
	t.links = make(map[string]string)
	t.files = newHandles(o.OpenFiles)
	t.touched = newTouched()
	if err := t.open(); err != nil {
		t.release()
		return nil, fmt.Errorf("open target %s: %w", dir, err)
	}
	return t, nil
}

func (t *Target) open() error {
	if err := t.fs.Declare(t.dir); err != nil {
		return err
	}
	info, err := t.fs.Lstat(t.dir)
	if err != nil {
		return err
	}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok && int(sys.Uid) != os.Geteuid() {
		return &OwnerError{Dir: t.dir, Owner: int(sys.Uid), User: os.Geteuid()}
	}
	// Like SetDataDirectoryCreatePerm in src/common/file_perm.c: the group may
	// read everything or nothing, as the top directory says.
	t.dirMode, t.fileMode = 0o700, 0o600
	if info.Mode().Perm()&0o050 == 0o050 {
		t.dirMode, t.fileMode = 0o750, 0o640
	}
	return t.acquire()
}

// OwnerError says that the data directory belongs to another user.
type OwnerError struct {
	Dir         string
	Owner, User int
}

func (e *OwnerError) Error() string {
	return fmt.Sprintf("data directory belongs to user id %d, this process runs as %d", e.Owner, e.User)
}

// Hint says what the operator can do.
func (e *OwnerError) Hint() string { return "run it as the user that starts the server" }

// Close gives the directory back: open files are closed, postmaster.pid goes,
// the lock ends. It does not make anything durable.
func (t *Target) Close() error {
	err := t.files.closeAll()
	return errors.Join(err, t.release())
}

// release undoes what open did, as far as it got.
func (t *Target) release() error {
	errs := []error{t.removeLockFile()}
	if t.lock != nil {
		errs = append(errs, t.lock.Close())
		t.lock = nil
	}
	if c, ok := t.fs.(io.Closer); ok && t.ownsFS {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// Dir is the absolute path of the data directory.
func (t *Target) Dir() string { return t.dir }

// FS is the file system that the target uses; a journal shares it.
func (t *Target) FS() FS { return t.fs }

// FileMode is the mode of new files, 0600 or 0640 as the cluster has it.
func (t *Target) FileMode() fs.FileMode { return t.fileMode }

// DirMode is the mode of new directories, 0700 or 0750.
func (t *Target) DirMode() fs.FileMode { return t.dirMode }
