package journal

import (
	"context"
	"errors"
	"io/fs"
	"slices"

	"forkpoint/rewind/target"
)

// clear removes what the rewind put where there was nothing, or something of
// another type; children before the directories they are in.
func (u *undo) clear(ctx context.Context) error {
	for _, name := range slices.Backward(u.names) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := u.t.Sweep(name); err != nil {
			return err
		}
		if last(name) {
			continue
		}
		if err := u.t.Touch(name); err != nil {
			return err
		}
		info, err := u.t.Stat(name)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, target.ErrLinked) {
			continue // or behind a link that goes when its turn comes
		}
		if err != nil {
			return err
		}
		if was := u.j.index.origins[name].was.Type; was != Absent && info.Mode().Type() == was.mode() {
			continue
		}
		if err := u.t.RemoveAll(name); err != nil {
			return err
		}
	}
	return nil
}

// mode gives the type bits of a file mode.
func (t Type) mode() fs.FileMode {
	switch t {
	case Directory:
		return fs.ModeDir
	case Symlink:
		return fs.ModeSymlink
	}
	return 0
}

// rebuild brings directories, links and removed files back, directories first.
func (u *undo) rebuild(ctx context.Context) error {
	for _, name := range u.names {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if last(name) {
			continue
		}
		if err := u.rebuildOne(name, u.j.index.origins[name]); err != nil {
			return err
		}
	}
	return nil
}

func (u *undo) rebuildOne(name string, o *origin) error {
	switch o.was.Type {
	case Directory:
		return u.t.Mkdir(name, o.was.Mode|0o700) // its own mode when all is in it
	case Symlink:
		if dest, err := u.t.Readlink(name); err == nil && dest == o.was.Link {
			return nil
		}
		return errors.Join(u.t.Remove(name), u.t.Symlink(o.was.Link, name))
	case Regular:
		if err := u.restore(name, o); err != nil {
			return err
		}
		info, err := u.t.Stat(name)
		if err == nil && info.Mode().Perm()&0o600 != 0o600 {
			err = u.t.Chmod(name, 0o600) // to be written; its own mode comes with the attributes
		}
		return err
	}
	return nil
}

// restore brings a removed file back to its name.
func (u *undo) restore(name string, o *origin) error {
	if o.kept == 0 {
		return nil
	}
	kept, err := u.j.kept(o.kept)
	if err != nil || !kept {
		return err
	}
	return u.t.Restore(u.j.KeptFile(o.kept), name, o.was.Mode)
}

// images writes old bytes back, the latest first, so that the earliest stay.
func (u *undo) images(ctx context.Context) error {
	total, at := u.j.log.end, int64(0)
	return u.j.log.backward(func(start int64, e *Entry) error {
		if start != at {
			at = start
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			u.o.Progress(total-start, total)
		}
		o := u.j.index.origins[e.Path]
		if e.Kind != KindImage || o == nil || o.was.Type != Regular {
			return nil
		}
		if last(e.Path) {
			u.hold(e, o.was.Size)
			return nil
		}
		return u.t.WriteAt(e.Path, e.Offset, e.Bytes)
	})
}

// hold collects the old contents of a small file.
func (u *undo) hold(e *Entry, size int64) {
	b := u.held[e.Path]
	if end := e.Offset + int64(len(e.Bytes)); int64(len(b)) < min(end, size) {
		b = append(b, make([]byte, min(end, size)-int64(len(b)))...)
	}
	if e.Offset < int64(len(b)) {
		copy(b[e.Offset:], e.Bytes)
	}
	u.held[e.Path] = b
}

// attributes sets size, mode and time, children before directories.
func (u *undo) attributes(ctx context.Context) error {
	for _, name := range slices.Backward(u.names) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		was := u.j.index.origins[name].was
		if last(name) || was.Type != Regular && was.Type != Directory {
			continue
		}
		if err := u.attribute(name, was); err != nil {
			return err
		}
	}
	return nil
}

func (u *undo) attribute(name string, was State) error {
	info, err := u.t.Stat(name)
	if err != nil {
		return err
	}
	if was.Type == Regular && info.Size() != was.Size {
		if err := u.t.Truncate(name, was.Size); err != nil {
			return err
		}
	}
	if info.Mode().Perm() != was.Mode {
		if err := u.t.Chmod(name, was.Mode); err != nil {
			return err
		}
	}
	return u.t.Chtimes(name, was.ModTime)
}
