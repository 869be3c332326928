package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"

	"forkpoint/rewind/target"
)

// Editor changes a target so that every change can be taken back. A change
// is queued until what it destroys is noted and the journal is durable; it is
// made by [Editor.Flush], or when enough has been queued. After an error an
// editor is of no more use: the journal is to be opened again.
type Editor struct {
	j      *Journal
	t      *target.Target
	queue  []edit
	bytes  int
	ends   map[string]int64 // queued names; for writes, where they end
	keeps  bool             // the queue has files to keep
	buffer []byte
	err    error

	maxBytes, maxEdits int // of the queue before it is flushed
}

// ErrNotBarred is matched when the target should be barred and is not: someone
// has put another backup_label there since, and may have started a server.
var ErrNotBarred = errors.New("the backup_label that keeps servers from starting is gone")

// NewEditor needs a journal that is open for writing and not being undone.
func NewEditor(j *Journal, t *target.Target) *Editor {
	return &Editor{j: j, t: t, ends: make(map[string]int64), maxBytes: maxQueuedBytes, maxEdits: maxQueuedEdits}
}

// ErrForeign is matched when another rewind has barred the target, whose
// journal is not this one.
var ErrForeign = errors.New("another rewind has begun on this target and is neither finished nor undone")

// Bar notes the label that is there and bars the target. It comes before all
// other changes, also when a rewind is resumed. The text tells whoever looks
// into the label what to run.
func (e *Editor) Bar(ctx context.Context, text string) error {
	stage, err := e.j.Settle(e.t)
	if err != nil {
		return err
	}
	if stage > Ready {
		return fmt.Errorf("rewind %s is %s", e.j.header.ID, stage)
	}
	if stage == Opened {
		if err := e.saveLabel(); err != nil {
			return e.fail(err)
		}
	}
	digest, err := controlDigest(e.t)
	if err != nil {
		return e.fail(err)
	}
	if err := e.t.Bar(text); err != nil {
		return e.fail(err)
	}
	return e.fail(e.j.append(&Entry{Kind: KindStage, Stage: Barred, Bytes: digest}))
}

// saveLabel notes the label durably, unless that was done before.
func (e *Editor) saveLabel() error {
	if e.j.index.origins[target.LabelFile] != nil {
		return nil
	}
	barred, err := e.t.Barred()
	if err != nil {
		return err
	}
	if barred {
		return fmt.Errorf("%w: see %s/%s", ErrForeign, e.t.Dir(), target.LabelFile)
	}
	if err := e.saveWhole(target.LabelFile); err != nil {
		return err
	}
	return e.j.Commit()
}

// fail makes err stick.
func (e *Editor) fail(err error) error {
	if e.err == nil {
		e.err = err
	}
	return e.err
}

func (e *Editor) ready(name string) error {
	if e.err == nil && e.j.index.stage != Barred {
		e.err = fmt.Errorf("change %s: rewind %s is %s, not barred", name, e.j.header.ID, e.j.index.stage)
	}
	if e.err == nil && name == target.LabelFile {
		return fmt.Errorf("change %s: it bars the target", name)
	}
	return e.err
}

// readyPart is ready for changes other than Replace. The control file is never
// to be seen half-way.
func (e *Editor) readyPart(name string) error {
	if name == target.ControlFile {
		return fmt.Errorf("change %s: it can only be replaced", name)
	}
	return e.ready(name)
}

// subject readies a file for a change of a part of it, and tells what it was
// and whether it still is that file.
func (e *Editor) subject(name string) (o *origin, original bool, err error) {
	if err := e.readyPart(name); err != nil {
		return nil, false, err
	}
	if o, err = e.origin(name); err == nil {
		original, err = e.original(name, o)
	}
	return o, original, e.fail(err)
}

// WriteAt overwrites and extends a file that exists. Bytes that are there
// already are not written again, unless an interrupted process wrote them: the
// disk may have refused them, and then reading does not tell.
func (e *Editor) WriteAt(name string, off int64, data []byte) error {
	_, original, err := e.subject(name)
	if err != nil {
		return err
	}
	if original {
		same, err := e.saveRange(name, off, data)
		if err != nil {
			return e.fail(err)
		}
		if same && off >= e.ends[name] && !e.j.inherited[name] {
			return nil
		}
	}
	data = slices.Clone(data)
	return e.add(edit{name: name, make: func(t *target.Target) error { return t.WriteAt(name, off, data) }},
		len(data), off+int64(len(data)))
}

