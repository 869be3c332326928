package rewind

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"

	"forkpoint/rewind/plan"
	"forkpoint/rewind/source"
	"forkpoint/rewind/target"
	"forkpoint/walinspect/pg"
)

// An interrupted run leaves the log that it fetched in the stage directory. A
// run that takes it up uses again what it can prove: a segment of which the
// source, asked for the sums of its parts, has the very bytes. Nothing else
// tells that it came through a crash whole, and that the source is still on the
// history that it was taken from.
//
// A source that went on for long may have recycled segments that replay needs.
// Such a one counts from the stage where a later one there is the source's
// too: the two then have the same past. Its records are read like all others.

// restaged is what of the stage directory is used again, by file name.
type restaged struct {
	there map[string]bool // whole segments
	same  map[string]bool // of these: with the bytes that the source has
	gone  map[string]bool // of these: which the source has no more
}

// checkStaged looks which segments that an interrupted run fetched are the
// source's.
func (r *run) checkStaged(ctx context.Context) error {
	if r.resumed == nil {
		return nil
	}
	s := restaged{there: map[string]bool{}, same: map[string]bool{}, gone: map[string]bool{}}
	size := r.sit.target.control.SegmentSize
	fsys := r.target.FS()
	names, err := fsys.ReadDir(r.stageDir())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return stageError(err)
	}
	for _, name := range names {
		if _, err := pg.ParseSegmentName(name, size); err != nil {
			continue
		}
		info, err := fsys.Lstat(filepath.Join(r.stageDir(), name))
		if err != nil {
			return stageError(err)
		}
		s.there[name] = info.Mode().IsRegular() && info.Size() == int64(size)
	}
	if err := r.timed(PartCompare, func() error { return r.compareStaged(ctx, &s) }); err != nil {
		return err
	}
	r.restaged = s
	return nil
}

// stageError says that the stage directory cannot be read.
func stageError(err error) error {
	return fmt.Errorf("state directory: look through WAL that was fetched before: %w", err)
}

// compareStaged asks the source for the sums of the parts of all segments that
// the plan fetches and that are there.
func (r *run) compareStaged(ctx context.Context, s *restaged) error {
	size := int64(r.sit.target.control.SegmentSize)
	wanted := func(yield func(source.Range) bool) {
		for _, a := range r.plan.Actions {
			if a.Kind != plan.FetchWAL || a.Size != size || !s.there[path.Base(a.Path)] {
				continue
			}
			if !yield(source.Range{Path: a.Path, Length: size}) {
				return
			}
		}
	}
	buf := make([]byte, source.PartSize)
	differs := map[string]bool{}
	var local error // which is not the source's, though Hash returns it
	err := r.cfg.Source.Hash(ctx, iter.Seq[source.Range](wanted), func(d source.Digest) error {
		name := path.Base(d.Path)
		if d.Missing || d.Short || differs[name] {
			differs[name] = true
			return nil
		}
		local = r.withStaged(name, func(f target.File) error {
			n, err := f.ReadAt(buf[:d.Length], d.Offset)
			differs[name] = n < int(d.Length) || sha256.Sum256(buf[:n]) != d.Sum
			if err == io.EOF {
				err = nil
			}
			return err
		})
		s.same[name] = d.Last && !differs[name]
		return local
	})
	if errors.Is(err, source.ErrBusy) {
		r.cfg.Log.Warn("the source has no connection left for comparing WAL that was fetched before: it is fetched again")
		s.same = map[string]bool{}
		return nil
	}
	switch {
	case local != nil:
		return stageError(local)
	case err != nil:
		return fmt.Errorf("source: compare WAL that was fetched before: %w", err)
	}
	return nil
}

// fromStage tells whether a segment that is nowhere else can be taken from the
// stage directory, and notes that it is. It must have been whole when it was
// fetched, before the source came past it.
func (r *run) fromStage(n uint64) bool {
	size := r.sit.target.control.SegmentSize
	if r.resumed == nil || size.Span(n).To > r.journal.Header().SourceEnd {
		return false
	}
	for later, same := range r.restaged.same {
		at, err := pg.ParseSegmentName(later, size)
		if !same || err != nil || at.Number <= n {
			continue
		}
		for _, tli := range r.sit.source.path.SegmentTimelines(size, n) {
			if name := size.Name(tli, n); r.restaged.there[name] {
				r.restaged.gone[name] = true
				return true
			}
		}
	}
	return false
}

// uses tells whether a file of the stage directory is used again.
func (s *restaged) uses(name string) bool { return s.same[name] || s.gone[name] }

// prepareStage makes the stage directory and leaves in it what is used again.
func (r *run) prepareStage(ctx context.Context) error {
	fsys := r.target.FS()
	r.staged = staged{dir: r.stageDir(), names: map[string]bool{}}
	names, err := fsys.ReadDir(r.staged.dir)
	if err != nil || !slices.ContainsFunc(names, r.restaged.uses) {
		return target.MakeDir(fsys, r.staged.dir)
	}
	for _, name := range names {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if !r.restaged.uses(name) {
			err = target.RemoveTree(fsys, filepath.Join(r.staged.dir, name))
		} else {
			r.staged.names[name] = true
			err = r.withStaged(name, writeAgain)
		}
		if err != nil {
			return err
		}
	}
	r.cfg.Log.Info("WAL that was fetched before is used again", "segments", len(r.staged.names))
	return nil
}

// writeAgain writes a file over with what it holds: the disk may have refused
// it to the process that wrote it, and then reading does not tell.
func writeAgain(f target.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	buf := make([]byte, source.PartSize)
	for off := int64(0); off < info.Size(); {
		n, err := f.ReadAt(buf, off)
		if n == 0 {
			return err
		}
		if _, err := f.WriteAt(buf[:n], off); err != nil {
			return err
		}
		off += int64(n)
	}
	return nil
}

func (r *run) withStaged(name string, do func(target.File) error) (err error) {
	f, err := r.target.FS().OpenFile(filepath.Join(r.stageDir(), name), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return do(f)
}
