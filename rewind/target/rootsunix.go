package target

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"forkpoint/walinspect/datadir"
)

// Link implements [FS]. Both names are resolved to an open directory and one
// last component first, so the call cannot follow a link out of the trees.
func (r *Roots) Link(name, second string) error {
	from, err := r.openDir(filepath.Dir(name))
	if err != nil {
		return err
	}
	defer from.Close() // read only
	to, err := r.openDir(filepath.Dir(second))
	if err != nil {
		return err
	}
	defer to.Close() // read only
	err = unix.Linkat(int(from.Fd()), filepath.Base(name), int(to.Fd()), filepath.Base(second), 0)
	if err != nil {
		return &os.LinkError{Op: "link", Old: name, New: second, Err: err}
	}
	return nil
}

// SyncDir implements [FS].
func (r *Roots) SyncDir(name string) error {
	d, err := r.openDir(name)
	if err != nil {
		return err
	}
	defer d.Close() // read only
	return d.Sync()
}

// SyncTree implements [FS].
func (r *Roots) SyncTree(name string) error {
	d, err := r.openDir(name)
	if err != nil {
		return err
	}
	defer d.Close() // read only
	if err := syncfs(int(d.Fd())); err != nil {
		return fmt.Errorf("syncfs %s: %w", name, err)
	}
	return nil
}

// Lock implements [FS] by flock on the directory. The kernel gives the lock up
// when the process ends, however it ends.
func (r *Roots) Lock(dir string) (io.Closer, error) {
	d, err := r.openDir(dir)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(d.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		l := &flock{dir: d}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.locks = append(r.locks, l)
		return l, nil
	}
	d.Close() // nothing was written
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, fmt.Errorf("%s: %w", dir, ErrLocked)
	}
	if errors.Is(err, unix.EBADF) || errors.Is(err, unix.ENOLCK) || errors.Is(err, errors.ErrUnsupported) {
		return nil, fmt.Errorf("flock %s: %w", dir, errors.ErrUnsupported) // NFS, for one
	}
	return nil, fmt.Errorf("flock %s: %w", dir, err)
}

// flock is a lock that can be given up twice.
type flock struct {
	dir  *os.File
	once sync.Once
}

func (l *flock) Close() (err error) {
	l.once.Do(func() { err = l.dir.Close() })
	return err
}

// Server implements [FS]. In doubt there is one.
func (r *Roots) Server(dir string) (pid int, running bool) {
	d, err := datadir.Open(dir)
	if err != nil {
		return 0, true
	}
	return d.Running()
}
