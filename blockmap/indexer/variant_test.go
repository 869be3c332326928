package indexer

import (
	"context"
	"errors"
	"strings"
	"testing"

	"forkpoint/blockmap"
	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/rmgr"
	"forkpoint/walinspect/timeline"
	"forkpoint/walinspect/waltest"
)

type segmentKey struct {
	branch
	n uint64
}

func (k *segmentKey) key() blockmap.SegmentKey {
	return blockmap.SegmentKey{SystemID: k.Geometry.SystemID, SegmentSize: mb, Name: pg.SegmentName{Timeline: k.path.SegmentTimelines(mb, k.n)[0], Number: k.n}}
}

// recordAfter is the first record that starts after l.
func (br branch) recordAfter(l pg.LSN) pg.LSN {
	for _, lsn := range br.Records {
		if lsn > l {
			return lsn
		}
	}
	return 0
}

// recordBefore is the last record that starts before l.
func (br branch) recordBefore(l pg.LSN) pg.LSN {
	var last pg.LSN
	for _, lsn := range br.Records {
		if lsn < l {
			last = lsn
		}
	}
	return last
}

// Two nodes were promoted to timeline 2, one after the other; both logs are in
// the catalog and the files are gone.
func TestTimelineNumberGivenOutTwice(t *testing.T) {
	left := grow(tree{end: mb.Start(6), seed: 1, forks: []fork{{mb.Start(3) + 200_000, 2, 10}}})
	right := grow(tree{end: mb.Start(6), seed: 1, forks: []fork{{mb.Start(3) + 600_000, 2, 11}}})
	cache := memory(t)
	for _, br := range []branch{left, right} {
		dir := t.TempDir()
		br.write(t, dir)
		if r := index(t, br.indexer(dir, cache), br.path); !r.Complete() {
			t.Fatal(r.Gaps)
		}
	}
	if variants, err := cache.Variants(t.Context(), (&segmentKey{left, 4}).key()); err != nil || len(variants) != 2 {
		t.Fatalf("%d variants, %v", len(variants), err)
	}
	for _, br := range []branch{left, right} {
		same(t, touched(t, New(nil, br.Geometry, cache, Options{}), br.path, pg.Span{To: everything}), br.list(t))
	}

	t.Run("with some files", func(t *testing.T) {
		dir := t.TempDir()
		right.write(t, dir)
		remove(t, dir, 2, 4)
		same(t, touched(t, right.indexer(dir, cache), right.path, pg.Span{To: everything}), right.list(t))
	})
	t.Run("files of the wrong one", func(t *testing.T) {
		dir := t.TempDir()
		right.write(t, dir)
		r := touched(t, left.indexer(dir, nil), left.path, pg.Span{To: everything})
		if r.End > mb.Start(4) || r.Coverage.Gaps(pg.Span{From: mb.Start(3), To: mb.Start(6)})[0] != (pg.Span{From: mb.Start(3), To: mb.Start(6)}) {
			t.Fatalf("took in another branch up to %s: gaps %v, stop %s %s", r.End, r.Gaps, r.Stop, r.StopDetail)
		}
		// The catalog knows the right ones.
		same(t, touched(t, left.indexer(dir, cache), left.path, pg.Span{From: mb.Start(1), To: mb.Start(4)}), left.list(t))
	})
}

