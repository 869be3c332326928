package target

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
)

// WriteFile makes or empties a file and makes its content durable, but not its
// entry in the directory, see [FS.SyncDir].
func WriteFile(fsys FS, name string, data []byte) error {
	return CopyFrom(fsys, name, bytes.NewReader(data))
}

// MakeDir makes a directory anew: what is in it goes.
func MakeDir(fsys FS, name string) error {
	if err := RemoveTree(fsys, name); err != nil {
		return err
	}
	return fsys.Mkdir(name, 0o700)
}

// RemoveTree removes a name and everything below it; a name that is not there
// is no error.
func RemoveTree(fsys FS, name string) error {
	info, err := fsys.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.IsDir() {
		names, err := fsys.ReadDir(name)
		if err != nil {
			return err
		}
		for _, n := range slices.Backward(names) {
			if err := RemoveTree(fsys, name+"/"+n); err != nil {
				return err
			}
		}
	}
	return fsys.Remove(name)
}

// CopyFrom writes what a reader gives into a new file, durably as [WriteFile].
func CopyFrom(fsys FS, name string, from io.Reader) error {
	f, err := fsys.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err = io.Copy(io.NewOffsetWriter(f, 0), from); err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
