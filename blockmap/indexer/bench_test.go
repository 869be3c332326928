package indexer

import (
	"os"
	"path/filepath"
	"testing"

	"forkpoint/store"
	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/segment"
	"forkpoint/walinspect/timeline"
)

// benchWAL is the folder that FORKPOINT_BENCH_WAL names: the pg_wal of a server
// of any known version, after pgbench.
func benchWAL(b *testing.B) (string, walinspect.Geometry) {
	dir := os.Getenv("FORKPOINT_BENCH_WAL")
	if dir == "" {
		b.Skip("set FORKPOINT_BENCH_WAL to a directory with WAL segments")
	}
	g, err := segment.Discover(b.Context(), dir)
	if err != nil {
		b.Fatal(err)
	}
	return dir, g
}

// Reading alone, with one worker: what a core does.
func BenchmarkTouchedOneWorker(b *testing.B) { benchTouched(b, 1) }

func BenchmarkTouched(b *testing.B) { benchTouched(b, 0) }

func benchTouched(b *testing.B, workers int) {
	dir, g := benchWAL(b)
	for b.Loop() {
		ix := New(segment.NewDir(dir, g.SegmentSize), g, nil, Options{Workers: workers})
		r, err := ix.Index(b.Context(), timeline.SingleTimeline(1), pg.Span{To: pg.MaxLSN})
		if err != nil || !r.Complete() {
			b.Fatal(r.Gaps, err)
		}
		b.SetBytes(r.Bytes)
	}
}

// Into a fresh catalog, as forkpoint index does it.
func BenchmarkIndex(b *testing.B) {
	dir, g := benchWAL(b)
	var size, wal int64
	for b.Loop() {
		path := filepath.Join(b.TempDir(), "catalog.db")
		c, err := store.Open(b.Context(), path)
		if err != nil {
			b.Fatal(err)
		}
		r, err := New(segment.NewDir(dir, g.SegmentSize), g, c, Options{}).Index(b.Context(), timeline.SingleTimeline(1), pg.Span{To: pg.MaxLSN})
		if err != nil || !r.Complete() {
			b.Fatal(r.Gaps, err)
		}
		if err := c.Close(); err != nil {
			b.Fatal(err)
		}
		b.SetBytes(r.Bytes)
		info, err := os.Stat(path)
		if err != nil {
			b.Fatal(err)
		}
		size, wal = info.Size(), r.Bytes
	}
	b.ReportMetric(float64(size)/float64(wal)*100, "%-of-WAL")
}

// From the catalog alone.
func BenchmarkTouchedFromCatalog(b *testing.B) {
	dir, g := benchWAL(b)
	c, err := store.Open(b.Context(), filepath.Join(b.TempDir(), "catalog.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	if _, err := New(segment.NewDir(dir, g.SegmentSize), g, c, Options{}).Index(b.Context(), timeline.SingleTimeline(1), pg.Span{To: pg.MaxLSN}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		r, err := New(nil, g, c, Options{}).Touched(b.Context(), timeline.SingleTimeline(1), pg.Span{To: pg.MaxLSN})
		if err != nil || !r.Complete() {
			b.Fatal(r.Gaps, err)
		}
		b.SetBytes(r.Bytes)
	}
}
