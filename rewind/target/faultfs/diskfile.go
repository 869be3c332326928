package faultfs

import (
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"time"

	"forkpoint/rewind/target"
)

// OpenFile implements [target.FS].
func (d *Disk) OpenFile(name string, flag int, perm fs.FileMode) (target.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.find("open", name)
	switch {
	case err != nil && flag&os.O_CREATE == 0:
		return nil, err
	case err != nil:
		n = newNode(perm.Perm(), d.tick())
		if err := d.insert("open", name, n); err != nil {
			return nil, err
		}
	case n.now.mode&fs.ModeSymlink != 0:
		return nil, &fs.PathError{Op: "open", Path: name, Err: target.ErrLinked}
	case !n.now.mode.IsRegular():
		return nil, &fs.PathError{Op: "open", Path: name, Err: target.ErrKind}
	case flag&os.O_EXCL != 0:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrExist}
	}
	f := &diskFile{d, n, path.Base(name)}
	if flag&os.O_TRUNC != 0 && len(n.now.data) > 0 {
		f.truncate(0)
	}
	return f, nil
}

type diskFile struct {
	disk *Disk
	node *node
	name string
}

func (f *diskFile) ReadAt(p []byte, off int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	data := f.node.now.data
	if off >= int64(len(data)) {
		return 0, io.EOF
	}
	n := copy(p, data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *diskFile) WriteAt(p []byte, off int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	f.node.set(change{off: off, data: slices.Clone(p)})
	f.stamp()
	return len(p), nil
}

func (f *diskFile) Truncate(size int64) error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	f.truncate(size)
	return nil
}

func (f *diskFile) truncate(size int64) {
	f.node.set(change{apply: func(c *content) {
		if size <= int64(len(c.data)) {
			c.data = slices.Clone(c.data[:size])
			return
		}
		c.data = append(slices.Clone(c.data), make([]byte, size-int64(len(c.data)))...)
	}})
	f.stamp()
}

// stamp sets the time of the last change; it is safe as soon as any later change is.
func (f *diskFile) stamp() {
	at := f.disk.tick()
	f.node.set(change{apply: func(c *content) { c.mtime = at }})
}

func (f *diskFile) Sync() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	f.node.flush()
	return nil
}

// FailSync is a Sync that the disk answers with an error.
func (f *diskFile) FailSync() {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	f.node.giveUp()
}

func (f *diskFile) Stat() (fs.FileInfo, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	return info{f.name, f.node.now}, nil
}

func (f *diskFile) Close() error { return nil }

// info implements [fs.FileInfo].
type info struct {
	name string
	c    content
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return int64(len(i.c.data)) }
func (i info) Mode() fs.FileMode  { return i.c.mode }
func (i info) ModTime() time.Time { return i.c.mtime }
func (i info) IsDir() bool        { return i.c.mode.IsDir() }
func (i info) Sys() any           { return nil }