// Both branches fork at the same place, so only back links tell them apart.
func TestVariantsAreToldApartByNeighbours(t *testing.T) {
	at := mb.Start(3) + 200_000
	left := grow(tree{end: mb.Start(7), seed: 1, forks: []fork{{at, 2, 10}}})
	right := grow(tree{end: mb.Start(7), seed: 1, forks: []fork{{at, 2, 11}}})
	cache := memory(t)
	for _, br := range []branch{left, right} {
		dir := t.TempDir()
		br.write(t, dir)
		index(t, br.indexer(dir, cache), br.path)
	}
	span := pg.Span{From: mb.Start(1), To: mb.Start(7) - 200_000}
	r := touched(t, New(nil, left.Geometry, cache, Options{}), left.path, span)
	if r.Complete() || r.Gaps[0].From != mb.Start(3) || !strings.Contains(r.Gaps[0].Reason, "2 stored variants of it would fit") {
		t.Fatalf("without any file: gaps %v; want no guess", r.Gaps)
	}
	span.To = everything
	if r := touched(t, New(nil, left.Geometry, cache, Options{}), left.path, span); r.Complete() || r.Gaps[0].To != mb.Start(7) {
		t.Fatalf("a log without end: gaps %v; want up to the last segment that is stored", r.Gaps)
	}
	span.To = mb.Start(7) - 200_000
	for _, n := range []uint64{3, 5, 6} {
		dir := t.TempDir()
		right.writeAs(t, dir, n, 2)
		same(t, touched(t, right.indexer(dir, cache), right.path, span), right.list(t))
	}
}

// A stored reading from when the segment was shorter does not pass for whole.
func TestStoredBeginningIsNoSegment(t *testing.T) {
	whole := grow(tree{end: mb.Start(5), seed: 1})
	dir, cache := t.TempDir(), memory(t)
	short := grow(tree{end: mb.Start(3) + 100_000, seed: 1})
	short.write(t, dir)
	index(t, short.indexer(dir, cache), short.path)
	whole.write(t, dir)
	remove(t, dir, 1, 3)
	r := touched(t, whole.indexer(dir, cache), whole.path, pg.Span{From: mb.Start(1), To: mb.Start(5)})
	if len(r.Gaps) != 1 || r.Gaps[0].Span != mb.Span(3) {
		t.Fatalf("gaps %v; want the segment that is gone", r.Gaps)
	}
}

func TestSegmentOfSwitch(t *testing.T) {
	br := grow(tree{end: mb.Start(6), seed: 1, forks: []fork{{mb.Start(3) + 200_000, 2, 10}, {mb.Start(5) + 10_000, 3, 11}}})
	other := grow(tree{end: mb.Start(6), seed: 1}) // timeline 1 went on
	list := br.list(t)
	fresh := func(t *testing.T) string {
		dir := t.TempDir()
		br.write(t, dir)
		for n := range other.Segments() {
			other.writeAs(t, dir, n, 1)
		}
		return dir
	}
	for _, cached := range []string{"without a catalog", "with a catalog"} {
		t.Run(cached, func(t *testing.T) {
			dir := fresh(t)
			var cache Cache
			if cached == "with a catalog" {
				cache = memory(t)
				index(t, br.indexer(dir, cache), br.path)
				index(t, br.indexer(dir, cache), timeline.SingleTimeline(1))
			}
			same(t, touched(t, br.indexer(dir, cache), br.path, pg.Span{To: everything}), list)
			same(t, touched(t, br.indexer(dir, cache), timeline.SingleTimeline(1), pg.Span{To: everything}), other.list(t))
		})
	}
	t.Run("newer file missing", func(t *testing.T) {
		dir := fresh(t)
		remove(t, dir, 2, 3)
		r := touched(t, br.indexer(dir, nil), br.path, pg.Span{To: everything})
		if len(r.Gaps) != 1 || r.Gaps[0].Span != (pg.Span{From: br.path[0].End, To: mb.Start(4)}) {
			t.Fatalf("gaps %v; want from the fork to the end of the segment", r.Gaps)
		}
		want := replay(list, pg.Span{To: everything}, func(rec *walinspect.Record) bool { return !r.Gaps[0].Contains(rec.LSN) })
		if diff := sameMap(r.Blocks, want); diff != "" {
			t.Fatal(diff)
		}
	})
}

