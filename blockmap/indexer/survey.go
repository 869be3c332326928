package indexer

import (
	"context"
	"fmt"
	"io"
	"math"

	"forkpoint/blockmap"
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
		if _, on := s.path.Step(info.Name.Timeline); !on || s.size.Span(info.Name.Number).Empty() {
			continue // no server gets to the last segment, whose end would be 0
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

// longRow is how many segments in a row are looked for though neither the source
// lists them nor the cache knows them: a restore_command may have them.
const longRow = 4096

// next finds the first segment after number n that is listed or known, at most
// the one behind end: a stray file can have any number, and before it lies
// nothing that could be counted one by one.
func (s *scan) next(ctx context.Context, n, end uint64) (next uint64, err error) {
	next = s.last
	see := func(number uint64) {
		if number > n {
			next = min(next, number)
		}
	}
	for name := range s.listed {
		see(name.Number)
	}
	for _, step := range s.path {
		key := blockmap.SegmentKey{SystemID: s.g.SystemID, SegmentSize: s.size, Name: pg.SegmentName{Timeline: step.Timeline, Number: n}}
		number, known, err := s.ix.cache.Next(ctx, key)
		if err != nil {
			return 0, err
		}
		if known {
			see(number)
		}
	}
	if end < next {
		next = end + 1
	}
	return next, nil
}

// passOver is the position of all segments from number first to before next, of
// which there is nothing.
func (s *scan) passOver(first, next uint64) *position {
	p := &position{n: next - 1, name: s.nameOf(next - 1), others: next - 1 - first}
	p.reason = fmt.Sprintf("no segment from %s to %s is in %s", s.nameOf(first).Format(s.size), p.name.Format(s.size), s.pool)
	return p
}

// nameOf is how the path names a segment: after the newest timeline that it may
// be of.
func (s *scan) nameOf(n uint64) pg.SegmentName {
	name := pg.SegmentName{Number: n}
	if timelines := s.path.SegmentTimelines(s.size, n); len(timelines) > 0 {
		name.Timeline = timelines[0]
	}
	return name
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
