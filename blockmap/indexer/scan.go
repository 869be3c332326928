package indexer

import (
	"context"
	"math"
	"slices"
	"sync"

	"forkpoint/blockmap"
	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/segment"
	"forkpoint/walinspect/timeline"
)

// request is what a scan is asked for.
type request struct {
	path     timeline.Path
	span     pg.Span
	contents bool            // gather what the records say
	whole    bool            // deal with whole segments, also at the ends of the span
	only     map[pg.XID]bool // blocks of these transactions only, if not nil

	summaries bool // where nothing else tells, WAL summaries will do

	visit func(*blockmap.Segment) error // see Visit
	marks bool                          // see Marks
}

// scan is one walk over the segments of a span, in order. The goroutine that
// runs it talks to the cache and joins the segments; workers read them.
type scan struct {
	request
	ix     *Indexer
	g      walinspect.Geometry
	size   pg.SegmentSize
	pool   *pool
	listed map[pg.SegmentName]segment.Info
	last   uint64 // highest number that is known to exist

	// suspect are timelines of which a file turned out to be another branch's:
	// without a joint, others of that name may be as well.
	suspect map[pg.TimelineID]bool

	result *Result
	merge  *merge // nil if contents are not asked for
	joint  joint
	joined *choice     // the last that was joined
	totals TotalLoader // the cache, where it is one
	batch  []*choice
	adding inTurn // what is added to merge
	done   int
	save   []*blockmap.Segment

	pending []*position // of which only stored variants are known
}

func (ix *Indexer) scan(ctx context.Context, req request) (*Result, error) {
	s := &scan{
		request: req, ix: ix, g: ix.g, size: ix.g.SegmentSize,
		pool:   newPool(ix.source, ix.opts.Workers+1),
		result: &Result{Span: req.span}, suspect: map[pg.TimelineID]bool{},
	}
	defer s.pool.close()
	if req.contents {
		s.merge = newMerge(s.result, req.visit, req.marks)
		s.totals, _ = ix.cache.(TotalLoader)
	}
	if err := s.g.Check(); err != nil {
		return nil, err
	}
	first, known, err := s.survey(ctx)
	if err != nil {
		return nil, err
	}
	if known {
		if !s.span.From.Valid() {
			s.span.From = s.size.Start(first) // the beginning of what there is
		}
		err = s.walk(ctx, first)
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, err
	}
	if err := s.finish(); err != nil {
		return nil, err
	}
	return s.result, nil
}

// walk goes over the segments from number first to the end of the span, or of
// what there is. Jobs run ahead of the place where results are joined.
func (s *scan) walk(ctx context.Context, first uint64) error {
	reading, stop := context.WithCancel(ctx)
	jobs := make(chan *job, s.ahead())
	var running sync.WaitGroup
	for range s.ix.opts.Workers {
		running.Go(func() {
			var w worker
			for j := range jobs {
				j.done <- s.read(reading, j, &w)
			}
		})
	}
	err := s.dispatch(ctx, first, jobs)
	if added := s.adding.wait(); err == nil {
		err = added
	}
	stop()
	close(jobs)
	running.Wait()
	if err != nil {
		return err
	}
	return s.flush(ctx)
}

// dispatch makes a position of each segment, hands out what must be read, and
// joins the positions in order.
func (s *scan) dispatch(ctx context.Context, first uint64, jobs chan<- *job) error {
	end := uint64(math.MaxUint64)
	if s.span.To != pg.MaxLSN {
		end = s.size.Number(s.span.To - 1)
	}
	q := queue{scan: s, ahead: s.ahead()}
	missing := 0 // in a row
	for n := first; n <= end; n++ {
		p, err := s.locate(ctx, n)
		if err != nil {
			return err
		}
		if p.job != nil {
			jobs <- p.job // workers always come back for more
		}
		if err := q.add(ctx, p); err != nil {
			return err
		}
		if p.job != nil || len(p.choices) > 0 {
			missing = 0
			continue
		}
		if n >= s.last {
			break // nothing is there, and nothing is known to follow
		}
		if missing++; missing < longRow {
			continue
		}
		missing = 0
		next, err := s.next(ctx, n, end)
		if err != nil {
			return err
		}
		if next > n+1 {
			if err := q.add(ctx, s.passOver(n+1, next)); err != nil {
				return err
			}
			n = next - 1
		}
	}
	return q.finish(ctx)
}

// ahead is how many segments may be read beyond the one that is joined, so that
// workers have something to do while a batch is saved and the disk is waited
// for. Of a scan that gathers contents each takes megabytes.
func (s *scan) ahead() int {
	n := 4 * s.ix.opts.Workers
	if !s.contents {
		n += saveBatch
	}
	return n
}

// queue holds the positions that come next. The last in it are being read.
type queue struct {
	scan  *scan
	ahead int
	list  []*position
}

func (q *queue) add(ctx context.Context, p *position) error {
	if q.list = append(q.list, p); len(q.list) <= q.ahead {
		return nil
	}
	err := q.scan.take(ctx, q.list[0], q.list[1:])
	q.list = q.list[1:]
	return err
}

func (q *queue) finish(ctx context.Context) error {
	for i, p := range q.list {
		if err := q.scan.take(ctx, p, q.list[i+1:]); err != nil {
			return err
		}
	}
	return q.scan.settle(ctx, nil)
}

// take waits for a position, keeps what was read, and joins it to the log. later
// are those after it that are being read already.
func (s *scan) take(ctx context.Context, p *position, later []*position) error {
	cached := p.job == nil
	if p.breaksOff() && slices.ContainsFunc(later, (*position).written) {
		// The server filled the segment since it was read, and went on.
		again, err := s.again(ctx, p)
		if err != nil {
			return err
		}
		p, cached = again, again.job == nil
	}
	if p.job != nil {
		out := p.job.wait()
		if out.err != nil {
			return out.err
		}
		if err := s.keep(ctx, p, out); err != nil {
			return err
		}
	}
	s.done += 1 + int(p.others)
	if report := s.ix.opts.Progress; report != nil {
		total := 0
		if s.span.To != pg.MaxLSN && s.span.From.Valid() {
			total = int(s.size.Number(s.span.To-1) - s.size.Number(s.span.From) + 1)
		}
		report(Progress{Segment: p.name, Done: s.done, Total: total, Bytes: s.result.Bytes, Cached: cached})
	}
	if p.stored {
		s.pending = append(s.pending, p)
		return nil
	}
	return s.settle(ctx, p)
}

// saveBatch is how many segments are saved in one transaction, each of which
// waits for the disk. What waits to be saved is packed.
const saveBatch = 16

func (s *scan) flush(ctx context.Context) error {
	if len(s.save) == 0 {
		return nil
	}
	err := s.ix.cache.Save(ctx, s.save...)
	s.save = nil
	return err
}