// One record runs through several segments.
func TestRecordLongerThanSegments(t *testing.T) {
	b := waltest.New(waltest.Config{})
	b.Append(waltest.Touch(xid0, tagAt(1)))
	long := waltest.Touch(xid0, tagAt(2))
	long.Main = append(long.Main, make([]byte, 3<<20)...)
	b.Append(long)
	b.Append(waltest.Touch(xid0, tagAt(3)))
	b.Switch()
	b.Append(waltest.Touch(xid0, tagAt(4)))
	br := branch{b.Log(), timeline.SingleTimeline(1), b.End()}
	list := br.list(t)
	dir, cache := t.TempDir(), memory(t)
	br.write(t, dir)
	for range 2 {
		r := touched(t, br.indexer(dir, cache), br.path, pg.Span{To: everything})
		same(t, r, list)
		if r.End != br.end {
			t.Fatalf("ends at %s, want %s", r.End, br.end)
		}
	}
	remove(t, dir, 1, 2, 4)
	same(t, touched(t, br.indexer(dir, cache), br.path, pg.Span{To: everything}), list)
}

// A server that crashed in a record that crosses a border goes on at the
// border, and gives the record up.
func TestOverwrittenContinuation(t *testing.T) {
	b := waltest.New(waltest.Config{})
	b.Append(waltest.Touch(xid0, tagAt(1)))
	b.FillTo(mb.Start(2) - 400)
	long := waltest.Touch(xid0, tagAt(2))
	long.Main = append(long.Main, make([]byte, 3000)...)
	b.Abandon(long)
	b.Append(waltest.Touch(xid0, tagAt(3)))
	b.FillTo(mb.Start(3) + 40)
	b.Append(waltest.Touch(xid0, tagAt(4)))
	br := branch{b.Log(), timeline.SingleTimeline(1), b.End()}
	list := br.list(t)
	dir, cache := t.TempDir(), memory(t)
	br.write(t, dir)
	r := touched(t, br.indexer(dir, cache), br.path, pg.Span{To: everything})
	same(t, r, list)
	remove(t, dir, 1, 1)
	same(t, touched(t, br.indexer(dir, cache), br.path, pg.Span{To: everything}), list)
	remove(t, dir, 1, 2)
	same(t, touched(t, br.indexer(dir, cache), br.path, pg.Span{To: everything}), list)
}

func TestUnknownEffectIsAGap(t *testing.T) {
	b := waltest.New(waltest.Config{})
	b.Append(waltest.Touch(xid0, tagAt(1)))
	b.FillTo(mb.Start(2) + 40)
	special := waltest.Touch(xid0, tagAt(2))
	special.Rmgr, special.Info = 130, 0x01
	at := b.Append(special)
	b.FillTo(mb.Start(3) + 40)
	b.Append(waltest.Touch(xid0, tagAt(3)))
	br := branch{b.Log(), timeline.SingleTimeline(1), b.End()}
	dir := t.TempDir()
	br.write(t, dir)
	for _, cache := range []Cache{nil, memory(t)} {
		r := touched(t, br.indexer(dir, cache), br.path, pg.Span{From: mb.Start(1), To: br.end})
		if len(r.Gaps) != 1 || !r.Gaps[0].Contains(at) || !strings.Contains(r.Gaps[0].Reason, rmgr.ErrUnknownEffect.Error()) {
			t.Fatalf("gaps %v", r.Gaps)
		}
		// Beside the record everything is known.
		if r := touched(t, br.indexer(dir, cache), br.path, pg.Span{From: at + 1, To: br.end}); !r.Complete() {
			t.Fatalf("after the record: gaps %v", r.Gaps)
		}
		_, err := br.indexer(dir, cache).TouchedBy(t.Context(), br.path, pg.Span{From: mb.Start(1), To: br.end}, []pg.XID{xid0})
		var gap *GapError
		if !errors.As(err, &gap) {
			t.Fatalf("TouchedBy: %v, want a GapError", err)
		}
	}
}

func TestCancel(t *testing.T) {
	br := grow(tree{end: mb.Start(6), seed: 1})
	dir := t.TempDir()
	br.write(t, dir)
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("operator pressed a key")
	ix := br.indexer(dir, memory(t))
	ix.opts.Progress = func(p Progress) {
		if p.Done == 2 {
			cancel(cause)
		}
	}
	if _, err := ix.Touched(ctx, br.path, pg.Span{To: everything}); !errors.Is(err, cause) {
		t.Fatalf("%v; want the cause", err)
	}
}
