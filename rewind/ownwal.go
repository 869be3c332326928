package rewind

import (
	"context"
	"fmt"
	"io/fs"
	"iter"
	"path/filepath"

	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/segment"
)

// ownWAL is the log that lies with the target and nowhere else: what an
// interrupted run set aside, and pg_wal without what that run put there.
func (r *run) ownWAL() segment.Source {
	size := r.geometry().SegmentSize
	dir := r.targetWAL()
	if r.resumed == nil {
		return dir
	}
	own := without{dir, size, func(n pg.SegmentName) bool {
		name := "pg_wal/" + n.Format(size)
		_, kept := r.resumed.kept[name]
		return kept || r.resumed.absent[name]
	}}
	return segment.NewChain(keptWAL{r.journal.Dir(), r.resumed.kept, size}, own)
}

// targetWAL is the target's pg_wal as it is.
func (r *run) targetWAL() segment.Source {
	return segment.NewDir(filepath.Join(r.cfg.Target.Path(), "pg_wal"), r.geometry().SegmentSize)
}

// archives are the places that the caller named, without the segments of which
// their name does not tell whose they are.
func (r *run) archives() segment.Source {
	if r.cfg.Archives == nil {
		return nil
	}
	return without{r.cfg.Archives, r.geometry().SegmentSize, r.ambiguous}
}

// ambiguous tells whether both sides wrote, or may have written, a segment of
// that name with other records: past the fork, on a timeline number that both
// went on under. Such a segment counts only where it lies with the side itself.
func (r *run) ambiguous(n pg.SegmentName) bool {
	s := &r.sit
	if r.geometry().SegmentSize.Span(n.Number).To <= s.fork.LSN {
		return false
	}
	a, onTarget := s.target.path.Step(n.Timeline)
	b, onSource := s.source.path.Step(n.Timeline)
	return onTarget && onSource && a.End > s.fork.LSN && b.End > s.fork.LSN
}

// oneNumber tells whether both sides went on under one timeline number past the
// fork, or may have.
func (s *situation) oneNumber() bool {
	for _, a := range s.target.path {
		if b, both := s.source.path.Step(a.Timeline); both && (s.fork.Same() || a.End > s.fork.LSN && b.End > s.fork.LSN) {
			return true
		}
	}
	return false
}

// newIndex reads a log through the catalog. What the catalog has of segments
// whose files are gone does not count where their names do not tell whose they
// are.
func (r *run) newIndex(wal segment.Source) BlockIndex { return r.cfg.NewIndex(wal, !r.sit.oneNumber()) }

// checkOwn refuses where the target's log past the fork is not all in its own
// files, though the source wrote under the same names: an index or an archive
// would not tell whose segment it has.
func (r *run) checkOwn(ctx context.Context) error {
	s := &r.sit
	size := r.geometry().SegmentSize
	own := r.ownWAL()
	for n := size.Number(s.fork.LSN); n <= size.Number(s.targetEnd-1) && s.fork.LSN < s.targetEnd; n++ {
		if !r.ambiguous(pg.SegmentName{Timeline: s.target.path.Owner(size.Start(n+1) - 1), Number: n}) {
			continue
		}
		if name, there := r.holds(ctx, own, n); !there {
			return &PreflightError{Check: CheckCoverage, Side: Target, LSN: size.Start(n), Path: filepath.Join(r.cfg.Target.Path(), "pg_wal", name),
				Found: fmt.Sprintf("segment %s, which it wrote after the two parted, is not in its pg_wal, and the source has another of that name", name),
				Want:  "the target's own segments from the fork to its end",
				Next:  "restore the segment into the target's pg_wal, from an archive that only the target wrote"}
		}
	}
	return nil
}

// without is a source of which some segments are left out.
type without struct {
	segment.Source
	size pg.SegmentSize
	out  func(pg.SegmentName) bool
}

func (w without) Open(ctx context.Context, name string) (*segment.File, error) {
	if n, err := pg.ParseSegmentName(name, w.size); err == nil && w.out(n) {
		return nil, fmt.Errorf("%s in %s may be of the other side: %w", name, w.Source, fs.ErrNotExist)
	}
	return w.Source.Open(ctx, name)
}

func (w without) List(ctx context.Context) iter.Seq2[segment.Info, error] {
	return func(yield func(segment.Info, error) bool) {
		for info, err := range w.Source.List(ctx) {
			if err == nil && w.out(info.Name) {
				continue
			}
			if !yield(info, err) {
				return
			}
		}
	}
}
