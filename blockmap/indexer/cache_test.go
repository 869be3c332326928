package indexer

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/segment"
)

func TestSecondRunReadsNothing(t *testing.T) {
	br := grow(tree{end: mb.Start(5) + 300_000, seed: 1})
	dir, cache := t.TempDir(), memory(t)
	br.write(t, dir)
	if r := index(t, br.indexer(dir, cache), br.path); r.Read != 5 || r.Segments != 5 || !r.Complete() {
		t.Fatalf("first run: read %d of %d, gaps %v", r.Read, r.Segments, r.Gaps)
	}
	r := index(t, br.indexer(dir, cache), br.path)
	if r.Read != 0 || r.Segments != 5 || !r.Complete() || r.End != br.end || r.Stop != walinspect.StopCleanEnd {
		t.Fatalf("second run: read %d of %d, gaps %v, ends %s %s", r.Read, r.Segments, r.Gaps, r.End, r.Stop)
	}
	full := touched(t, br.indexer(dir, cache), br.path, pg.Span{To: everything})
	if full.Read != 0 || full.Coverage.Rungs()[0] != RungIndex {
		t.Fatalf("read %d, rungs %v", full.Read, full.Coverage.Rungs())
	}
	same(t, full, br.list(t))
}

func TestSegmentGrows(t *testing.T) {
	whole := grow(tree{end: mb.Start(5) + 300_000, seed: 1})
	dir, cache := t.TempDir(), memory(t)
	for _, end := range []pg.LSN{mb.Start(3) + 200_000, mb.Start(3) + 400_000, mb.Start(4) - 100, mb.Start(5), whole.end} {
		now := grow(tree{end: end, seed: 1})
		now.write(t, dir)
		r := touched(t, now.indexer(dir, cache), now.path, pg.Span{To: everything})
		same(t, r, now.list(t))
		if r.End != now.end {
			t.Fatalf("ends at %s, want %s", r.End, now.end)
		}
	}
	for n := range whole.Segments() {
		if variants, err := cache.Variants(t.Context(), (&segmentKey{whole, n}).key()); err != nil || len(variants) != 1 {
			t.Fatalf("segment %d: %d variants, %v; want the longest reading alone", n, len(variants), err)
		}
	}
}

// busy is a source whose server goes on when a file is opened.
type busy struct {
	segment.Source
	opening, opened func(name string)
}

func (b busy) Open(ctx context.Context, name string) (*segment.File, error) {
	b.opening(name)
	defer b.opened(name)
	return b.Source.Open(ctx, name)
}

