package indexer

import (
	"context"
	"fmt"
	"io"
	"math"

	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/segment"
)

// survey finds out which segments there may be: those of the source that can
// be listed, and those in the cache. It returns where to begin.
func (s *scan) survey(ctx context.Context) (first uint64, known bool, err error) {
	s.listed = map[pg.SegmentName]segment.Info{}
	first = math.MaxUint64
	see := func(low, high uint64) {
		first, s.last, known = min(first, low), max(s.last, high), true
	}
	for info, err := range s.pool.List(ctx) {
		if err != nil {
			return 0, false, fmt.Errorf("list WAL segments in %s: %w", s.pool, err)
		}
		if _, on := s.path.Step(info.Name.Timeline); !on {
			continue
		}
		if old, twice := s.listed[info.Name]; !twice || old.Partial && !info.Partial {
			s.listed[info.Name] = info
		} else if old.Compressed && info.Compressed {
			old.Identity = "" // which of them is opened is not ours to know
			s.listed[info.Name] = old
		}
		see(info.Name.Number, info.Name.Number)
	}
	if err := s.identify(ctx); err != nil {
		return 0, false, err
	}
	for _, step := range s.path {
		low, high, found, err := s.ix.cache.Bounds(ctx, s.g.SystemID, s.size, step.Timeline)
		if err != nil {
			return 0, false, err
		}
		if found {
			see(low, high)
		}
	}
	if s.span.From.Valid() { // a source that cannot be listed may have it
		first, known = s.size.Number(s.span.From), true
	}
	return first, known && !s.span.Empty(), nil
}

// identify learns the system identifier from the first page of a segment.
func (s *scan) identify(ctx context.Context) error {
	if s.g.SystemID != 0 {
		return nil
	}
	header := make([]byte, walinspect.LongHeaderLen)
	for name := range s.listed {
		f, err := s.pool.Open(ctx, name.Format(s.size))
		if err != nil {
			continue // the scan comes to it and reports it
		}
		_, err = f.ReadAt(header, 0)
		f.Close() // read only
		if err != nil && err != io.EOF {
			continue
		}
		if g, err := walinspect.DecodeGeometry(header); err == nil && g.SegmentSize == s.size {
			s.g.SystemID = g.SystemID
			return nil
		}
	}
	if s.ix.caches {
		return errNoSystem
	}
	return nil
}
