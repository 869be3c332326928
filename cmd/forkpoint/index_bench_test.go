package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"forkpoint/blockmap"
	"forkpoint/store"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgtest"
	"forkpoint/walinspect/segment"
)

// benchWAL is a gigabyte of the log of a server under pgbench's load, in a folder
// that outlives the benchmark.
type benchWAL struct {
	benchPair        // its folder and the server's programs
	from, to  pg.LSN // records that pg_waldump is to read
}

const benchWALBytes = 1 << 30

func openBenchWAL(b *testing.B) *benchWAL {
	b.Helper()
	in, err := pgtest.Find(benchMajor)
	if err != nil {
		b.Fatal(err)
	}
	base := os.Getenv("FORKPOINT_BENCH_DIR")
	if base == "" {
		base = filepath.Join(os.TempDir(), "forkpoint-bench")
	}
	w := &benchWAL{benchPair: benchPair{filepath.Join(base, "wal"), in, "wal"}}
	span := filepath.Join(w.dir, "complete")
	if text, err := os.ReadFile(span); err == nil {
		if _, err := fmt.Sscanf(string(text), "%d %d", &w.from, &w.to); err != nil {
			b.Fatalf("%s: %s", span, err)
		}
		return w
	}
	err = os.RemoveAll(w.dir)
	if err == nil {
		err = os.MkdirAll(w.wal(), 0o755)
	}
	if err == nil {
		err = pgtest.Own(w.dir)
	}
	if err == nil {
		err = pgtest.Own(w.wal())
	}
	if err != nil {
		b.Fatal(err)
	}
	w.build(b)
	if err := os.WriteFile(span, fmt.Appendf(nil, "%d %d", w.from, w.to), 0o644); err != nil {
		b.Fatal(err)
	}
	return w
}

func (w *benchWAL) wal() string { return filepath.Join(w.dir, "pg_wal") }

func (w *benchWAL) build(b *testing.B) {
	b.Logf("making WAL in %s", w.wal())
	s := pgtest.Run(b, pgtest.Major(benchMajor), pgtest.Conf("shared_buffers", "256MB"), pgtest.Conf("max_wal_size", "2GB"),
		pgtest.Conf("wal_keep_size", "8GB"), pgtest.Conf("synchronous_commit", "off"))
	pgbench := func(args ...string) {
		b.Helper()
		if _, _, err := s.Program("pgbench", append(args, s.ConnString())...); err != nil {
			b.Fatal(err)
		}
	}
	pgbench("-i", "-q", "-s", "50")
	s.Checkpoint()
	w.from = s.SwitchWAL()
	size := s.SegmentSize()
	w.from = size.Start(size.Number(w.from-1) + 1)
	for w.to = w.from; w.to < w.from+benchWALBytes; w.to = s.CurrentLSN() {
		pgbench("-n", "-M", "prepared", "-c", "4", "-T", "20")
	}
	last := s.SwitchWAL()
	s.Stop(pgtest.Fast)
	for n := size.Number(w.from); n <= size.Number(last-1); n++ {
		w.run(b, "cp", filepath.Join(s.Dir(), "pg_wal", size.Name(1, n)), w.wal())
	}
}