// A server that fills segments after they were read, and begins the next one
// before that is read, leaves no gap between them.
func TestSegmentIsFilledMeanwhile(t *testing.T) {
	begun := grow(tree{end: mb.Start(3) + 200_000, seed: 1})
	empty := make([]byte, mb)
	for what, c := range map[string]struct {
		early map[uint64][]byte // what the files have at first
		at    uint64            // the server goes on when this segment is opened
		known bool              // what the files have at first is in the catalog
		last  uint64            // the segment in which the log ends
		moved bool              // files are replaced, as an archive does, not written to
	}{
		"begun":                 {map[uint64][]byte{3: begun.Segment(3)}, 4, false, 6, false},
		"not begun":             {map[uint64][]byte{3: empty}, 4, false, 6, false},
		"two of them":           {map[uint64][]byte{3: begun.Segment(3), 4: empty}, 5, false, 6, false},
		"begun and known":       {map[uint64][]byte{3: begun.Segment(3)}, 4, true, 6, false},
		"known, two of them":    {map[uint64][]byte{3: begun.Segment(3), 4: empty}, 5, true, 6, false},
		"begun, replaced":       {map[uint64][]byte{3: begun.Segment(3)}, 4, false, 4, true},
		"two of them, replaced": {map[uint64][]byte{3: begun.Segment(3), 4: empty}, 5, false, 5, true},
	} {
		t.Run(what, func(t *testing.T) {
			whole := grow(tree{end: mb.Start(c.last) + 300_000, seed: 1})
			dir, cache := t.TempDir(), memory(t)
			if c.known {
				begun.write(t, dir)
				if r := index(t, begun.indexer(dir, cache), begun.path); r.End != begun.end {
					t.Fatalf("ends at %s, want %s", r.End, begun.end)
				}
			}
			for n := range whole.Segments() {
				early, short := c.early[n]
				switch {
				case !short:
					whole.writeAs(t, dir, n, 1)
				case !c.known || n != 3:
					if err := os.WriteFile(filepath.Join(dir, mb.Name(1, n)), early, 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
			workers := 1
			seen := map[string]context.Context{} // done when the file was opened
			see := map[string]context.CancelFunc{}
			if c.moved {
				workers = 8 // whose pool is large enough to have the files still
				for n := range c.early {
					name := mb.Name(1, n)
					seen[name], see[name] = context.WithCancel(t.Context())
				}
			}
			var goOn sync.Once
			source := busy{segment.NewDir(dir, mb), func(name string) {
				if name != mb.Name(1, c.at) {
					return
				}
				goOn.Do(func() {
					for n := range c.early {
						if c.moved {
							<-seen[mb.Name(1, n)].Done()
							remove(t, dir, 1, n) // who has it open keeps what was there
						}
						whole.writeAs(t, dir, n, 1)
					}
				})
			}, func(name string) {
				if note := see[name]; note != nil {
					note()
				}
			}}
			r := touched(t, New(source, whole.Geometry, cache, Options{Workers: workers}), whole.path, pg.Span{To: everything})
			same(t, r, whole.list(t))
			if !r.Complete() || r.End != whole.end {
				t.Fatalf("gaps %v, ends at %s, want %s", r.Gaps, r.End, whole.end)
			}
		})
	}
}

// A file that was written to within the grain of its times looks the same.
func TestRecentFileIsReadAgain(t *testing.T) {
	br := grow(tree{end: mb.Start(1) + 300_000, seed: 1})
	dir, cache := t.TempDir(), memory(t)
	path := br.writeAs(t, dir, 1, 1)
	if err := os.WriteFile(path, br.Segment(1), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if r := index(t, br.indexer(dir, cache), br.path); r.Read != 1 {
			t.Fatalf("read %d", r.Read)
		}
	}
}

func TestFilesGone(t *testing.T) {
	br := grow(tree{end: mb.Start(5) + 300_000, seed: 1})
	list := br.list(t)
	dir, cache := t.TempDir(), memory(t)
	br.write(t, dir)
	index(t, br.indexer(dir, cache), br.path)

	t.Run("some", func(t *testing.T) {
		remove(t, dir, 1, 2, 3)
		r := touched(t, br.indexer(dir, cache), br.path, pg.Span{To: everything})
		same(t, r, list)
		if rungs := r.Coverage.Rungs(); len(rungs) != 1 || len(r.Widened) != 0 {
			t.Fatalf("rungs %v, widened %v", rungs, r.Widened)
		}
	})
	t.Run("all", func(t *testing.T) {
		remove(t, dir, 1, 1, 4, 5)
		same(t, touched(t, br.indexer(dir, cache), br.path, pg.Span{To: everything}), list)
		same(t, touched(t, New(nil, br.Geometry, cache, Options{}), br.path, pg.Span{To: everything}), list)
	})
	t.Run("part of a segment", func(t *testing.T) {
		span := pg.Span{From: mb.Start(2) + 5000, To: mb.Start(4) - 5000}
		r := touched(t, br.indexer(dir, cache), br.path, span)
		if !r.Complete() || len(r.Widened) != 2 {
			t.Fatalf("gaps %v, widened %v; want both ends widened", r.Gaps, r.Widened)
		}
		for rf, want := range replay(list, span, nil).All() {
			got, _ := r.Blocks.Get(rf)
			if !want.Touched.Subtract(got.Touched).Empty() || !got.Restored.Subtract(want.Restored).Empty() {
				t.Fatalf("%s: touched %s, restored %s; the records say %s, %s", rf, got.Touched, got.Restored, want.Touched, want.Restored)
			}
		}
	})
	t.Run("part that holds all records", func(t *testing.T) {
		var first, last pg.LSN
		for _, rec := range list {
			if mb.Number(rec.LSN) == 3 {
				if first == 0 {
					first = rec.LSN
				}
				last = rec.LSN
			}
		}
		r := touched(t, br.indexer(dir, cache), br.path, pg.Span{From: first, To: last + 1})
		same(t, r, list)
		if len(r.Widened) != 0 {
			t.Fatalf("widened %v", r.Widened)
		}
	})
	t.Run("transactions", func(t *testing.T) {
		got, err := br.indexer(dir, cache).TouchedBy(t.Context(), br.path, pg.Span{From: mb.Start(2), To: mb.Start(4)}, []pg.XID{xid0 + 3})
		if err != nil {
			t.Fatal(err)
		}
		want := replay(list, pg.Span{From: mb.Start(2), To: mb.Start(4)}, func(rec *walinspect.Record) bool { return rec.XID == xid0+3 })
		for rf, e := range want.All() {
			if all, _ := got.Get(rf); !e.Touched.Subtract(all.Touched).Empty() || !all.Restored.Empty() {
				t.Fatalf("%s: touched %s, want at least %s", rf, all.Touched, e.Touched)
			}
		}
		if got, err := br.indexer(dir, cache).TouchedBy(t.Context(), br.path, pg.Span{From: mb.Start(2), To: mb.Start(4)}, []pg.XID{77}); err != nil || got.Len() != 0 {
			t.Fatalf("a transaction that did nothing: %d forks, %v", got.Len(), err)
		}
	})
}

func TestGapsAreNamed(t *testing.T) {
	tests := []struct {
		name   string
		harm   func(t *testing.T, br branch, dir string)
		gap    pg.Span // without the record before that could not be read to its end
		reason string
	}{
		{"missing segment", func(t *testing.T, br branch, dir string) { remove(t, dir, 1, 3) },
			pg.Span{From: mb.Start(3), To: mb.Start(4)}, "000000010000000000000003 is not in"},
		{"two missing segments", func(t *testing.T, br branch, dir string) { remove(t, dir, 1, 3, 2) },
			pg.Span{From: mb.Start(2), To: mb.Start(4)}, "000000010000000000000002 is not in"},
		{"first segment missing", func(t *testing.T, br branch, dir string) { remove(t, dir, 1, 1) },
			pg.Span{From: mb.Start(1), To: mb.Start(2)}, "000000010000000000000001 is not in"},
		{"damaged record", func(t *testing.T, br branch, dir string) {
			br.Flip(br.recordAfter(mb.Start(3)+500_000) + 30)
			br.writeAs(t, dir, 3, 1)
		}, pg.Span{From: mb.Start(3) + 500_000, To: mb.Start(4)}, "corrupt"},
		{"zeros in the middle", func(t *testing.T, br branch, dir string) {
			br.Zero(mb.Start(3)+8192*9, mb.Start(4))
			br.writeAs(t, dir, 3, 1)
		}, pg.Span{From: mb.Start(3) + 8192*9, To: mb.Start(4)}, "zero"},
		{"recycled segment under the name", func(t *testing.T, br branch, dir string) {
			if err := os.WriteFile(filepath.Join(dir, mb.Name(1, 3)), br.Segment(1), 0o600); err != nil {
				t.Fatal(err)
			}
		}, pg.Span{From: mb.Start(3), To: mb.Start(4)}, "not written yet: it holds older WAL from 0/100000"},
		{"segment of zeros", func(t *testing.T, br branch, dir string) {
			if err := os.WriteFile(filepath.Join(dir, mb.Name(1, 3)), make([]byte, mb), 0o600); err != nil {
				t.Fatal(err)
			}
		}, pg.Span{From: mb.Start(3), To: mb.Start(4)}, "zero-fill at 0/300000"},
		{"empty file", func(t *testing.T, br branch, dir string) {
			if err := os.WriteFile(filepath.Join(dir, mb.Name(1, 3)), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, pg.Span{From: mb.Start(3), To: mb.Start(4)}, "empty"},
		{"segment of another cluster", func(t *testing.T, br branch, dir string) {
			br.Put64(mb.Start(3)+24, 99)
			br.writeAs(t, dir, 3, 1)
		}, pg.Span{From: mb.Start(3), To: mb.Start(4)}, "wrong-cluster"},
		{"segment of another log", func(t *testing.T, br branch, dir string) {
			grow(tree{end: mb.Start(5), seed: 2}).writeAs(t, dir, 3, 1)
		}, pg.Span{From: mb.Start(3), To: grow(tree{end: mb.Start(5) + 300_000, seed: 1}).end}, "does not go on with the log before it"},
		{"folder under the name", func(t *testing.T, br branch, dir string) {
			remove(t, dir, 1, 3)
			if err := os.Mkdir(filepath.Join(dir, mb.Name(1, 3)), 0o700); err != nil {
				t.Fatal(err)
			}
		}, pg.Span{From: mb.Start(3), To: mb.Start(4)}, "not a regular file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			br := grow(tree{end: mb.Start(5) + 300_000, seed: 1})
			list := br.list(t)
			dir := t.TempDir()
			br.write(t, dir)
			tt.harm(t, br, dir)
			span := pg.Span{From: mb.Start(1), To: br.end}
			for _, cache := range []Cache{nil, memory(t)} {
				r := touched(t, br.indexer(dir, cache), br.path, span)
				if len(r.Gaps) != 1 {
					t.Fatalf("gaps %v; want one", r.Gaps)
				}
				gap := r.Gaps[0]
				if gap.From < br.recordBefore(tt.gap.From) || gap.From > br.recordAfter(tt.gap.From) || gap.To != tt.gap.To || !strings.Contains(gap.Reason, tt.reason) {
					t.Errorf("gap %s: %s; want %s: … %s …", gap.Span, gap.Reason, tt.gap, tt.reason)
				}
				if reached := gap.To < span.To; reached != (r.Stop == walinspect.StopLimit) || r.Coverage.Complete(span) {
					t.Errorf("stop %s, coverage %v", r.Stop, r.Coverage)
				}
				want := replay(list, span, func(rec *walinspect.Record) bool { return !gap.Contains(rec.LSN) })
				for rf, e := range want.All() {
					if got, _ := r.Blocks.Get(rf); !got.Touched.Equal(e.Touched) {
						t.Errorf("%s: touched %s, want %s", rf, got.Touched, e.Touched)
					}
				}
			}
		})
	}
}
