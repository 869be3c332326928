package indexer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"
	"runtime"

	"forkpoint/blockmap"
	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/segment"
	"forkpoint/walinspect/timeline"
)

// Options are what an [Indexer] can be told. The zero value will do.
type Options struct {
	Workers  int            // GOMAXPROCS if 0
	Progress func(Progress) // called from the goroutine of the caller
	Log      *slog.Logger   // silent if nil
	// Summaries are WAL summaries of the cluster, from its own data directory,
	// for [Indexer.Blocks]; nil if there are none.
	Summaries Summaries
}

// Progress is a segment that was dealt with.
type Progress struct {
	Segment pg.SegmentName
	Done    int   // segments dealt with
	Total   int   // segments of the span, 0 if it is not known
	Bytes   int64 // of log read so far
	Cached  bool  // this one was not read
}

// Indexer answers what a span of the log touched.
type Indexer struct {
	source segment.Source
	g      walinspect.Geometry
	cache  Cache
	caches bool // the cache is a real one
	opts   Options
}

// New makes an indexer of the segments in a source; nil for one that knows
// only what is in the cache, and a nil cache for one that remembers nothing.
// Where g has no system identifier, the first segment that is met binds it.
func New(source segment.Source, g walinspect.Geometry, cache Cache, opts Options) *Indexer {
	ix := &Indexer{source: source, g: g, cache: cache, caches: cache != nil, opts: opts}
	if source == nil {
		ix.source = nowhere{}
	}
	if cache == nil {
		ix.cache = noCache{}
	}
	if opts.Workers <= 0 {
		ix.opts.Workers = runtime.GOMAXPROCS(0)
	}
	if opts.Log == nil {
		ix.opts.Log = slog.New(slog.DiscardHandler)
	}
	return ix
}

// Index sees to it that the segments of a span are in the cache, whole, and
// tells what the span is covered by. Its result has no contents.
func (ix *Indexer) Index(ctx context.Context, path timeline.Path, span pg.Span) (*Result, error) {
	return ix.scan(ctx, request{path: path, span: span, whole: true})
}

// Touched gathers what the records that begin in a span say. Gaps are part of
// the result and not an error. A span that begins at 0 begins with the first
// segment that is known. One that ends at pg.MaxLSN ends where the log does:
// [Result.Stop] then tells whether a server would end there as well.
func (ix *Indexer) Touched(ctx context.Context, path timeline.Path, span pg.Span) (*Result, error) {
	return ix.scan(ctx, request{path: path, span: span, contents: true})
}

// Blocks is Touched for those who need to know of blocks only: where the log
// is neither there nor indexed, WAL summaries of the server fill the gap. What
// they fill is listed in [Result.BlocksOnly].
func (ix *Indexer) Blocks(ctx context.Context, path timeline.Path, span pg.Span) (*Result, error) {
	return ix.scan(ctx, request{path: path, span: span, contents: true, summaries: true})
}

// TouchedBy gathers the blocks that records of some transactions touch. The
// identifiers of subtransactions must be named as well. A gap in the span is an
// error. No block counts as restored, because other transactions may have
// touched it first.
func (ix *Indexer) TouchedBy(ctx context.Context, path timeline.Path, span pg.Span, xids []pg.XID) (*blockmap.Map, error) {
	only := make(map[pg.XID]bool, len(xids))
	for _, x := range xids {
		only[x] = true
	}
	r, err := ix.scan(ctx, request{path: path, span: span, contents: true, only: only})
	if err != nil {
		return nil, err
	}
	if !r.Complete() {
		return nil, &GapError{r.Gaps}
	}
	return unrestored(r.Blocks), nil
}

// GapError says that a span is not known as a whole.
type GapError struct{ Gaps []Gap }

func (e *GapError) Error() string {
	first := e.Gaps[0]
	text := fmt.Sprintf("nothing tells about WAL %s: %s", first.Span, first.Reason)
	if more := len(e.Gaps) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more gaps)", more)
	}
	return text
}

// Hint says what the operator can do.
func (e *GapError) Hint() string {
	return "restore the missing segments, or name an archive or a catalog that has them"
}

// unrestored returns the map with nothing restored.
func unrestored(m *blockmap.Map) *blockmap.Map {
	plain := &blockmap.Map{}
	for rf, e := range m.All() {
		plain.Put(rf, blockmap.Entry{Limit: e.Limit, Touched: e.Touched.Clone()})
	}
	return plain
}

// nowhere is a source without files.
type nowhere struct{}

func (nowhere) Open(_ context.Context, name string) (*segment.File, error) {
	return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
}
func (nowhere) List(context.Context) iter.Seq2[segment.Info, error] {
	return func(func(segment.Info, error) bool) {}
}
func (nowhere) String() string { return "nowhere" }

// errNoSystem is returned when nothing says which cluster the log is of.
var errNoSystem = errors.New("no segment is there to tell the system identifier")
