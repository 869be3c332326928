package indexer

import (
	"context"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
)

// keep turns what a worker read into the position's choice, and falls back to
// what is stored where the file turned out to be of no use.
func (s *scan) keep(ctx context.Context, p *position, out *outcome) error {
	if out.head != nil {
		c := &choice{head: out.head, contents: out.contents(), rung: RungWAL, part: p.job.part, crosses: out.crosses}
		known, err := s.complete(ctx, p, out)
		if known || err != nil {
			return err
		}
		if err := s.remember(ctx, out.whole); err != nil {
			return err
		}
		if out.reason = s.fits(c); out.reason == "" {
			p.choices = []*choice{c}
			return s.mend(ctx, p)
		}
		s.suspect[p.name.Timeline] = true
	}
	p.reason, p.stop = out.reason, out.stop
	p.there = !out.stop.MayEndLog()
	s.ix.opts.Log.Debug("segment is of no use", "segment", p.name.Format(s.size), "reason", out.reason)
	return s.lookUp(ctx, p)
}

// complete finds the stored segments that go on from what was read, where only
// the end of the last record is missing since the next segment is: what is
// stored has it.
func (s *scan) complete(ctx context.Context, p *position, out *outcome) (bool, error) {
	if !out.crosses || !s.ix.caches || out.whole == nil {
		return false, nil
	}
	variants, err := s.ix.cache.Variants(ctx, out.head.Key())
	for _, v := range variants {
		if c := (&choice{head: v, rung: RungIndex, part: p.job.part}); v.Complete && v.InnerDigest == out.whole.Digest && s.fits(c) == "" {
			p.choices, p.stored = append(p.choices, c), true
		}
	}
	return p.stored, err
}

func (s *scan) remember(ctx context.Context, whole *blockmap.Segment) error {
	if whole == nil || !s.ix.caches {
		return nil
	}
	if s.save = append(s.save, whole); len(s.save) < saveBatch {
		return nil
	}
	return s.flush(ctx)
}

// mend looks for stored segments that the position's file may have held before
// it was damaged. Which it was, or whether the log just ends there, is decided
// when the segment after it is known: see [scan.settle].
func (s *scan) mend(ctx context.Context, p *position) error {
	file := p.choices[0]
	if !s.ix.caches || file.head.Complete || file.head.Stop == "" {
		return nil
	}
	variants, err := s.ix.cache.Variants(ctx, file.head.Key())
	if err != nil {
		return err
	}
	for _, v := range variants {
		c := &choice{head: v, rung: RungIndex, part: file.part}
		if !v.Complete || !beginsLike(v, file.head) || s.fits(c) != "" {
			continue
		}
		if err := s.load(ctx, c); err != nil {
			return err
		}
		alike, err := sameXacts(c.contents, file)
		if err != nil {
			return err
		}
		if alike {
			p.choices, p.stored, p.file = append(p.choices, c), true, file
		}
	}
	return nil
}

// beginsLike tells whether what was read can be the beginning of what is stored.
func beginsLike(stored, read *blockmap.Segment) bool {
	return stored.First == read.First && stored.FirstPrev == read.FirstPrev && stored.FirstTimeline == read.FirstTimeline &&
		stored.Records > read.Records && stored.Last > read.Last
}

// sameXacts tells whether the transactions that the file still shows are those
// of the stored segment, to the microsecond: branches of a cluster can have
// records of the same lengths, but hardly the same commits.
func sameXacts(stored *blockmap.Segment, file *choice) (bool, error) {
	seen := file.contents
	if seen == nil {
		seen = file.head
	}
	if seen.Packed != nil && seen.Xacts == nil {
		unpacked := &blockmap.Segment{SegmentSize: seen.SegmentSize, Records: seen.Records, Bytes: seen.Bytes}
		if err := seen.Packed.Unpack(unpacked); err != nil {
			return false, err
		}
		seen = unpacked
	}
	known := map[pg.LSN]*blockmap.Xact{}
	for i := range stored.Xacts {
		known[stored.Xacts[i].LSN] = &stored.Xacts[i]
	}
	for i := range seen.Xacts {
		x := &seen.Xacts[i]
		if k := known[x.LSN]; k == nil || k.XID != x.XID || k.Kind != x.Kind || !k.Time.Equal(x.Time) {
			return false, nil
		}
	}
	return true, nil
}

// endInFiles leaves to each pending file that breaks off no choice but what it
// has, where no later file shows that the log went on: what is stored beyond may
// be a log that this cluster does not have.
func (s *scan) endInFiles(next *position) {
	goesOn := next != nil && len(next.choices) > 0 && !next.stored
	for i := len(s.pending) - 1; i >= 0; i-- {
		p := s.pending[i]
		if p.file != nil && !goesOn {
			p.choices = []*choice{p.file}
		}
		goesOn = goesOn && len(p.choices) > 0 || p.file != nil
	}
}
