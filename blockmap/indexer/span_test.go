package indexer

import (
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"forkpoint/blockmap"
	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/timeline"
	"forkpoint/walinspect/waltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var sameResult = []gocmp.Option{
	gocmp.Comparer(func(a, b *blockmap.Map) bool { return a.Equal(b) }),
	cmpopts.EquateEmpty(),
	cmpopts.IgnoreFields(Result{}, "Read", "Coverage"), // depend on what the cache knew
}

// plainly makes an incident whose files are not compressed.
func (in incident) plainly(t testing.TB) incident {
	in.dir = in.copyTo(t)
	return in
}

// Whatever the span, the number of workers and what the cache knows: the map
// is that of a walk record by record.
func TestSpansAgainstWalk(t *testing.T) {
	incidents(t, func(t *testing.T, compressed incident) {
		t.Parallel()
		in := compressed.plainly(t)
		type walked struct {
			path timeline.Path
			list []plainRecord
			stop walinspect.Stop
		}
		var logs []walked
		full := memory(t)
		for _, tip := range []pg.TimelineID{1, 2, 3} {
			w := walked{path: compressed.path(t, tip)}
			w.list, w.stop = in.walk(t, w.path)
			logs = append(logs, w)
			index(t, New(in.source(), in.g, full, Options{}), w.path)
		}
		rapid.Check(t, func(rt *rapid.T) {
			log := rapid.SampledFrom(logs).Draw(rt, "log")
			span := drawSpan(rt, in, log.list)
			cache := rapid.SampledFrom([]Cache{nil, full}).Draw(rt, "cache")
			workers := rapid.SampledFrom([]int{1, 8}).Draw(rt, "workers")
			r, err := New(in.source(), in.g, cache, Options{Workers: workers}).Touched(t.Context(), log.path, span)
			if err != nil {
				rt.Fatal(err)
			}
			if diff := sameMap(r.Blocks, replay(log.list, span, nil)); diff != "" {
				rt.Fatalf("%s:\n%s", span, diff)
			}
			checkEnd(rt, in, r, log.list, span, log.stop)
		})
	})
}

func TestResultDoesNotDependOnWorkersAndCache(t *testing.T) {
	incidents(t, func(t *testing.T, in incident) {
		path := in.path(t, 3)
		list, _ := in.walk(t, path)
		full := memory(t)
		for _, span := range []pg.Span{{To: everything}, {From: list[100].LSN, To: list[9000].LSN}, {From: list[5000].LSN + 1, To: everything}} {
			var first *Result
			for _, workers := range []int{1, 8} {
				for _, cache := range []Cache{nil, memory(t), full, full} {
					r, err := New(in.source(), in.g, cache, Options{Workers: workers}).Touched(t.Context(), path, span)
					if err != nil {
						t.Fatal(err)
					}
					if first == nil {
						first = r
					} else if diff := gocmp.Diff(first, r, sameResult...); diff != "" {
						t.Fatalf("%d workers (-first +now):\n%s", workers, diff)
					}
				}
			}
		}
	})
}

// drawSpan draws a span whose ends lie on records, between them, on borders of
// segments and beyond the log.
func drawSpan(t *rapid.T, in incident, list []plainRecord) pg.Span {
	position := func(name string) pg.LSN {
		rec := list[rapid.OneOf(rapid.IntRange(0, len(list)-1), rapid.Just(len(list)-1)).Draw(t, name)]
		return rapid.SampledFrom([]pg.LSN{rec.LSN, rec.LSN + 1, rec.LSN - 1, rec.End, in.g.SegmentSize.Start(in.g.SegmentSize.Number(rec.LSN))}).Draw(t, name+" position")
	}
	from, to := max(position("from"), in.start), position("to")
	if rapid.IntRange(0, 5).Draw(t, "open end") == 0 {
		to = everything
	}
	return pg.Span{From: min(from, to), To: max(from, to)}
}

