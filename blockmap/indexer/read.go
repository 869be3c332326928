package indexer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"forkpoint/blockmap"
	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/rmgr"
	"forkpoint/walinspect/segment"
)

// job is a segment that a worker is to read.
type job struct {
	name    pg.SegmentName
	part    pg.Span
	whole   bool // gather the whole segment, for the cache
	exact   bool // gather the part on its own
	earlier []reading
	done    chan *outcome // holds one
	out     *outcome      // what was in done
}

// wait is for the goroutine that joins; it may ask more than once.
func (j *job) wait() *outcome {
	if j.out == nil {
		j.out = <-j.done
	}
	return j.out
}

// outcome is what came of a job. Without head the file is of no use, and reason
// says why. err ends the scan.
type outcome struct {
	head        *blockmap.Segment
	whole, part *blockmap.Segment
	reason      string
	stop        walinspect.StopReason
	crosses     bool // see choice
	err         error
}

func (o *outcome) contents() *blockmap.Segment {
	if o.part != nil {
		return o.part
	}
	return o.whole
}

// read reads a segment from its first record to the end of the last one that
// begins in it, or to the end of the part that is wanted.
func (s *scan) read(ctx context.Context, j *job, w *worker) *outcome {
	pages := w.readPages(s, func(n uint64) []pg.TimelineID { return s.filesFor(j, n) })
	defer pages.Close()
	began := time.Now()
	major, useless := s.peek(ctx, pages, j)
	if useless != nil {
		return useless
	}
	file := pages.File()
	settled := file.Settled
	out := &outcome{head: &blockmap.Segment{
		SystemID: s.g.SystemID, SegmentSize: s.size, Major: major, Name: j.name,
		Path: file.Path, Identity: file.Identity, Size: file.Size, Indexed: began.UTC(),
	}}
	x := newExtracts(out, j, w, s.contents)
	limit := j.part.To
	if j.whole {
		limit = s.size.Start(j.name.Number + 1)
	}
	r := walinspect.NewReader(pages, s.g, s.size.Start(j.name.Number))
	r.SetLimit(limit)
	for r.Next(ctx) {
		rec := r.Record()
		if err := x.add(rec, j.part.Contains(rec.LSN) && s.wanted(rec)); err != nil {
			return &outcome{reason: err.Error()}
		}
	}
	if err := s.end(ctx, out, r.Stop(), limit); err != nil {
		return &outcome{err: err}
	}
	if out.head != nil {
		distrust(out.head, settled)
		x.finish()
		if out.whole != nil && s.ix.caches {
			out.whole.Packed = w.packer.Pack(out.whole)
		}
		w.done(cmp.Or(x.part, x.whole), s.contents)
	}
	return out
}

// extracts are what is gathered in one reading: the whole segment, a part, or
// both. What the edges are is always noted.
type extracts struct {
	out         *outcome
	whole, part *extract
}

func newExtracts(out *outcome, j *job, w *worker, keep bool) *extracts {
	x := &extracts{out: out}
	if j.exact {
		part := *out.head
		out.part = &part
		x.part = newExtract(out.part, w, keep)
	}
	if j.whole {
		out.whole = out.head
		x.whole = newExtract(out.whole, w, keep)
		x.whole.digest.earlier = j.earlier
	}
	return x
}

// add takes in a record, which may be one of the part. A record whose effects
// are not known spoils what it belongs to and nothing else.
func (x *extracts) add(rec *walinspect.Record, ofPart bool) error {
	if x.whole != nil {
		if err := x.whole.add(rec); err != nil {
			if x.part == nil {
				return err
			}
			x.whole, x.out.whole = nil, nil
		}
	} else {
		noteEdges(x.out.head, rec)
	}
	if x.part != nil && ofPart {
		return x.part.add(rec)
	}
	return nil
}

func (x *extracts) finish() {
	for _, e := range []*extract{x.whole, x.part} {
		if e != nil {
			e.finish()
		}
	}
}