// BenchmarkIndexing measures forkpoint index into a fresh catalog against
// pg_waldump, which only reads, on the same gigabyte of WAL. Each iteration gives
// each its turn; the metrics are medians, and what part they are of
// pg_waldump's. "make bench" runs it.
func BenchmarkIndexing(b *testing.B) {
	if testing.Short() {
		b.Skip("it makes a gigabyte of WAL; make bench runs it")
	}
	w := openBenchWAL(b)
	program, waldump := programPath(b), filepath.Join(w.pg.BinDir, "pg_waldump")
	catalog := filepath.Join(w.dir, "catalog.db")
	const index, stats, quiet, push = "forkpoint index", "pg_waldump --stats=record", "pg_waldump --quiet", "forkpoint index push"
	table := benchTable{costs: map[string][]cost{}}
	many, one := w.manySegments(b, program)
	span := []string{"-p", w.wal(), "-s", w.from.String(), "-e", w.to.String()}
	w.run(b, "sh", "-c", "cat "+w.wal()+"/* >/dev/null") // so that the first is not the one to fill the cache
	for b.Loop() {
		load := loadAverage()
		table.add(stats, load, measure(b, waldump, append(span, "--stats=record")...))
		w.removeCatalog(b, catalog)
		table.add(index, load, measure(b, program, "index", "--catalog", catalog, w.wal()))
		table.add(quiet, load, measure(b, waldump, append(span, "--quiet")...))
		w.run(b, "cp", many, many+".now")
		table.add(push, load, measure(b, program, "index", "push", "--strict", "--catalog", many+".now", one))
		w.removeCatalog(b, many+".now")
	}
	for _, row := range table.rows {
		b.Log(row)
	}
	wall := func(c cost) float64 { return c.wall.Seconds() }
	cpu := func(c cost) float64 { return c.cpu.Seconds() }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(table.costs[index], wall), "index-s")
	b.ReportMetric(median(table.costs[index], wall)/median(table.costs[stats], wall), "stats-wall-x")
	b.ReportMetric(median(table.costs[index], wall)/median(table.costs[quiet], wall), "quiet-wall-x")
	b.ReportMetric(median(table.costs[index], cpu)/median(table.costs[stats], cpu), "stats-cpu-x")
	b.ReportMetric(1000*median(table.costs[push], wall), "push-ms")
	b.ReportMetric(median(table.costs[index], func(c cost) float64 { return mb(c.memory) }), "index-peak-MB")
	if info, err := os.Stat(catalog); err == nil {
		b.ReportMetric(100*float64(info.Size())/float64(w.to-w.from), "catalog-%-of-WAL")
	}
}

func (w *benchWAL) removeCatalog(b *testing.B, path string) {
	w.run(b, "rm", "-f", path, path+"-wal", path+"-shm")
}

// manySegments makes a catalog of a thousand segments, copies of real ones, and
// names a file that is not in it.
func (w *benchWAL) manySegments(b *testing.B, program string) (catalog, file string) {
	b.Helper()
	few := filepath.Join(w.dir, "few.db")
	catalog = filepath.Join(w.dir, "many.db")
	w.removeCatalog(b, few)
	w.removeCatalog(b, catalog)
	measure(b, program, "index", "--catalog", few, w.wal())
	from, err := store.Open(b.Context(), few)
	if err != nil {
		b.Fatal(err)
	}
	defer from.Close() // only read
	g, err := segment.Discover(b.Context(), w.wal())
	if err != nil {
		b.Fatal(err)
	}
	list, err := from.Segments(b.Context(), g.SystemID, g.SegmentSize)
	if err != nil || len(list) < 2 {
		b.Fatalf("%d segments: %v", len(list), err)
	}
	to, err := store.Open(b.Context(), catalog)
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := to.Close(); err != nil {
			b.Error(err)
		}
		if err := pgtest.Own(catalog); err != nil {
			b.Error(err)
		}
	}()
	for _, s := range list {
		if err := from.Load(b.Context(), s); err != nil {
			b.Fatal(err)
		}
	}
	for n := range uint64(1000) {
		s := *list[n%uint64(len(list)-1)]
		s.Name.Number += 1000 * (1 + n/uint64(len(list)-1))
		s.Path = fmt.Sprintf("/archive/%d", n)
		s.Digest[0], s.Digest[1] = byte(n), byte(n>>8)
		if err := to.Save(b.Context(), &s); err != nil {
			b.Fatal(err)
		}
	}
	return catalog, filepath.Join(w.wal(), lastOf(list).Name.Format(g.SegmentSize))
}

func lastOf(list []*blockmap.Segment) *blockmap.Segment { return list[len(list)-1] }
