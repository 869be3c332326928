package faultfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"forkpoint/rewind/target"
)

// Disk is a file system in memory that can lose power. For each file and each
// directory it knows what was flushed and what was done since.
//
// It promises less than any disk does: a file that was flushed is lost all
// the same while the directory it was made in was not; unflushed changes of
// a file come through or not one by one, a write even by parts of 512 bytes;
// entries of a directory likewise, but that changes of the same name keep
// their order. Only a rename within a directory is one act.
type Disk struct {
	mu     *sync.Mutex
	root   *node
	mounts []string // prefixes that are file systems of their own: no links across
	clock  time.Time
}

var _ target.FS = (*Disk)(nil)

// NewDisk has an empty top directory.
func NewDisk() *Disk {
	d := &Disk{mu: new(sync.Mutex), clock: time.Unix(1_700_000_000, 0)}
	d.root = newNode(fs.ModeDir|0o755, d.clock)
	return d
}

// Mount makes everything below prefix a file system of its own.
func (d *Disk) Mount(prefix string) { d.mounts = append(d.mounts, prefix) }

// find walks to a node without following links; want tells what an error is about.
func (d *Disk) find(op, name string) (*node, error) {
	n := d.root
	for part := range strings.SplitSeq(strings.Trim(name, "/"), "/") {
		if part == "" {
			continue
		}
		if n.now.mode&fs.ModeSymlink != 0 {
			return nil, &fs.PathError{Op: op, Path: name, Err: target.ErrLinked}
		}
		child := n.now.entries[part]
		if child == nil {
			return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
		}
		n = child
	}
	return n, nil
}

// parent finds the directory of a name.
func (d *Disk) parent(op, name string) (*node, string, error) {
	n, err := d.find(op, path.Dir(name))
	if err == nil && n.now.mode&fs.ModeSymlink != 0 {
		err = &fs.PathError{Op: op, Path: name, Err: target.ErrLinked}
	}
	if err == nil && !n.now.mode.IsDir() {
		err = &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
	}
	return n, path.Base(name), err
}

// insert puts a new entry into a directory.
func (d *Disk) insert(op, name string, child *node) error {
	dir, base, err := d.parent(op, name)
	if err != nil {
		return err
	}
	if dir.now.entries[base] != nil {
		return &fs.PathError{Op: op, Path: name, Err: fs.ErrExist}
	}
	dir.set(change{entries: map[string]*node{base: child}})
	return nil
}

func (d *Disk) tick() time.Time {
	d.clock = d.clock.Add(time.Millisecond)
	return d.clock
}

// Declare implements [target.FS].
func (d *Disk) Declare(dir string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, err := d.find("declare", dir)
	return err
}

// Lstat implements [target.FS].
func (d *Disk) Lstat(name string) (fs.FileInfo, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.find("lstat", name)
	if err != nil {
		return nil, err
	}
	return info{path.Base(name), n.now}, nil
}

// Same implements [target.FS].
func (d *Disk) Same(a, b string) (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	na, err := d.find("same", a)
	if err != nil {
		return false, err
	}
	nb, err := d.find("same", b)
	return na == nb, err
}

// Readlink implements [target.FS].
func (d *Disk) Readlink(name string) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.find("readlink", name)
	if err != nil {
		return "", err
	}
	if n.now.mode&fs.ModeSymlink == 0 {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: syscall.EINVAL}
	}
	return n.now.dest, nil
}

// ReadDir implements [target.FS].
func (d *Disk) ReadDir(name string) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.find("readdir", name)
	if err == nil && !n.now.mode.IsDir() {
		err = &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrNotExist}
	}
	if err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(n.now.entries)), nil
}

// Mkdir implements [target.FS].
func (d *Disk) Mkdir(name string, perm fs.FileMode) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.insert("mkdir", name, newNode(fs.ModeDir|perm, d.tick()))
}

// Symlink implements [target.FS].
func (d *Disk) Symlink(dest, name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := newNode(fs.ModeSymlink|0o777, d.tick())
	n.now.dest, n.safe.dest = dest, dest
	return d.insert("symlink", name, n)
}

// Link implements [target.FS].
func (d *Disk) Link(name, second string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mount(name) != d.mount(second) {
		return &os.LinkError{Op: "link", Old: name, New: second, Err: syscall.EXDEV}
	}
	n, err := d.find("link", name)
	if err != nil {
		return err
	}
	if n.now.mode.IsDir() {
		return &os.LinkError{Op: "link", Old: name, New: second, Err: syscall.EPERM}
	}
	return d.insert("link", second, n)
}

func (d *Disk) mount(name string) string {
	longest := ""
	for _, m := range d.mounts {
		if strings.HasPrefix(name+"/", m+"/") && len(m) > len(longest) {
			longest = m
		}
	}
	return longest
}

// Rename implements [target.FS].
func (d *Disk) Rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if path.Dir(from) != path.Dir(to) {
		return fmt.Errorf("rename %s to %s: not in one directory", from, to)
	}
	n, err := d.find("rename", from)
	if err != nil {
		return err
	}
	dir, _, err := d.parent("rename", from)
	if err != nil {
		return err
	}
	dir.set(change{entries: map[string]*node{path.Base(from): nil, path.Base(to): n}})
	return nil
}

// Remove implements [target.FS].
func (d *Disk) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.find("remove", name)
	if err != nil {
		return err
	}
	if len(n.now.entries) > 0 {
		return &fs.PathError{Op: "remove", Path: name, Err: syscall.ENOTEMPTY}
	}
	dir, base, err := d.parent("remove", name)
	if err != nil {
		return err
	}
	dir.set(change{entries: map[string]*node{base: nil}})
	return nil
}

// Chmod implements [target.FS].
func (d *Disk) Chmod(name string, mode fs.FileMode) error {
	return d.setInode("chmod", name, func(c *content) { c.mode = c.mode&^fs.ModePerm | mode.Perm() })
}

// Chtimes implements [target.FS].
func (d *Disk) Chtimes(name string, mtime time.Time) error {
	return d.setInode("chtimes", name, func(c *content) { c.mtime = mtime })
}

func (d *Disk) setInode(op, name string, apply func(*content)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.find(op, name)
	if err != nil {
		return err
	}
	if n.now.mode&fs.ModeSymlink != 0 {
		return &fs.PathError{Op: op, Path: name, Err: target.ErrLinked}
	}
	n.set(change{apply: apply})
	return nil
}

// SyncDir implements [target.FS].
func (d *Disk) SyncDir(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.find("syncdir", name)
	if err != nil {
		return err
	}
	if !n.now.mode.IsDir() {
		return &fs.PathError{Op: "syncdir", Path: name, Err: fs.ErrNotExist}
	}
	n.flush()
	return nil
}

// SyncTree implements [target.FS].
func (d *Disk) SyncTree(string) error { return errors.ErrUnsupported }

// Lock implements [target.FS]: nobody else is there.
func (d *Disk) Lock(string) (io.Closer, error) { return io.NopCloser(nil), nil }

// Server implements [target.FS]: none runs.
func (d *Disk) Server(string) (int, bool) { return 0, false }
