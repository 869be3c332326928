package rewind

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"path"
	"path/filepath"
	"slices"

	"forkpoint/rewind/plan"
	"forkpoint/rewind/source"
	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/segment"
)

// foreseeReplay is what a dry run does in place of fetching the log for replay.
// Of a stopped source it reads that log where it lies, as far as replay will, as
// [run.checkReplay] does of what was fetched. Of a running one it asks for the
// headers of each segment's first and last page, and reads what the target has
// itself: it moves no log.
func (r *run) foreseeReplay(ctx context.Context) error {
	if !r.cfg.DryRun {
		return nil
	}
	if r.cfg.Source.Kind() == source.Directory {
		return r.checkReplay(ctx)
	}
	fetched := r.planned()
	if err := r.checkHeaders(ctx, fetched); err != nil {
		return err
	}
	s := &r.sit
	size := r.geometry().SegmentSize
	to := s.sourceEnd.LSN
	for n := range fetched {
		if at := size.Start(n); at < to {
			to = max(at, s.label.Redo)
		}
	}
	if to <= s.label.Redo {
		return nil
	}
	return r.checkOwnReplay(ctx, pg.Span{From: s.label.Redo, To: to})
}

// planned are the segments that the plan fetches from the source, by number.
func (r *run) planned() map[uint64]plan.Action {
	list := map[uint64]plan.Action{}
	for _, a := range r.plan.Actions {
		if a.Kind != plan.FetchWAL {
			continue
		}
		if n, err := pg.ParseSegmentName(path.Base(a.Path), r.geometry().SegmentSize); err == nil {
			list[n.Number] = a
		}
	}
	return list
}

// plannedWAL is where a stopped source has them.
func (r *run) plannedWAL() segment.Source {
	size := r.geometry().SegmentSize
	names := map[string]bool{}
	for _, a := range r.planned() {
		names[path.Base(a.Path)] = true
	}
	var wal segment.Source = NewSourceWAL(r.cfg.Source, size)
	if local, is := r.cfg.Source.(*source.Local); is { // read where it lies, not whole
		wal = segment.NewDir(filepath.Join(local.Dir().Path(), "pg_wal"), size)
	}
	return without{wal, size, func(n pg.SegmentName) bool { return !names[n.Format(size)] }}
}

// checkHeaders asks a running source for page headers of the segments that
// would be fetched.
func (r *run) checkHeaders(ctx context.Context, fetched map[uint64]plan.Action) error {
	size := r.geometry().SegmentSize
	tail := int64(size) - int64(r.geometry().PageSize)
	last := size.Number(r.sit.sourceEnd.LSN - 1) // being written
	numbers := map[string]uint64{}
	for n, a := range fetched {
		numbers[a.Path] = n
		if a.Size != int64(size) {
			return r.badSegment(n, a.Path, fmt.Sprintf("it has %d bytes, not %d", a.Size, size))
		}
	}
	ranges := iter.Seq[source.Range](func(yield func(source.Range) bool) {
		for _, n := range slices.Sorted(maps.Keys(fetched)) {
			a := fetched[n]
			if n != last && (!yield(source.Range{Path: a.Path, Length: walinspect.LongHeaderLen}) ||
				!yield(source.Range{Path: a.Path, Offset: tail, Length: walinspect.ShortHeaderLen})) {
				return
			}
		}
	})
	return r.cfg.Source.Fetch(ctx, ranges, func(c source.Chunk) error {
		if c.Missing || c.Short {
			return r.badSegment(numbers[c.Path], c.Path, "it goes away while it is looked at")
		}
		return r.checkHeader(numbers[c.Path], c)
	})
}

// checkHeader judges the header of a segment's first or last page. The last
// page of one that was switched from early has none, and that of a timeline
// that ends in the segment says nothing.
func (r *run) checkHeader(n uint64, c source.Chunk) error {
	size := r.geometry().SegmentSize
	at := size.Start(n) + pg.LSN(c.Offset)
	name, err := pg.ParseSegmentName(path.Base(c.Path), size)
	if err != nil || c.Offset > 0 && (allZero(c.Data) || r.sit.source.path.Owner(at) != name.Timeline) {
		return err
	}
	h, err := walinspect.DecodePageHeader(c.Data)
	switch {
	case err != nil:
		return r.badSegment(n, c.Path, err.Error())
	case h.Address != at:
		return r.badSegment(n, c.Path, fmt.Sprintf("its page at offset %d is that of %s", c.Offset, h.Address))
	case h.Long && h.SystemID != r.geometry().SystemID:
		return r.badSegment(n, c.Path, fmt.Sprintf("it is of the cluster with system identifier %d", h.SystemID))
	}
	return nil
}

func (r *run) badSegment(n uint64, name, found string) error {
	return &PreflightError{Check: CheckReplay, Side: Source, LSN: r.geometry().SegmentSize.Start(n), Path: name,
		Found: fmt.Sprintf("%s, which replay needs, is not whole: %s", name, found),
		Want:  fmt.Sprintf("all WAL from %s to %s", r.sit.label.Redo, r.sit.sourceEnd),
		Next:  "restore the segment from the archive into the source's pg_wal"}
}

// checkOwnReplay reads the log for replay up to where the source's is to be
// fetched. A last record that goes on there cannot be read whole.
func (r *run) checkOwnReplay(ctx context.Context, span pg.Span) error {
	size := r.geometry().SegmentSize
	facts, err := r.replayLog().Marks(ctx, r.sit.source.path, span)
	if err != nil {
		return fmt.Errorf("read the WAL that replay needs, %s: %w", span, err)
	}
	torn := size.Number(span.To)
	if len(facts.Gaps) > 0 && size.Number(facts.Gaps[0].Span.From) < torn && (size.Number(facts.End) != torn-1 || r.targetHasWAL(size.Name(r.sit.target.path.Owner(span.To), torn))) {
		return r.unreadable(facts)
	}
	if c, found := checkpointAt(facts, r.sit.label.LSN); r.sit.label.LSN < span.To && (!found || c.Redo != r.sit.label.Redo) {
		return r.noCheckpoint()
	}
	return r.checkRepeats(ctx, facts, span.To)
}