// filesFor lists the timelines under which segment n may lie, seen from the
// job's segment: the job's own file, and for the end of its last record what the
// path has next. Where the path left the job's timeline before that, the record
// is not of the path, and its end is where the same timeline has it.
func (s *scan) filesFor(j *job, n uint64) []pg.TimelineID {
	if n == j.name.Number {
		return []pg.TimelineID{j.name.Timeline}
	}
	var list []pg.TimelineID
	own := false
	for _, tli := range s.path.SegmentTimelines(s.size, n) {
		if tli >= j.name.Timeline {
			list = append(list, tli)
			own = own || tli == j.name.Timeline
		}
	}
	if !own {
		return []pg.TimelineID{j.name.Timeline}
	}
	return list
}

// peek looks at the first page: a file that was recycled for later use has not
// been written yet, and needs no closer look. The outcome is nil where
// the file is to be read.
func (s *scan) peek(ctx context.Context, pages *segment.Pages, j *job) (major int, useless *outcome) {
	start := s.size.Start(j.name.Number)
	w, err := pages.ReadWindow(ctx, start)
	name := j.name.Format(s.size)
	switch {
	case ctx.Err() != nil:
		return 0, &outcome{err: context.Cause(ctx)}
	case errors.Is(err, fs.ErrNotExist):
		return 0, &outcome{reason: fmt.Sprintf("segment %s is gone", name), stop: walinspect.StopMissingSegment}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return 0, &outcome{reason: fmt.Sprintf("segment %s is empty", name), stop: walinspect.StopTruncatedFile}
	case err != nil:
		return 0, &outcome{reason: fmt.Sprintf("segment %s cannot be read: %v", name, err), stop: walinspect.StopUnreadable}
	}
	h, err := walinspect.DecodePageHeader(w.Data)
	switch {
	case err == nil && h.Address < start:
		return 0, &outcome{reason: fmt.Sprintf("segment %s is not written yet: it holds older WAL from %s", name, h.Address), stop: walinspect.StopRecycled}
	}
	major, _ = pg.MajorOfMagic(h.Magic)
	// The reader finds out what else may be wrong, and what follows zeros.
	return major, nil
}

// wanted tells whether a record is one of those asked for.
func (s *scan) wanted(rec *walinspect.Record) bool {
	return s.only == nil || s.only[rec.XID] || rec.HasTopXID && s.only[rec.TopXID]
}

// noteEdges keeps what is needed of a segment to join it to its neighbours.
func noteEdges(head *blockmap.Segment, rec *walinspect.Record) {
	if head.Records == 0 {
		head.First, head.FirstPrev = rec.LSN, rec.Prev
		head.FirstTimeline, head.LastTimeline = rec.Timeline, rec.Timeline
	}
	if rec.Timeline != head.LastTimeline {
		head.Events = append(head.Events, timelineBegin(head, rec))
		head.LastTimeline = rec.Timeline
	}
	if rec.IsSwitch() {
		head.Events = append(head.Events, blockmap.Event{Kind: blockmap.Switch, LSN: rec.LSN})
	}
	if rec.IsOverwrite() {
		if lost, err := rmgr.DecodeOverwrite(rec); err == nil {
			head.Events = append(head.Events, blockmap.Event{Kind: blockmap.OverwrittenContrecord, LSN: rec.LSN, At: lost.LSN})
		}
	}
	head.Last, head.End = rec.LSN, rec.End
	head.Records++
}

// end notes why reading ended.
func (s *scan) end(ctx context.Context, out *outcome, stop walinspect.Stop, limit pg.LSN) error {
	switch stop.Reason {
	case walinspect.StopCancelled:
		return context.Cause(ctx)
	case walinspect.StopLimit:
		out.head.Complete = limit == s.size.Start(out.head.Name.Number+1)
	default:
		out.head.Stop, out.head.StopLSN, out.head.StopDetail = string(stop.Reason), stop.LSN, stop.String()
		out.crosses = s.size.Number(stop.At) > out.head.Name.Number
		if out.head.Records == 0 {
			reason := fmt.Sprintf("segment %s: %s", out.head.Name.Format(s.size), stop)
			if stop.Reason == walinspect.StopCleanEnd {
				reason = fmt.Sprintf("segment %s is not written yet: it holds nothing but zeros", out.head.Name.Format(s.size))
			}
			*out = outcome{reason: reason, stop: stop.Reason}
		}
	}
	return nil
}

// distrust forgets the identity of a file that may grow without a change of
// its times.
func distrust(head *blockmap.Segment, settled bool) {
	if !head.Complete && !settled {
		head.Identity = ""
	}
}
