package walinspect_test

import (
	"os"
	"path/filepath"
	"testing"

	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/segment"
)

// benchSegments loads whole segments: those of the fixtures, or of the
// directory that FORKPOINT_BENCH_WAL names, such as a pg_wal after pgbench.
func benchSegments(b *testing.B) (g walinspect.Geometry, all []*walinspect.BytesPages, starts []pg.LSN) {
	dir := os.Getenv("FORKPOINT_BENCH_WAL")
	if dir == "" {
		dir = filepath.Join("..", "testdata", "pg15")
	}
	g, err := segment.Discover(b.Context(), dir)
	if err != nil {
		b.Fatal(err)
	}
	source := segment.NewDir(dir, g.SegmentSize)
	for info, err := range source.List(b.Context()) {
		if err != nil {
			b.Fatal(err)
		}
		f, err := source.Open(b.Context(), info.Name.Format(g.SegmentSize))
		if err != nil {
			b.Fatal(err)
		}
		data, err := f.Bytes()
		if err != nil {
			b.Fatal(err)
		}
		f.Close()
		all = append(all, walinspect.NewBytesPages(info.Name, g.SegmentSize, info.Path, data))
		starts = append(starts, g.SegmentSize.Start(info.Name.Number))
	}
	return g, all, starts
}

// BenchmarkReader decodes every record of each segment, without I/O.
func BenchmarkReader(b *testing.B) {
	g, all, starts := benchSegments(b)
	var bytes, records, blocks int64
	b.ReportAllocs()
	for b.Loop() {
		bytes, records, blocks = 0, 0, 0
		for i, pages := range all {
			r := walinspect.NewReader(pages, g, starts[i])
			r.SetLimit(starts[i] + pg.LSN(g.SegmentSize))
			last := starts[i]
			for r.Next(b.Context()) {
				records++
				blocks += int64(len(r.Record().Blocks))
				last = r.Record().End
			}
			bytes += int64(last - starts[i])
		}
	}
	b.SetBytes(bytes)
	b.ReportMetric(float64(records), "records")
	b.ReportMetric(float64(blocks), "blocks")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(records), "ns/record")
}

// BenchmarkPages is the same with files read in windows.
func BenchmarkPages(b *testing.B) {
	dir := os.Getenv("FORKPOINT_BENCH_WAL")
	if dir == "" {
		b.Skip("set FORKPOINT_BENCH_WAL to a directory with WAL segments of timeline 1")
	}
	g, _, starts := benchSegments(b)
	var bytes int64
	b.ReportAllocs()
	for b.Loop() {
		pages := segment.NewPages(segment.NewDir(dir, g.SegmentSize), g.SegmentSize, segment.OneTimeline(1))
		r := walinspect.NewReader(pages, g, starts[0])
		for r.Next(b.Context()) {
		}
		bytes = int64(r.Stop().LSN - starts[0])
		pages.Close()
	}
	b.SetBytes(bytes)
}
