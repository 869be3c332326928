// Package faultfs is test support: file systems that fail on purpose.
//
// [Faulty] wraps a [target.FS] and fails its n-th operation, so that a test can
// walk n from 0 until nothing fails. [Disk] is a file system in memory that
// can lose power: it keeps what was flushed and any legal part of what was not.
package faultfs

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"forkpoint/rewind/target"
)

// Mode is how the chosen operation fails.
type Mode int

const (
	// Fail returns [ErrFault] once; nothing is done.
	Fail Mode = iota
	// Short writes half of the bytes and returns [ErrFault]; operations
	// other than a write do as with Fail.
	Short
	// Kill is the death of the process in the middle of the operation: a
	// write may be done by half, and everything later fails.
	Kill
	// Full is a disk without room from the operation on: whatever takes room
	// fails, short where it is a write.
	Full
)

// ErrFault is the error of a failed operation.
var ErrFault = errors.New("fault on purpose")

// Faulty fails one operation of the file system below it.
type Faulty struct {
	target.FS

	mu    sync.Mutex
	left  int // operations before the failing one
	mode  Mode
	count int
	dead  bool
	hit   string
}

// New fails operation n, counted from 0. Reading operations count too.
func New(below target.FS, n int, mode Mode) *Faulty {
	return &Faulty{FS: below, left: n, mode: mode}
}

// Hit is the name of the operation that failed, "" if none did.
func (f *Faulty) Hit() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hit
}

// Count is how many operations there were.
func (f *Faulty) Count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count
}

// step counts an operation; it fails when its turn has come or all is over.
func (f *Faulty) step(op string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dead {
		return ErrFault
	}
	f.count++
	f.left--
	if f.mode == Full {
		if f.left >= 0 || !takesRoom(op) {
			return nil
		}
		f.hit = cmp.Or(f.hit, op)
		return fmt.Errorf("%w: %w", ErrFault, syscall.ENOSPC)
	}
	if f.left != -1 {
		return nil
	}
	f.hit = op
	f.dead = f.mode == Kill
	return ErrFault
}

// takesRoom tells operations that a full disk refuses. A file that is opened may
// be made.
func takesRoom(op string) bool {
	what, _, _ := strings.Cut(op, " ")
	return slices.Contains([]string{"create", "mkdir", "symlink", "link", "write", "truncate"}, what)
}

// OpenFile implements [target.FS].
func (f *Faulty) OpenFile(name string, flag int, perm fs.FileMode) (target.File, error) {
	what := "open "
	if flag&os.O_CREATE != 0 {
		what = "create "
	}
	if err := f.step(what + name); err != nil {
		return nil, err
	}
	file, err := f.FS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &faultyFile{file, name, f}, nil
}

// Lstat implements [target.FS].
func (f *Faulty) Lstat(name string) (fs.FileInfo, error) {
	if err := f.step("lstat " + name); err != nil {
		return nil, err
	}
	return f.FS.Lstat(name)
}

// Same implements [target.FS].
func (f *Faulty) Same(a, b string) (bool, error) {
	if err := f.step("same " + a); err != nil {
		return false, err
	}
	return f.FS.Same(a, b)
}

// Readlink implements [target.FS].
func (f *Faulty) Readlink(name string) (string, error) {
	if err := f.step("readlink " + name); err != nil {
		return "", err
	}
	return f.FS.Readlink(name)
}

// ReadDir implements [target.FS].
func (f *Faulty) ReadDir(name string) ([]string, error) {
	if err := f.step("readdir " + name); err != nil {
		return nil, err
	}
	return f.FS.ReadDir(name)
}

// Mkdir implements [target.FS].
func (f *Faulty) Mkdir(name string, perm fs.FileMode) error {
	return f.do("mkdir "+name, func() error { return f.FS.Mkdir(name, perm) })
}

// Symlink implements [target.FS].
func (f *Faulty) Symlink(dest, name string) error {
	return f.do("symlink "+name, func() error { return f.FS.Symlink(dest, name) })
}

// Link implements [target.FS].
func (f *Faulty) Link(name, second string) error {
	return f.do("link "+second, func() error { return f.FS.Link(name, second) })
}

// Rename implements [target.FS].
func (f *Faulty) Rename(from, to string) error {
	return f.do("rename "+to, func() error { return f.FS.Rename(from, to) })
}

// Remove implements [target.FS].
func (f *Faulty) Remove(name string) error {
	return f.do("remove "+name, func() error { return f.FS.Remove(name) })
}

// Chmod implements [target.FS].
func (f *Faulty) Chmod(name string, mode fs.FileMode) error {
	return f.do("chmod "+name, func() error { return f.FS.Chmod(name, mode) })
}

// Chtimes implements [target.FS].
func (f *Faulty) Chtimes(name string, mtime time.Time) error {
	return f.do("chtimes "+name, func() error { return f.FS.Chtimes(name, mtime) })
}

// SyncDir implements [target.FS].
func (f *Faulty) SyncDir(name string) error {
	return f.do("syncdir "+name, func() error { return f.FS.SyncDir(name) })
}

// SyncTree implements [target.FS].
func (f *Faulty) SyncTree(name string) error {
	return f.do("synctree "+name, func() error { return f.FS.SyncTree(name) })
}

// Lock implements [target.FS].
func (f *Faulty) Lock(dir string) (io.Closer, error) {
	if err := f.step("lock " + dir); err != nil {
		return nil, err
	}
	return f.FS.Lock(dir)
}

func (f *Faulty) do(op string, run func() error) error {
	if err := f.step(op); err != nil {
		return err
	}
	return run()
}

type faultyFile struct {
	target.File
	name string
	fs   *Faulty
}

func (f *faultyFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.fs.step("read " + f.name); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, off)
}

// WriteAt writes half before it fails, but for the mode Fail.
func (f *faultyFile) WriteAt(p []byte, off int64) (int, error) {
	wasDead := f.fs.isDead()
	err := f.fs.step("write " + f.name)
	if err == nil {
		return f.File.WriteAt(p, off)
	}
	if f.fs.mode == Fail || wasDead {
		return 0, err
	}
	n, _ := f.File.WriteAt(p[:len(p)/2], off)
	return n, err
}

func (f *faultyFile) Truncate(size int64) error {
	return f.fs.do("truncate "+f.name, func() error { return f.File.Truncate(size) })
}

// Sync gives up what it could not flush, as Linux does.
func (f *faultyFile) Sync() error {
	err := f.fs.do("sync "+f.name, f.File.Sync)
	if disk, ok := f.File.(interface{ FailSync() }); ok && err == ErrFault && f.fs.mode != Kill {
		disk.FailSync()
	}
	return err
}

// Stat is not counted: it asks an open file.
func (f *faultyFile) Stat() (fs.FileInfo, error) {
	if f.fs.isDead() {
		return nil, ErrFault
	}
	return f.File.Stat()
}

// Close closes the file in any case, as the end of a process does.
func (f *faultyFile) Close() error {
	err := f.File.Close()
	if f.fs.isDead() {
		return ErrFault
	}
	return err
}

func (f *Faulty) isDead() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dead
}
