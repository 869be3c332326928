package target

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
)

// Stat describes what a name stands for now, without following a link.
func (t *Target) Stat(name string) (fs.FileInfo, error) {
	abs, err := t.resolve(name)
	if err != nil {
		return nil, err
	}
	return t.fs.Lstat(abs)
}

// Readlink is the text of a symbolic link.
func (t *Target) Readlink(name string) (string, error) {
	abs, err := t.resolve(name)
	if err != nil {
		return "", err
	}
	return t.fs.Readlink(abs)
}

// ReadAt reads from a file, like [io.ReaderAt].
func (t *Target) ReadAt(name string, p []byte, off int64) (int, error) {
	abs, err := t.resolve(name)
	if err != nil {
		return 0, err
	}
	h, err := t.file(abs, false)
	if err != nil {
		return 0, err
	}
	return h.file.ReadAt(p, off)
}

// maxWhole bounds what is read into memory at once; the files that are read
// so are of a few kilobytes.
const maxWhole = 64 << 20

// ReadFile reads a small file whole.
func (t *Target) ReadFile(name string) ([]byte, error) {
	abs, err := t.resolve(name)
	if err != nil {
		return nil, err
	}
	return t.readWhole(abs, maxWhole)
}

func (t *Target) readWhole(abs string, limit int64) ([]byte, error) {
	f, err := t.fs.OpenFile(abs, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close() // read only
	b, err := io.ReadAll(io.NewSectionReader(f, 0, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("read %s: more than %d bytes", abs, limit)
	}
	return b, err
}

// Linkable tells whether a file of the target can be kept in dir by a second
// name for it, which costs no space, rather than by a copy.
func (t *Target) Linkable(name, dir string) (bool, error) {
	abs, err := t.resolve(name)
	if err != nil {
		return false, err
	}
	of := func(abs string) (uint64, error) {
		info, err := t.fs.Lstat(abs)
		if err != nil {
			return 0, err
		}
		return device(info), nil
	}
	file, err := of(abs)
	if err != nil {
		return false, err
	}
	there, err := of(dir)
	return file == there, err
}

// RemoveAll removes a name and everything below it.
func (t *Target) RemoveAll(name string) error {
	info, err := t.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return t.Remove(name)
	}
	if err != nil {
		return err
	}
	if info.IsDir() {
		abs, err := t.resolve(name)
		if err != nil {
			return err
		}
		names, err := t.fs.ReadDir(abs)
		if err != nil {
			return err
		}
		for _, n := range slices.Backward(names) {
			if err := t.RemoveAll(name + "/" + n); err != nil {
				return err
			}
		}
	}
	return t.Remove(name)
}