// Truncate cuts a file or extends it with zeros.
func (e *Editor) Truncate(name string, size int64) error {
	o, original, err := e.subject(name)
	if err == nil && original {
		err = e.fail(e.saveTail(name, size, o.was.Size))
	}
	if err != nil {
		return err
	}
	return e.add(edit{name: name, make: func(t *target.Target) error { return t.Truncate(name, size) }}, 0, math.MaxInt64)
}

// Create makes an empty file. A file that is there is removed first, not
// overwritten: to keep it that way costs nothing.
func (e *Editor) Create(name string, mode fs.FileMode) error {
	if err := e.Remove(name); err != nil {
		return err
	}
	return e.add(edit{name: name, make: func(t *target.Target) error { return t.Create(name, mode) }}, 0, math.MaxInt64)
}

// Replace gives a small file new contents at once, see [target.Target.Replace].
func (e *Editor) Replace(name string, data []byte, mode fs.FileMode) error {
	if err := e.ready(name); err != nil {
		return err
	}
	if err := e.saveWhole(name); err != nil {
		return e.fail(err)
	}
	data = bytes.Clone(data)
	return e.add(edit{name: name, make: func(t *target.Target) error { return t.Replace(name, data, mode) }},
		len(data), math.MaxInt64)
}

// Remove removes a file, a link or an empty directory; one that is not there
// is no error.
func (e *Editor) Remove(name string) error {
	if err := e.readyPart(name); err != nil {
		return err
	}
	number, err := e.keep(name)
	if err != nil {
		return e.fail(err)
	}
	was := e.j.index.origins[name].was.Type
	return e.add(edit{name: name, kept: number, make: func(t *target.Target) error {
		info, err := t.Stat(name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err == nil && info.IsDir() && was != Directory {
			return t.RemoveAll(name) // ours, from a run that was interrupted
		}
		return t.Remove(name)
	}}, 0, math.MaxInt64)
}

// keep notes that the file at name goes, and tells the number to keep it
// under; 0 when there is nothing to keep.
func (e *Editor) keep(name string) (uint64, error) {
	o, err := e.origin(name)
	if err != nil || !e.j.header.Undo {
		return 0, err
	}
	if original, err := e.original(name, o); err != nil || !original {
		return 0, err
	}
	number := o.kept
	if number == 0 {
		number = e.j.index.kept + 1
		err = e.j.append(&Entry{Kind: KindKept, Path: name, Number: number, Was: o.was})
	}
	o.gone = err == nil // for what is queued from here on
	return number, err
}

// Mkdir makes a directory.
func (e *Editor) Mkdir(name string, mode fs.FileMode) error {
	return e.simple(name, func(t *target.Target) error { return t.Mkdir(name, mode) })
}

// Symlink makes a symbolic link. A link to another tree cannot be led
// elsewhere: Undo would not find the way back.
func (e *Editor) Symlink(dest, name string) error {
	if err := e.readyPart(name); err != nil {
		return err
	}
	o, err := e.origin(name)
	if err != nil {
		return e.fail(err)
	}
	if o.was.Type == Symlink && o.was.Link != dest && target.Mountable(name) {
		return e.fail(fmt.Errorf("link %s to %s: it was a link to %s", name, dest, o.was.Link))
	}
	return e.simple(name, func(t *target.Target) error { return t.Symlink(dest, name) })
}

// Chmod sets the permission bits of a file or directory.
func (e *Editor) Chmod(name string, mode fs.FileMode) error {
	return e.simple(name, func(t *target.Target) error { return t.Chmod(name, mode) })
}

func (e *Editor) simple(name string, make func(t *target.Target) error) error {
	if err := e.readyPart(name); err != nil {
		return err
	}
	if _, err := e.origin(name); err != nil {
		return e.fail(err)
	}
	return e.add(edit{name: name, make: make}, 0, math.MaxInt64)
}
