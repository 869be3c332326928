package walinspect

import (
	"os"
	"path/filepath"
	"testing"

	"forkpoint/walinspect/pg"
)

// benchSegments reads whole segments from the directory that FORKPOINT_BENCH_WAL
// names: the pg_wal of a server of any known version, after pgbench.
func benchSegments(b *testing.B) (Geometry, []*BytesPages, []pg.LSN) {
	dir := os.Getenv("FORKPOINT_BENCH_WAL")
	if dir == "" {
		b.Skip("set FORKPOINT_BENCH_WAL to a directory with WAL segments")
	}
	var g Geometry
	var pages []*BytesPages
	var starts []pg.LSN
	files, err := filepath.Glob(filepath.Join(dir, "0000????????????????????"))
	if err != nil || len(files) == 0 {
		b.Fatalf("no segments in %s: %v", dir, err)
	}
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			b.Fatal(err)
		}
		h, err := DecodePageHeader(data)
		if err != nil {
			b.Fatal(err)
		}
		g = Geometry{SystemID: h.SystemID, SegmentSize: h.SegmentSize, PageSize: h.PageSize}
		name, err := pg.ParseSegmentName(filepath.Base(path), g.SegmentSize)
		if err != nil {
			b.Fatal(err)
		}
		pages = append(pages, NewBytesPages(name, g.SegmentSize, path, data))
		starts = append(starts, h.Address)
	}
	return g, pages, starts
}

func BenchmarkReader(b *testing.B) {
	g, pages, starts := benchSegments(b)
	var bytes, records, blocks int64
	b.ReportAllocs()
	for b.Loop() {
		bytes, records, blocks = 0, 0, 0
		for i, p := range pages {
			r := NewReader(p, g, starts[i])
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
