package walinspect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"forkpoint/walinspect/pg"
)

// classify turns what ended the reading into a reason. Errors about bytes need
// a second look at what comes after: the same bytes are the usual end of the
// log when nothing follows, and damage when valid records do.
func (r *Reader) classify(ctx context.Context, err error) Stop {
	var c *CorruptError
	switch s := (Stop{LSN: r.next, At: r.next, Err: err}); {
	case errors.Is(err, errLimit):
		s.Reason, s.Err = StopLimit, nil
		return s
	case ctx.Err() != nil:
		s.Reason, s.Err = StopCancelled, context.Cause(ctx)
		return s
	case errors.As(err, &c):
		return r.judge(ctx, c)
	case errors.Is(err, errOverwritten):
		s.Reason, s.At, s.Flaw = StopOverwritten, r.at, FlawContinuation
		s.Want, s.Got = "a continuation", "a record that gives up "+r.next.String()
		s.Err = fmt.Errorf("the record at %s was never completed: the log goes on without it at %s", r.next, r.at)
		return s.from(r.window.Origin, r.g.SegmentSize)
	case errors.Is(err, fs.ErrNotExist):
		s.Reason, s.At = StopMissingSegment, r.wanted
		s.Want, s.Got = "the next segment", "no file"
		if r.switched && !r.partial {
			s.Reason, s.Err = StopSwitchTail, nil
		}
		return s
	case errors.Is(err, io.ErrUnexpectedEOF):
		s.Reason, s.At = StopTruncatedFile, r.wanted
		s.Want, s.Got = "a whole segment", "a shorter file"
		return s.from(r.window.Origin, r.g.SegmentSize)
	case errors.Is(err, ErrUnknownFormat):
		s.Reason = StopUnknownFormat
		s.Err = fmt.Errorf("WAL page %s%s: %w", r.g.Page(r.next), inFile(r.window.Path), err)
		return s.from(r.window.Origin, r.g.SegmentSize)
	case errors.Is(err, ErrNoRecord):
		s.Reason = StopNoRecord
		return s.from(r.window.Origin, r.g.SegmentSize)
	default:
		s.Reason, s.At = StopUnreadable, r.wanted
		return s.from(r.window.Origin, r.g.SegmentSize)
	}
}

func inFile(path string) string {
	if path == "" {
		return ""
	}
	return " (" + path + ")"
}

// from adds the file that the evidence is from.
func (s Stop) from(o Origin, size pg.SegmentSize) Stop {
	s.Timeline, s.Path, s.Offset = o.Segment.Timeline, o.Path, int64(size.Offset(s.At))
	return s
}

// judge names the reason for a stop at bytes that are not the log going on.
func (r *Reader) judge(ctx context.Context, c *CorruptError) Stop {
	s := Stop{
		LSN: r.next, Flaw: c.Flaw, At: c.LSN, Err: c,
		Timeline: c.Timeline, Path: c.Path, Offset: c.Offset, Want: c.Want, Got: c.Got,
	}
	switch c.Flaw {
	case FlawSystemID:
		s.Reason = StopWrongCluster
		return s
	case FlawTimeline:
		s.Reason = StopWrongTimeline
		return s
	case FlawRmgr, FlawRecordBody, FlawOverwrite, FlawPageMagic, FlawPageFlags, FlawSegmentSize, FlawPageSize:
		s.Reason = StopCorrupt // no crash and no recycling leaves this behind
	}
	if r.probing {
		return s
	}

	seen := r.survey(ctx)
	if ctx.Err() != nil {
		s.Reason, s.Err = StopCancelled, context.Cause(ctx)
		return s
	}
	s.After = seen.after
	zeros := c.Flaw == FlawZeroPage || c.Flaw == FlawZeroLength
	switch {
	case s.Reason != StopNone:
	case seen.after.Valid() && zeros:
		s.Reason = StopZeroFill
	case seen.after.Valid():
		s.Reason = StopCorrupt
	case zeros:
		s.Reason = r.endInZeros(&s, seen)
	case c.Flaw == FlawPageAddress:
		s.Reason = r.endInOtherPage(c)
	case c.Flaw == FlawPrevLink && !r.partial && c.found < r.prev:
		s.Reason = StopRecycled
	default:
		s.Reason = StopTorn
	}
	if s.Reason.EndOfWAL() {
		s.Err = nil
	}
	return s
}

// endInZeros tells the kinds of end apart that begin with zeros.
func (r *Reader) endInZeros(s *Stop, seen survey) StopReason {
	switch {
	case r.partial:
		return StopTorn
	case r.switched:
		return StopSwitchTail
	case seen.older.Valid():
		s.Flaw, s.At, s.Want, s.Got = FlawPageAddress, seen.older, seen.older.String(), seen.olderGot.String()
		*s = s.from(seen.origin, r.g.SegmentSize)
		return StopRecycled
	case seen.debris:
		return StopTorn
	}
	return StopCleanEnd
}

// endInOtherPage: an older address is what a recycled file has where it was
// not yet written; a newer one cannot come about that way.
func (r *Reader) endInOtherPage(c *CorruptError) StopReason {
	switch {
	case c.found > c.LSN:
		return StopCorrupt
	case r.partial:
		return StopTorn
	case r.switched:
		return StopSwitchTail
	}
	return StopRecycled
}
