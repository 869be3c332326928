package indexer

import (
	"os"
	"path/filepath"
	"testing"

	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/timeline"
	"forkpoint/walinspect/waltest"
)

func TestEndOfLog(t *testing.T) {
	br := grow(tree{end: mb.Start(3) + 300_000, seed: 1})
	dir := t.TempDir()
	br.write(t, dir)
	// Files made ahead for later use do not make a gap.
	if err := os.WriteFile(filepath.Join(dir, mb.Name(1, 4)), br.Segment(1), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, mb.Name(1, 5)), make([]byte, mb), 0o600); err != nil {
		t.Fatal(err)
	}
	r := touched(t, br.indexer(dir, nil), br.path, pg.Span{To: everything})
	if !r.Complete() || r.Stop != walinspect.StopRecycled || r.End != br.end {
		t.Fatalf("gaps %v, stop %s at %s", r.Gaps, r.Stop, r.End)
	}
	r = touched(t, br.indexer(dir, nil), br.path, pg.Span{To: br.end + 1})
	if len(r.Gaps) != 1 || r.Gaps[0].Span != (pg.Span{From: br.end, To: br.end + 1}) || r.Stop != walinspect.StopRecycled {
		t.Fatalf("asked past the end: gaps %v, stop %s", r.Gaps, r.Stop)
	}
	r = touched(t, br.indexer(t.TempDir(), nil), br.path, pg.Span{To: everything})
	if r.Complete() || r.Stop != walinspect.StopMissingSegment {
		t.Fatalf("nothing there: gaps %v, stop %s", r.Gaps, r.Stop)
	}
}

// The last record reaches into a segment in which none begins.
func TestEndBehindBorder(t *testing.T) {
	b := waltest.New(waltest.Config{})
	b.Append(waltest.Touch(xid0, tagAt(1)))
	b.FillTo(mb.Start(2) - 400)
	long := waltest.Touch(xid0, tagAt(2))
	long.Main = append(long.Main, make([]byte, 3000)...)
	b.Append(long)
	br := branch{b.Log(), timeline.SingleTimeline(1), b.End()}
	list := br.list(t)
	dir, cache := t.TempDir(), memory(t)
	br.write(t, dir)
	const gone = "all, and the second is gone"
	for _, known := range []string{"nothing", "the first segment", gone} {
		end := br.Geometry.RecordStart(list[len(list)-1].End)
		for _, to := range []pg.LSN{mb.Start(2) + 100, end} {
			r := touched(t, br.indexer(dir, cache), br.path, pg.Span{To: to})
			same(t, r, list)
			if r.Stop != walinspect.StopLimit || !r.Coverage.Complete(pg.Span{From: mb.Start(1), To: to}) {
				t.Errorf("with %s known, up to %s: %s, coverage %v", known, to, r.Stop, r.Coverage)
			}
		}
		if r := touched(t, br.indexer(dir, cache), br.path, pg.Span{To: end + 1}); len(r.Gaps) != 1 || r.Gaps[0].To != end+1 || r.Gaps[0].From != end && known != gone {
			t.Errorf("with %s known, past the end: gaps %v", known, r.Gaps)
		}
		index(t, br.indexer(dir, cache), br.path)
		if known == "the first segment" {
			remove(t, dir, 1, 2)
		}
	}
}

// What breaks off as no crash leaves it is not where the log ends, with and
// without later segments, whatever the cache knows of it.
func TestDamageIsNotTheEnd(t *testing.T) {
	tests := map[string]struct {
		harm func(br branch, at pg.LSN)
		stop walinspect.StopReason
	}{
		"a flipped byte":    {func(br branch, at pg.LSN) { br.Flip(at + 30) }, walinspect.StopCorrupt},
		"a zeroed length":   {func(br branch, at pg.LSN) { br.Put32(at, 0) }, walinspect.StopZeroFill},
		"another timeline":  {func(br branch, at pg.LSN) { br.Put32(br.Geometry.Page(at)+8192+4, 9) }, walinspect.StopWrongTimeline},
		"a file that ends":  {func(br branch, at pg.LSN) { br.Truncate(br.Geometry.Page(at) + 8192) }, walinspect.StopTruncatedFile},
		"the first page":    {func(br branch, at pg.LSN) { br.Put16(mb.Start(3), 0xFFFF) }, walinspect.StopCorrupt},
		"half a last write": {func(br branch, at pg.LSN) { br.ZeroRest(at + 16) }, walinspect.StopTorn},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			br := grow(tree{end: mb.Start(3) + 600_000, seed: 1})
			at := br.recordAfter(mb.Start(3) + 300_000)
			tt.harm(br, at)
			if tt.stop == walinspect.StopTorn {
				br.Zero(br.Geometry.Page(at)+8192, mb.Start(4))
			}
			dir, cache := t.TempDir(), memory(t)
			br.write(t, dir)
			for range 2 {
				r := touched(t, br.indexer(dir, cache), br.path, pg.Span{To: everything})
				if r.Stop != tt.stop || r.End > at {
					t.Fatalf("%s at %s: %s; want %s at or before %s", r.Stop, r.End, r.StopDetail, tt.stop, at)
				}
				if r.Complete() != tt.stop.EndOfWAL() {
					t.Fatalf("%s: gaps %v", r.Stop, r.Gaps)
				}
				if !r.Complete() && (r.Gaps[0].From > at || r.Gaps[0].To != mb.Start(4)) {
					t.Fatalf("gaps %v; want one from the damage to the end of the segment", r.Gaps)
				}
			}
		})
	}
}

// Zeros at the beginning of a segment are the end of the log only if nothing
// follows them.
func TestZeroedFirstPage(t *testing.T) {
	for name, stop := range map[string]walinspect.StopReason{"and records": walinspect.StopZeroFill, "and nothing": walinspect.StopSwitchTail} {
		t.Run(name, func(t *testing.T) {
			b := waltest.New(waltest.Config{})
			b.Append(waltest.Touch(xid0, tagAt(1)))
			b.Switch()
			last := b.End()
			for range 200 {
				b.Append(waltest.Touch(xid0, tagAt(2), tagAt(5)))
			}
			br := branch{Log: b.Log(), path: timeline.SingleTimeline(1)}
			br.Zero(mb.Start(2), mb.Start(2)+8192)
			if stop.EndOfWAL() {
				br.Zero(mb.Start(2), mb.Start(3))
			}
			dir := t.TempDir()
			br.write(t, dir)
			r := touched(t, br.indexer(dir, nil), br.path, pg.Span{To: everything})
			if r.Stop != stop || r.End != last || r.Complete() != stop.EndOfWAL() {
				t.Fatalf("%s at %s: %s, gaps %v; want %s at %s", r.Stop, r.End, r.StopDetail, r.Gaps, stop, last)
			}
		})
	}
}
