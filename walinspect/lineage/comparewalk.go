package lineage

import (
	"context"
	"errors"
	"fmt"

	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/segment"
)

// walk reads the records of both sides from the last one that begins before
// segment n, which may go on into it, until they differ or one side ends.
func (c *comparer) walk(ctx context.Context, n uint64) error {
	a, b := c.pages(c.A), c.pages(c.B)
	defer a.Close()
	defer b.Close()
	from, certain, err := c.start(ctx, a, n)
	if err != nil {
		c.result.Unsure = err.Error()
		return ctx.Err()
	}
	ra, rb := walinspect.NewReader(a, c.Geometry, from), walinspect.NewReader(b, c.Geometry, from)
	if !certain {
		// Where a record ends in the segment that began in one before, the
		// other side's may end elsewhere.
		other, err := walinspect.FirstRecord(ctx, b, c.Geometry, max(c.Geometry.SegmentSize.Start(n), c.span.From))
		if err == nil && other != from {
			rb = walinspect.NewReader(b, c.Geometry, other)
		}
	}
	ra.SetLimit(c.span.To)
	rb.SetLimit(c.span.To)
	for first := true; ; first = false {
		hasA, hasB := ra.Next(ctx), rb.Next(ctx)
		if hasA && hasB && alike(ra.Record(), rb.Record()) {
			c.result.Alike = ra.Record().End
			continue
		}
		c.result.A, c.result.B = mark(ra, hasA, a), mark(rb, hasB, b)
		if err := errors.Join(ended(ra, hasA, a), ended(rb, hasB, b)); err != nil {
			c.result.Unsure = err.Error()
			return ctx.Err()
		}
		if hasA && hasB {
			r := c.result
			r.Differs, r.At, r.Tli = true, min(ra.Record().LSN, rb.Record().LSN), ra.Record().Timeline
			r.Fork = r.Alike
			if first {
				r.Fork = r.At
				r.Earlier = !certain && r.At > c.Geometry.RecordStart(c.span.From)
			}
			if r.At == c.Geometry.RecordStart(c.span.From) {
				r.Fork = c.span.From
			}
			if r.Earlier {
				return c.lookBack(ctx)
			}
		}
		return nil
	}
}

func (c *comparer) pages(s segment.Source) *segment.Pages {
	return segment.NewPages(s, c.Geometry.SegmentSize, c.timelines)
}

// timelines are those whose file of segment n holds a part of the span. Where
// the span begins with a timeline, the parent's file does not.
func (c *comparer) timelines(n uint64) []pg.TimelineID {
	var list []pg.TimelineID
	for _, tli := range c.Path.SegmentTimelines(c.Geometry.SegmentSize, n) {
		if step, _ := c.Path.Step(tli); !step.Span().Intersect(c.span).Empty() {
			list = append(list, tli)
		}
	}
	return list
}

// start finds the record to begin with: the last before the segment, where the
// segment before is one that both sides share, else the first in it.
func (c *comparer) start(ctx context.Context, pages *segment.Pages, n uint64) (from pg.LSN, certain bool, err error) {
	begin := c.Geometry.SegmentSize.Start(n)
	if begin > c.result.From {
		if rec, err := walinspect.LastRecordBefore(ctx, pages, c.Geometry, begin); err == nil && rec.LSN >= c.span.From {
			return rec.LSN, true, nil
		}
	}
	from, err = walinspect.FirstRecord(ctx, pages, c.Geometry, max(begin, c.span.From))
	return from, false, err
}

// alike tells whether two records are the same: position, length and checksum,
// which covers all the rest.
func alike(a, b *walinspect.Record) bool {
	return a.LSN == b.LSN && a.End == b.End && a.TotalLen == b.TotalLen && a.CRC == b.CRC
}

// ended is why a log ended, where that was not its natural end.
func ended(r *walinspect.Reader, has bool, pages *segment.Pages) error {
	stop := r.Stop()
	if has || stop.Reason.EndOfWAL() || stop.Reason == walinspect.StopLimit || stop.Reason == walinspect.StopMissingSegment {
		return nil
	}
	text := stop.String()
	if f := pages.File(); f != nil && stop.Path == "" {
		text += fmt.Sprintf(" (%s, which holds %d bytes)", f.Path, f.Size)
	} else if stop.Path == "" && stop.Err != nil {
		text += ": " + stop.Err.Error()
	}
	return errors.New(text)
}

func mark(r *walinspect.Reader, has bool, pages *segment.Pages) Mark {
	m := Mark{Record: has}
	if f := pages.File(); f != nil {
		m.Path = f.Path
	}
	if has {
		rec := r.Record()
		m.LSN, m.Rmgr, m.Info, m.XID, m.Length, m.CRC = rec.LSN, rec.Rmgr.String(), rec.Info, rec.XID, rec.TotalLen, rec.CRC
		return m
	}
	m.LSN, m.Stop = r.Stop().LSN, r.Stop().Reason
	return m
}
