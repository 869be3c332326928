package rewind

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"forkpoint/rewind/plan"
	"forkpoint/rewind/source"
	"forkpoint/walinspect/pg"
)

// completeWAL fetches what the source wrote while it was copied, so that the
// target can become consistent from what it holds, and moves the position to
// the end of the last record before it. A position inside a record or a page
// header is never reached by a server whose source has nothing more to say.
func (r *run) completeWAL(ctx context.Context, end source.Position) (source.Position, error) {
	s := &r.sit
	size := s.target.control.SegmentSize
	if end.LSN > s.sourceEnd.LSN {
		if err := r.fetchNewWAL(ctx, size.Number(s.sourceEnd.LSN-1), size.Number(end.LSN-1)); err != nil {
			return end, err
		}
	}
	span := pg.Span{From: s.label.Redo, To: max(end.LSN, s.label.LSN+1)}
	facts, err := r.replayLog().Marks(ctx, s.source.path, span)
	if err != nil {
		return end, fmt.Errorf("read the WAL that replay needs, %s: %w", span, err)
	}
	if !r.reaches(facts, end.LSN) {
		return end, fmt.Errorf("source: the WAL that replay needs, from %s to %s, can be read up to %s only (%s); restore the segment there into the source's pg_wal or name an archive that has it", s.label.Redo, end, facts.End, gapText(facts))
	}
	if err := r.checkRepeats(ctx, facts, end.LSN); err != nil {
		return end, err
	}
	end.LSN = facts.End
	return end, r.installWAL(ctx)
}

// fetchNewWAL fetches the segments first to last of the source's timeline,
// over what was fetched of them before.
func (r *run) fetchNewWAL(ctx context.Context, first, last uint64) error {
	size := r.sit.target.control.SegmentSize
	var actions []plan.Action
	for n := first; n <= last; n++ {
		name := size.Name(r.sit.source.path.Owner(size.Start(n+1)-1), n)
		actions = append(actions, plan.Action{Kind: plan.FetchWAL, Path: "pg_wal/" + name, Size: int64(size)})
	}
	return r.fetchStaged(ctx, actions)
}

// installWAL puts the fetched files into pg_wal. What they replace leaves for
// the evidence bundle.
func (r *run) installWAL(ctx context.Context) error {
	names := make([]string, 0, len(r.staged.names))
	for name := range r.staged.names {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if err := r.edit.Remove("pg_wal/" + name); err != nil {
			return err
		}
	}
	if err := r.edit.Flush(); err != nil {
		return err
	}
	for _, name := range names {
		from := filepath.Join(r.staged.dir, name)
		info, err := r.target.FS().Lstat(from)
		if err != nil {
			return fmt.Errorf("state directory: %w", err)
		}
		if err := r.target.Restore(from, "pg_wal/"+name, r.target.FileMode()); err != nil {
			return fmt.Errorf("target: %w", err)
		}
		// It may be the staged file itself, under a second name.
		if err := r.target.Chmod("pg_wal/"+name, r.target.FileMode()); err != nil {
			return fmt.Errorf("target: %w", err)
		}
		r.result.Written.ToTarget += info.Size()
	}
	return nil
}
