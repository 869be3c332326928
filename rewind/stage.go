package rewind

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"strings"

	"forkpoint/rewind/plan"
	"forkpoint/rewind/source"
	"forkpoint/rewind/target"
)

// staged is the log for replay that the target lacks, fetched beside the data
// directory before anything in it changes. What cannot be fetched or does not
// hold together is a refusal, not a half-done rewind.
type staged struct {
	dir   string // holds the files under their names in pg_wal
	names map[string]bool
}

// checkPlan refuses, before anything is fetched, where a segment that replay
// will read is nowhere to be had.
func (r *run) checkPlan(ctx context.Context) error {
	if err := r.checkLinks(); err != nil {
		return err
	}
	s := &r.sit
	size := s.target.control.SegmentSize
	fetched, gone := map[string]bool{}, map[string]bool{}
	for _, a := range r.plan.Actions {
		switch a.Kind {
		case plan.FetchWAL:
			fetched[path.Base(a.Path)] = true
		case plan.SetAside:
			gone[path.Base(a.Path)] = true
		}
	}
	for n := size.Number(s.label.Redo); n <= size.Number(s.sourceEnd.LSN-1); n++ {
		have := false
		for _, tli := range s.source.path.SegmentTimelines(size, n) {
			name := size.Name(tli, n)
			have = have || fetched[name] || !gone[name] && r.targetHasWAL(name)
		}
		if have {
			continue
		}
		name, found := r.findArchived(ctx, n)
		switch {
		case found:
			r.archived = append(r.archived, name)
		case !r.fromStage(n):
			return r.missingWAL(n)
		}
	}
	return nil
}

// stopIfDryRun ends a run that was only to find out.
func (r *run) stopIfDryRun(context.Context) error {
	r.done = r.cfg.DryRun
	return nil
}

// findArchived looks for a segment that neither side has in the places that the
// caller named.
func (r *run) findArchived(ctx context.Context, n uint64) (string, bool) {
	archives := r.archives()
	if archives == nil {
		return "", false
	}
	size := r.sit.target.control.SegmentSize
	for _, tli := range r.sit.source.path.SegmentTimelines(size, n) {
		name := size.Name(tli, n)
		if f, err := archives.Open(ctx, name); err == nil {
			f.Close() // read only
			return name, true
		}
	}
	return "", false
}

// stageArchived copies such a segment beside those that come from the source.
// The error matches fs.ErrNotExist where no such place has it.
func (r *run) stageArchived(ctx context.Context, name string) error {
	archives := r.archives()
	if archives == nil {
		return fs.ErrNotExist
	}
	f, err := archives.Open(ctx, name)
	if err != nil {
		return err
	}
	defer f.Close() // read only
	b, err := f.Bytes()
	if err != nil {
		return err
	}
	r.staged.names[name] = true
	return target.WriteFile(r.target.FS(), filepath.Join(r.staged.dir, name), b)
}

func (r *run) targetHasWAL(name string) bool {
	_, err := os.Stat(filepath.Join(r.cfg.Target.Path(), "pg_wal", name))
	return err == nil
}

func (r *run) missingWAL(n uint64) error {
	s := &r.sit
	size := s.target.control.SegmentSize
	var names []string
	for _, tli := range s.source.path.SegmentTimelines(size, n) {
		names = append(names, size.Name(tli, n))
	}
	return &PreflightError{Check: CheckReplay, Side: Source, LSN: size.Start(n),
		Found: fmt.Sprintf("WAL segment %s, which replay from %s needs, is neither at the source nor at the target", strings.Join(names, " or "), s.label.Redo),
		Want:  fmt.Sprintf("all WAL from %s to %s", s.label.Redo, s.sourceEnd),
		Next:  "restore the segment from the archive into the source's or the target's pg_wal"}
}

// stageWAL fetches what the plan says replay needs.
func (r *run) stageWAL(ctx context.Context) error {
	if err := r.prepareStage(ctx); err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	var actions []plan.Action
	for _, a := range r.plan.Actions {
		if a.Kind == plan.FetchWAL && !r.staged.names[path.Base(a.Path)] {
			actions = append(actions, a)
		}
	}
	for _, name := range r.archived {
		if err := r.stageArchived(ctx, name); err != nil {
			return fmt.Errorf("fetch %s for replay: %w", name, err)
		}
	}
	return r.timed(PartFetch, func() error { return r.fetchStaged(ctx, actions) })
}

// fetchStaged brings whole files into the stage directory: from the source, and
// what that has recycled since it was listed from the places that the caller
// named.
func (r *run) fetchStaged(ctx context.Context, actions []plan.Action) error {
	gone, err := r.fetchFromSource(ctx, actions)
	if err != nil {
		return err
	}
	for _, name := range gone {
		switch err := r.stageArchived(ctx, name); {
		case errors.Is(err, fs.ErrNotExist):
			return &PreflightError{Check: CheckReplay, Side: Source, Path: "pg_wal/" + name,
				Found: fmt.Sprintf("pg_wal/%s went away while it was fetched, and no archive that was named has it", name),
				Want:  "a source that keeps the WAL since the fork for as long as the rewind takes, or an archive of it",
				Next:  "run again and name the archive with --archive or --restore-command; raise wal_keep_size at the source, or give this node a replication slot there"}
		case err != nil:
			return fmt.Errorf("fetch %s for replay: %w", name, err)
		}
		r.note(fmt.Sprintf("%s was gone from the source's pg_wal and came from an archive", name))
	}
	return nil
}

// fetchFromSource writes whole files from the source into the stage directory
// and names those that it does not have any more.
func (r *run) fetchFromSource(ctx context.Context, actions []plan.Action) (gone []string, err error) {
	var file target.File
	defer func() {
		if file != nil {
			err = errors.Join(err, file.Close())
		}
	}()
	open := ""
	done, total := int64(0), sumSizes(actions)
	err = r.cfg.Source.Fetch(ctx, wholeFiles(actions), func(c source.Chunk) error {
		name := path.Base(c.Path)
		if c.Missing {
			gone = append(gone, name)
			return nil
		}
		if open != name {
			if file != nil {
				if err := file.Close(); err != nil {
					return err
				}
			}
			f, err := r.target.FS().OpenFile(filepath.Join(r.staged.dir, name), os.O_CREATE|os.O_RDWR, 0o600)
			if err != nil {
				return fmt.Errorf("state directory: %w", err)
			}
			file, open = f, name
			r.staged.names[name] = true
		}
		if _, err := file.WriteAt(c.Data, c.Offset); err != nil {
			return fmt.Errorf("state directory: %w", err)
		}
		done += int64(len(c.Data))
		r.cfg.Progress(Progress{PhaseStage, done, total, "bytes"})
		return nil
	})
	return gone, err
}

func wholeFiles(actions []plan.Action) iter.Seq[source.Range] {
	return func(yield func(source.Range) bool) {
		for _, a := range actions {
			if !yield(source.Range{Path: a.Path, Length: a.Size, ToEnd: true}) {
				return
			}
		}
	}
}

func sumSizes(actions []plan.Action) (total int64) {
	for _, a := range actions {
		total += a.Size
	}
	return total
}

func (r *run) stageDir() string { return filepath.Join(r.cfg.StateDir, "stage") }