func checkEnd(t *rapid.T, in incident, r *Result, list []plainRecord, span pg.Span, stop walinspect.Stop) {
	var records, bytes int64
	var end pg.LSN
	for _, rec := range list {
		if span.Contains(rec.LSN) {
			records, bytes, end = records+1, bytes+int64(rec.TotalLen), rec.End
		}
	}
	if r.Records != records || r.Bytes != bytes || r.End != end {
		t.Fatalf("%s: %d records of %d bytes to %s; want %d of %d to %s", span, r.Records, r.Bytes, r.End, records, bytes, end)
	}
	covered := stop.LSN
	switch {
	case len(r.Widened) > 0:
		t.Fatalf("%s: widened %v", span, r.Widened)
	case span.To <= covered && (!r.Complete() || !r.Coverage.Complete(span) || r.Stop != walinspect.StopLimit):
		t.Fatalf("%s: gaps %v, coverage %v, stop %s %s", span, r.Gaps, r.Coverage, r.Stop, r.StopDetail)
	case !span.Empty() && in.g.SegmentSize.Number(span.From) > in.g.SegmentSize.Number(list[len(list)-1].LSN):
		// No file has any of it.
		if len(r.Gaps) != 1 || r.Gaps[0].Span != span || r.Stop != walinspect.StopMissingSegment {
			t.Fatalf("%s, beyond the last segment: gaps %v, stop %s %s; want the span, %s", span, r.Gaps, r.Stop, r.StopDetail, walinspect.StopMissingSegment)
		}
	case span.To == everything && (!r.Complete() || r.Stop != stop.Reason):
		t.Fatalf("%s: gaps %v, stop %s %s; want none, %s", span, r.Gaps, r.Stop, r.StopDetail, stop.Reason)
	}
}

func TestTouchedBy(t *testing.T) {
	incidents(t, func(t *testing.T, compressed incident) {
		in := compressed.plainly(t)
		path := compressed.path(t, 1)
		list, _ := in.walk(t, path)
		var xids []pg.XID
		for _, rec := range list {
			if rec.XID != 0 && !slices.Contains(xids, rec.XID) {
				xids = append(xids, rec.XID)
			}
		}
		last := list[len(list)-1].End
		full := memory(t)
		if _, err := New(in.source(), in.g, full, Options{}).Index(t.Context(), path, pg.Span{To: everything}); err != nil {
			t.Fatal(err)
		}
		rapid.Check(t, func(rt *rapid.T) {
			only := rapid.SliceOfN(rapid.SampledFrom(xids), 0, 3).Draw(rt, "xids")
			span := drawSpan(rt, in, list)
			span.To = min(span.To, last)
			wanted := func(rec *walinspect.Record) bool {
				return slices.Contains(only, rec.XID) || rec.HasTopXID && slices.Contains(only, rec.TopXID)
			}
			want := unrestored(replay(list, span, wanted))
			for _, cache := range []Cache{nil, full} {
				got, err := New(in.source(), in.g, cache, Options{}).TouchedBy(t.Context(), path, span, only)
				if err != nil {
					rt.Fatal(err)
				}
				if diff := sameMap(got, want); diff != "" {
					rt.Fatalf("%v in %s:\n%s", only, span, diff)
				}
			}
		})
	})
}

// The first block of an SP-GiST index changes with its records, and none of
// them names it.
func TestFirstBlockOfSPGiST(t *testing.T) {
	index, heap := tagAt(7), tagAt(8)
	b := waltest.New(waltest.Config{})
	for _, tag := range []pg.BlockTag{index, heap} {
		image := waltest.Touch(xid0, pg.BlockTag{RelFork: tag.RelFork, Block: 1})
		image.Blocks[0].Flags |= 0x40 // initialises the page
		b.Append(image)
	}
	rec := waltest.Touch(xid0, index)
	rec.Rmgr = pg.RmgrSPGist
	b.Append(rec)
	br := branch{Log: b.Log(), path: timeline.SingleTimeline(1), end: b.End()}
	dir := t.TempDir()
	br.write(t, dir)
	r := touched(t, br.indexer(dir, memory(t)), br.path, pg.Span{To: everything})
	for tag, want := range map[pg.BlockTag]*blockmap.Set{index: blockmap.NewSet(0, 1, index.Block), heap: blockmap.NewSet(1)} {
		e, _ := r.Blocks.Get(tag.RelFork)
		if !e.Touched.Equal(want) || !e.Restored.Equal(blockmap.NewSet(1)) {
			t.Errorf("%s: touched %s, restored %s; want touched %s, restored 1", tag.RelFork, e.Touched, e.Restored, want)
		}
	}
}
