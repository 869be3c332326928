package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"forkpoint/rewind/target"
)

// Reasons why a rewind cannot be undone.
var (
	ErrNoImages = errors.New("the rewind was run without keeping old bytes")
	ErrStarted  = errors.New("a server has run on the target since the rewind; the old bytes would not fit the others")
	ErrLost     = errors.New("a file that the rewind removed is neither kept nor in its place")
)

// UndoOptions of [Undo].
type UndoOptions struct {
	// Text is what to run, for whoever looks into the label of a target that
	// is half-way; see [target.Target.Bar].
	Text string
	// Force goes on though a server may have run on the target. The result is
	// then not a working database, only the old bytes at the old places.
	Force bool
	// Begin is called when nothing stands in the way of the undo any more, before
	// it changes anything; may be nil.
	Begin func() error
	// Progress is told how many bytes of the log are done; may be nil.
	Progress func(done, total int64)
}

// Undo gives the target back as it was before the rewind: every file byte for
// byte, with its size, mode and time, every name that was not there gone.
// Times of directories come back where the directory itself was changed. It
// can be interrupted at any point and run again, on a journal opened anew.
func Undo(ctx context.Context, j *Journal, t *target.Target, o UndoOptions) error {
	if j.log.count != 0 || len(j.log.closed) != 0 {
		return fmt.Errorf("undo rewind %s: the journal was not opened anew", j.header.ID)
	}
	if o.Progress == nil {
		o.Progress = func(int64, int64) {}
	}
	u := &undo{j: j, t: t, o: o, names: slices.Sorted(maps.Keys(j.index.origins)), held: make(map[string][]byte)}
	if err := u.run(ctx); err != nil {
		return fmt.Errorf("undo rewind %s: %w", j.header.ID, err)
	}
	return nil
}

type undo struct {
	j     *Journal
	t     *target.Target
	o     UndoOptions
	names []string          // sorted: a directory before what is in it
	held  map[string][]byte // old contents of the files that are replaced at the end
}

// The label and the control file come back at the very end, each at once.
func last(name string) bool { return name == target.LabelFile || name == target.ControlFile }

func (u *undo) run(ctx context.Context) error {
	stage, err := u.j.Settle(u.t)
	if errors.Is(err, ErrNotBarred) && u.o.Force {
		err = nil
	}
	if err != nil || stage == Undone {
		return err
	}
	if len(u.names) == 0 { // not even the label was looked at
		return u.j.setStage(Undone, nil)
	}
	if err := u.check(stage); err != nil {
		return err
	}
	if u.o.Begin != nil {
		if err := u.o.Begin(); err != nil {
			return err
		}
	}
	steps := []func(context.Context) error{
		u.begin, u.clear, u.rebuild, u.images, u.attributes, u.sync, u.release, u.control, u.end,
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// check refuses before anything is changed.
func (u *undo) check(stage Stage) error {
	onlyLabel := len(u.names) == 1 && u.names[0] == target.LabelFile
	if !u.j.header.Undo && !onlyLabel {
		return ErrNoImages
	}
	if stage == Done && !u.o.Force {
		now, err := controlDigest(u.t)
		if err != nil {
			return err
		}
		if !bytes.Equal(now, u.j.index.stageNote) {
			return ErrStarted
		}
	}
	for _, name := range u.names {
		if o := u.j.index.origins[name]; o.was.Type == Regular && !last(name) {
			if err := u.available(name, o); err != nil {
				return err
			}
		}
	}
	return nil
}

// available checks that the original file is at hand: kept, or at its name.
func (u *undo) available(name string, o *origin) error {
	if o.kept != 0 {
		if kept, err := u.j.kept(o.kept); err != nil || kept {
			return err
		}
	}
	info, err := u.t.Stat(name)
	if errors.Is(err, fs.ErrNotExist) && u.behindLostLink(name) {
		return nil // to be seen when the link is back
	}
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%w: %s", ErrLost, name)
	}
	return err
}

// behindLostLink tells whether a name is in a tree whose link was removed.
func (u *undo) behindLostLink(name string) bool {
	link := u.j.index.origins[target.Mount(name)]
	if link == nil || link.was.Type != Symlink {
		return false
	}
	_, err := u.t.Stat(target.Mount(name))
	return errors.Is(err, fs.ErrNotExist)
}

func (u *undo) begin(context.Context) error {
	if err := u.j.dropReserve(); err != nil {
		return err
	}
	digest, err := controlDigest(u.t)
	if err != nil {
		return err
	}
	if err := u.t.Bar(u.o.Text); err != nil {
		return err
	}
	return u.j.setStage(Undoing, digest)
}

func (u *undo) sync(ctx context.Context) error { return u.t.Sync(ctx) }

// release ends the second names of files that are back: the server would
// write to both.
func (u *undo) release(context.Context) error {
	released := false
	for _, name := range u.names {
		o := u.j.index.origins[name]
		if o.kept == 0 {
			continue
		}
		kept, err := u.j.kept(o.kept)
		if err != nil {
			return err
		}
		if !kept {
			continue
		}
		same, err := u.t.Kept(u.j.KeptFile(o.kept), name)
		if err != nil {
			return err
		}
		if same {
			if err := u.j.fs.Remove(u.j.KeptFile(o.kept)); err != nil {
				return err
			}
			released = true
		}
	}
	if !released {
		return nil
	}
	return u.j.fs.SyncDir(u.j.join(keptDir))
}

// control puts the control file back, and then nothing but the label is new.
func (u *undo) control(ctx context.Context) error {
	name := target.ControlFile
	o := u.j.index.origins[name]
	if o != nil {
		if err := u.putBack(name, o.was); err != nil {
			return err
		}
		if err := u.t.Sync(ctx); err != nil {
			return err
		}
	}
	return u.j.setStage(Restored, nil)
}

// putBack replaces one of the files that come last.
func (u *undo) putBack(name string, was State) error {
	if was.Type != Regular {
		return u.t.Remove(name)
	}
	if int64(len(u.held[name])) != was.Size {
		return fmt.Errorf("%w: %s had %d bytes, of which %d were noted", ErrCorrupt, name, was.Size, len(u.held[name]))
	}
	return u.t.ReplaceAt(name, u.held[name], was.Mode, was.ModTime)
}

func (u *undo) end(ctx context.Context) error {
	label := u.j.index.origins[target.LabelFile]
	if label == nil {
		label = new(origin) // a journal that noted other names has noted it
	}
	if err := u.putBack(target.LabelFile, label.was); err != nil {
		return err
	}
	if err := u.t.Sync(ctx); err != nil {
		return err
	}
	return u.j.setStage(Undone, nil)
}
