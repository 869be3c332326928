package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// origin is what the log says of a name; if nothing yet, what the name stands
// for now is noted.
func (e *Editor) origin(name string) (*origin, error) {
	if o := e.j.index.origins[name]; o != nil {
		return o, nil
	}
	was, err := e.stateOf(name)
	if err != nil {
		return nil, err
	}
	if err := e.j.append(&Entry{Kind: KindOrigin, Path: name, Was: was}); err != nil {
		return nil, err
	}
	return e.j.index.origins[name], nil
}

// original tells whether the name still stands for the file it stood for
// before the rewind, changed or not. A file that is to be removed does until it
// is kept, for that comes before its name is free; and after a crash that took
// back the removal it does again, now under two names.
func (e *Editor) original(name string, o *origin) (bool, error) {
	if o.was.Type != Regular || o.gone {
		return false, nil
	}
	if o.kept == 0 {
		return true, nil
	}
	kept, err := e.j.kept(o.kept)
	if err != nil || !kept {
		return !kept, err
	}
	same, err := e.t.Kept(e.j.KeptFile(o.kept), name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	o.gone = !same
	return same, nil
}

func (e *Editor) stateOf(name string) (State, error) {
	info, err := e.t.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return State{Type: Absent}, nil
	}
	if err != nil {
		return State{}, err
	}
	s := State{Mode: info.Mode().Perm(), ModTime: info.ModTime()}
	switch info.Mode().Type() {
	case 0:
		s.Type, s.Size = Regular, info.Size()
	case fs.ModeDir:
		s.Type = Directory
	case fs.ModeSymlink:
		s.Type = Symlink
		s.Link, err = e.t.Readlink(name)
	default:
		err = fmt.Errorf("%s is neither file, directory nor link (%s)", name, info.Mode())
	}
	return s, err
}

// saveRange notes the bytes that a write would overwrite. It tells whether
// the write would change nothing; then nothing is noted.
func (e *Editor) saveRange(name string, off int64, data []byte) (same bool, err error) {
	old, err := e.readOld(name, off, len(data))
	if err != nil {
		return false, err
	}
	if bytes.Equal(old, data) {
		return true, nil
	}
	return false, e.saveImage(name, off, old)
}

// saves tells whether old bytes of a file are noted. Those of the label and
// of the control file always are.
func (e *Editor) saves(name string) bool { return e.j.header.Undo || last(name) }

// saveTail notes the bytes from an offset on to the end of the original file.
func (e *Editor) saveTail(name string, from, size int64) error {
	if !e.saves(name) {
		return nil
	}
	for off := from; off < size; off += maxImage {
		old, err := e.readOld(name, off, int(min(maxImage, size-off)))
		if err != nil {
			return err
		}
		if err := e.saveImage(name, off, old); err != nil {
			return err
		}
	}
	return nil
}

// saveWhole notes everything about a file. The label and the control file are
// noted in one batch: either they are known whole, or they were not changed.
func (e *Editor) saveWhole(name string) error {
	if last(name) {
		if err := e.j.Commit(); err != nil {
			return err
		}
		e.j.log.whole = true
		defer func() { e.j.log.whole = false }()
	}
	o, err := e.origin(name)
	if err != nil {
		return err
	}
	if original, err := e.original(name, o); err != nil || !original {
		return err
	}
	return e.saveTail(name, 0, o.was.Size)
}

// saveImage notes bytes of the original file, and nothing that lies beyond its
// original end.
func (e *Editor) saveImage(name string, off int64, old []byte) error {
	if !e.saves(name) {
		return nil
	}
	size := e.j.index.origins[name].was.Size
	for len(old) > 0 && off < size {
		n := min(int64(len(old)), maxImage, size-off)
		err := e.j.append(&Entry{Kind: KindImage, Path: name, Offset: off, Bytes: old[:n]})
		if err != nil {
			return err
		}
		off, old = off+n, old[n:]
	}
	return nil
}

// readOld fills the editor's buffer with what is in a file now, up to its end.
func (e *Editor) readOld(name string, off int64, n int) ([]byte, error) {
	if cap(e.buffer) < n {
		e.buffer = make([]byte, max(n, 1<<16))
	}
	buf := e.buffer[:n]
	got, err := e.t.ReadAt(name, buf, off)
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return buf[:got], nil
}
